package codec

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// Raw is a value in the encoding in which it came, for hubs that pass on what they do not look at. To a client of the same encoding it goes byte for byte; to one of
// the other it is translated, as json.RawMessage is (binary becomes base64, a timestamp ISO 8601, and so on), at the time when it is sent. So in MessagePack a Raw costs less than a json.RawMessage, and loses nothing. It may be
// an argument, a result, an item, an answer of a client, what is sent, and any part of these.
//
// A Raw is immutable, a few words of memory, and may be copied, kept and read on any goroutine. The zero Raw is null. What is in one is always a whole valid value that nests at
// most 62 levels, so that it can be sent; values that nest deeper do not become one. Inside of other values it counts with its depth, as all that is sent.
//
// Not every value has a form in both encodings: NaN, infinities and maps with keys other than text and integers have none in JSON, half of a surrogate pair and numbers beyond a float64 none in
// MessagePack. Sending such a Raw to clients of the other encoding is an error. A hub that keeps values for clients who ask for them later may refuse them when they come: see Portable.
type Raw struct {
	text   string // the value, without white space around it; "" is null, the only form of it
	packed bool   // MessagePack; else JSON
}

var (
	errNotRaw     = fmt.Errorf("not one JSON value in UTF-8 that nests at most %d deep", maxValueDepth)
	errNotRawPack = fmt.Errorf("not one MessagePack value that nests at most %d deep", maxValueDepth)
)

// JSONRaw copies a JSON value, white space around it left out. What is not one, in UTF-8, or nests deeper than 62 levels is an error.
func JSONRaw(b []byte) (Raw, error) {
	i := skipSpace(b, 0)
	end := skipValue(b, i, maxDepth-maxValueDepth)
	if end < 0 || skipSpace(b, end) != len(b) {
		return Raw{}, errNotRaw
	}
	return newRaw(b[i:end], false), nil
}

// MessagePackRaw copies a MessagePack value. What is not one, or nests deeper than 62 levels, is an error.
func MessagePackRaw(b []byte) (Raw, error) {
	if end := packEnd(b, 0, maxDepth-maxValueDepth); end < 0 || end != len(b) {
		return Raw{}, errNotRawPack
	}
	return newRaw(b, true), nil
}

// newRaw copies a value that is known to be one and to nest at most maxValueDepth levels.
func newRaw(v []byte, packed bool) Raw {
	if packed && v[0] == packNil || !packed && isNull(v) {
		return Raw{}
	}
	return Raw{string(v), packed}
}

// innerRaw copies a value that is known to be one, but not how deep it nests.
func innerRaw(v []byte, packed bool) (Raw, error) {
	r := newRaw(v, packed)
	switch {
	case r.fits(maxValueDepth):
		return r, nil
	case packed:
		return Raw{}, errNotRawPack
	}
	return Raw{}, errNotRaw
}

// fits says whether r nests at most depth levels. Short ones do, whatever they hold: a level takes a byte in MessagePack and two in JSON.
func (r Raw) fits(depth int) bool {
	if r.packed {
		return len(r.text) <= depth || packEnd([]byte(r.text), 0, maxDepth-depth) == len(r.text)
	}
	return len(r.text) <= 2*depth || skipValue([]byte(r.text), 0, maxDepth-depth) == len(r.text)
}

// json is the text of one that is not MessagePack.
func (r Raw) json() string {
	if r.text == "" {
		return "null"
	}
	return r.text
}

// IsNull says whether r is null.
func (r Raw) IsNull() bool { return r.text == "" }

// Portable says why r cannot be sent to clients of the other encoding; nil: it can. It translates r to find out.
func (r Raw) Portable() error {
	other := MessagePack
	if r.packed {
		other = JSON
	}
	_, err := r.Append(nil, other)
	return err
}

// Bind decodes r into dst, a non-nil pointer, as an argument that came in r's encoding is (Protocol.Bind). Nothing in dst points into r afterwards.
func (r Raw) Bind(dst any) error {
	if r.packed {
		return bindPacked([]byte(r.text), dst)
	}
	return bindValid([]byte(r.json()), dst)
}

