package hubs

import (
	"encoding/json"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
)

// Verbatim is a value of no declared type as it came, in either encoding.
type Verbatim struct {
	json json.RawMessage
	pack msgpack.RawMessage
}

// UnmarshalJSON keeps the text.
func (v *Verbatim) UnmarshalJSON(b []byte) error {
	*v = Verbatim{json: slices.Clone(b)}
	return nil
}

// MarshalJSON gives it back; null when the value came in MessagePack, or not at all.
func (v Verbatim) MarshalJSON() ([]byte, error) { return v.json.MarshalJSON() }

// DecodeMsgpack keeps the bytes.
func (v *Verbatim) DecodeMsgpack(d *msgpack.Decoder) error {
	b, err := d.DecodeRaw()
	*v = Verbatim{pack: slices.Clone(b)}
	return err
}

// EncodeMsgpack gives them back; nil when the value came in JSON, or not at all.
func (v Verbatim) EncodeMsgpack(e *msgpack.Encoder) error {
	if v.pack == nil {
		return e.EncodeNil()
	}
	return e.Encode(v.pack)
}
