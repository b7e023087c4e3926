package hubs

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Complex is the recordings' object with a value of each kind. MessagePack has .NET's own names of its members.
type Complex struct {
	Name  *string `json:"name" msgpack:"Name"`
	Value int32   `json:"value" msgpack:"Value"`
	When  When    `json:"when" msgpack:"When"`
	Bytes []byte  `json:"bytes" msgpack:"Bytes"`
	ID    UUID    `json:"id" msgpack:"Id"`
	Color Color   `json:"color" msgpack:"Color"`
}

// Color is a number in JSON, and its name in MessagePack.
type Color int32

// The colors.
const (
	Red   Color = 0
	Green Color = 1
)

var colorNames = [...]string{Red: "Red", Green: "Green"}

// EncodeMsgpack writes the name.
func (c Color) EncodeMsgpack(e *msgpack.Encoder) error {
	if c < 0 || int(c) >= len(colorNames) {
		return e.EncodeInt(int64(c))
	}
	return e.EncodeString(colorNames[c])
}

// DecodeMsgpack reads the name, with regard to case.
func (c *Color) DecodeMsgpack(d *msgpack.Decoder) error {
	name, err := d.DecodeString()
	if err != nil {
		return err
	}
	for i, n := range colorNames {
		if n == name {
			*c = Color(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no color: want %q", name, colorNames)
}

// When is a date and time that may be without a zone, as .NET's DateTime is; the zero value is 0001-01-01T00:00:00 without zone.
type When struct {
	Time time.Time
	Zone bool
}

// The layouts read a fraction of any length; .NET writes up to seven digits without zeros at the end.
const (
	layoutPlain = "2006-01-02T15:04:05.9999999"
	layoutZone  = layoutPlain + "Z07:00"
)

// MarshalJSON writes ISO 8601.
func (w When) MarshalJSON() ([]byte, error) {
	layout := layoutPlain
	if w.Zone {
		layout = layoutZone
	}
	return json.Marshal(w.Time.Format(layout))
}

// UnmarshalJSON reads ISO 8601 with or without a zone.
func (w *When) UnmarshalJSON(p []byte) error {
	var s string
	if err := json.Unmarshal(p, &s); err != nil {
		return err
	}
	t, err := time.Parse(layoutZone, s)
	zone := err == nil
	if !zone {
		if t, err = time.Parse(layoutPlain, s); err != nil {
			return fmt.Errorf("%q is no date and time of ISO 8601: %w", s, err)
		}
	}
	*w = When{t, zone}
	return nil
}

// EncodeMsgpack writes a timestamp.
func (w When) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeTime(w.Time) }

// DecodeMsgpack reads a timestamp, which is UTC.
func (w *When) DecodeMsgpack(d *msgpack.Decoder) error {
	t, err := d.DecodeTime()
	if err != nil {
		return err
	}
	*w = When{t.UTC(), true}
	return nil
}

// UUID is written in the usual form of 36 characters.
type UUID [16]byte

// String is the usual form.
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// MarshalText writes the usual form.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads the usual form.
func (u *UUID) UnmarshalText(p []byte) error {
	s := string(p)
	ok := len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
	digits := strings.ReplaceAll(s, "-", "")
	if !ok || len(digits) != 32 {
		return fmt.Errorf("%q is no UUID: want 32 hex digits in five groups", s)
	}
	_, err := hex.Decode(u[:], []byte(digits))
	return err
}