// String is r as JSON, for logs; MessagePack that has no form in JSON is shown in hexadecimal.
func (r Raw) String() string {
	b, err := r.MarshalJSON()
	if err != nil {
		return fmt.Sprintf("MessagePack %x", r.text)
	}
	return string(b)
}

// Append appends r as a value of p, like p.AppendValue, without the allocation of making it an any.
func (r Raw) Append(dst []byte, p Protocol) (out []byte, err error) {
	switch p.(type) {
	case jsonProtocol:
		out, err = appendRaw(dst, r, maxValueDepth)
	case messagePack:
		out, err = packRaw(dst, r, maxValueDepth)
	default:
		out, err = p.AppendValue(dst, r)
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

// MarshalJSON returns r as JSON: as it came, or translated.
func (r Raw) MarshalJSON() ([]byte, error) {
	if !r.packed {
		return []byte(r.json()), nil
	}
	b, err := appendTranscodedJSON(nil, []byte(r.text))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// UnmarshalJSON makes r what JSONRaw makes of b.
func (r *Raw) UnmarshalJSON(b []byte) (err error) {
	*r, err = JSONRaw(b)
	return err
}

// EncodeMsgpack writes r as MessagePack, as it came or translated, for types that encode themselves with the library.
func (r Raw) EncodeMsgpack(e *msgpack.Encoder) error {
	b, err := packRaw(nil, r, maxValueDepth)
	if err != nil {
		return err
	}
	return e.Encode(msgpack.RawMessage(b))
}

// DecodeMsgpack makes r what MessagePackRaw makes of the next value.
func (r *Raw) DecodeMsgpack(d *msgpack.Decoder) error {
	b, err := d.DecodeRaw()
	if err != nil {
		return err
	}
	*r, err = MessagePackRaw(b)
	return err
}

var (
	_ json.Marshaler        = Raw{}
	_ json.Unmarshaler      = (*Raw)(nil)
	_ msgpack.CustomEncoder = Raw{}
	_ msgpack.CustomDecoder = (*Raw)(nil)
)

// appendRaw appends r as JSON that may hold depth more levels. One that came as JSON is copied, unless it is inside of something and so long that it might nest too deep there.
func appendRaw(dst []byte, r Raw, depth int) (_ []byte, err error) {
	if !r.packed {
		if depth < maxValueDepth && !r.fits(depth) {
			return nil, errTooDeep
		}
		return append(dst, r.json()...), nil
	}
	start := len(dst)
	if dst, err = appendTranscodedJSON(dst, []byte(r.text)); err != nil {
		return nil, rawError("JsonException", err)
	}
	// An extension is an object in JSON, so there may be one level more than there were. As for fits there are no more than bytes.
	if len(r.text) > depth && skipValue(dst, start, maxDepth-depth) != len(dst) {
		return nil, errTooDeep
	}
	return dst, nil
}

func appendRaws(dst []byte, list []Raw, depth int) (_ []byte, err error) {
	if list == nil {
		return append(dst, "null"...), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = append(dst, '[')
	for i, r := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendRaw(dst, r, depth-1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// packRaw is appendRaw for MessagePack.
func packRaw(dst []byte, r Raw, depth int) (_ []byte, err error) {
	switch {
	case r.text == "":
		return append(dst, packNil), nil
	case depth < maxValueDepth && !r.fits(depth):
		return nil, errTooDeep
	case r.packed:
		return append(dst, r.text...), nil
	}
	if dst, _, err = packJSON(dst, []byte(r.text), 0); err != nil {
		return nil, rawError("MessagePackSerializationException", err)
	}
	return dst, nil
}

func packRaws(dst []byte, list []Raw, depth int) (_ []byte, err error) {
	if list == nil {
		return append(dst, packNil), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = appendArrayHead(dst, len(list))
	for _, r := range list {
		if dst, err = packRaw(dst, r, depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// rawError names an error that has no name yet.
func rawError(name string, err error) error {
	if _, ok := errors.AsType[*valueError](err); ok {
		return err
	}
	return &valueError{name, err}
}
