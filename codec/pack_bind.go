package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// Bind decodes one MessagePack value: integers of any width, if they fit; floats also from integers, integers never from floats; []byte from binary, time.Time from the timestamp
// extension; text is never binary; nil is nil, "" for a string, and fails for everything that has no nil, except as a member of a struct, where it is the zero value. any becomes nil, bool, int64,
// uint64 (beyond int64), float64, string, []byte, time.Time, Ext, []any, map[string]any, or map[any]any when a key is no string. Structs come from maps, or from arrays in the order of
// their fields; names have regard to case, unknown members are skipped. Keys of a map that are integers may be text. json.RawMessage
// and what has an UnmarshalJSON get the value's translation to JSON, a Raw the bytes.
//
// Nothing in dst points into value afterwards. After an error its content is undefined. Errors say what was expected and what came, and repeat no more than a few bytes of it.
func (messagePack) Bind(value []byte, dst any) (err error) {
	if r, ok := dst.(*Raw); ok {
		*r, err = MessagePackRaw(value)
		return err
	}
	if end := packEnd(value, 0, 0); end < 0 || end != len(value) {
		return errNotPacked
	}
	return bindPacked(value, dst)
}

var errNotPacked = errors.New("not one MessagePack value that nests at most 64 deep")

// BindValid implements ValidBinder.
func (messagePack) BindValid(value []byte, dst any) error { return bindPacked(value, dst) }

// bindPacked binds a value that is known to be one, and no deeper than an argument.
func bindPacked(v []byte, dst any) (err error) {
	if r, ok := dst.(*Raw); ok { // whose head nobody needs
		*r = newRaw(v, true)
		return nil
	}
	h := readHead(v, 0)
	switch p := dst.(type) {
	case *string:
		*p, err = packedString(v, h)
	case *bool:
		*p, err = packedBool(v, h)
	case *int:
		err = bindPackedInt(v, h, p, strconv.IntSize)
	case *int8:
		err = bindPackedInt(v, h, p, 8)
	case *int16:
		err = bindPackedInt(v, h, p, 16)
	case *int32:
		err = bindPackedInt(v, h, p, 32)
	case *int64:
		err = bindPackedInt(v, h, p, 64)
	case *uint:
		err = bindPackedUint(v, h, p, strconv.IntSize)
	case *uint8:
		err = bindPackedUint(v, h, p, 8)
	case *uint16:
		err = bindPackedUint(v, h, p, 16)
	case *uint32:
		err = bindPackedUint(v, h, p, 32)
	case *uint64:
		err = bindPackedUint(v, h, p, 64)
	case *float32:
		var f float64
		f, err = packedFloat(v, h, 32)
		*p = float32(f)
	case *float64:
		*p, err = packedFloat(v, h, 64)
	case *[]byte:
		*p, err = packedBytes(v, h)
	case *time.Time:
		*p, err = packedTime(v, h)
	case *json.RawMessage:
		*p, err = appendTranscodedJSON(nil, v)
	case *any:
		*p, err = packedAny(v)
	default:
		rv := reflect.ValueOf(dst)
		if rv.Kind() != reflect.Pointer || rv.IsNil() {
			return fmt.Errorf("Bind needs a non-nil pointer, not %T", dst)
		}
		u := unpacker{b: v}
		return u.value(rv.Elem())
	}
	return err
}

// packMismatch is the error of a value that is not what dst takes.
func packMismatch(b []byte, h packHead, want string) error {
	return fmt.Errorf("expected %s, got %s", want, describePacked(b, h))
}

func describePacked(b []byte, h packHead) string {
	switch h.kind {
	case kindNil:
		return "nil"
	case kindBool:
		return strconv.FormatBool(b[h.start] == packTrue)
	case kindInt:
		n, negative := packInteger(b, h)
		if negative {
			return "the number " + strconv.FormatInt(int64(n), 10)
		}
		return "the number " + strconv.FormatUint(n, 10)
	case kindFloat:
		return "the number " + strconv.FormatFloat(packedNumber(b, h), 'g', -1, 64)
	case kindStr:
		return "a string"
	case kindBin:
		return "binary"
	case kindExt:
		if h.typ == timestampType {
			return "a timestamp"
		}
		return "extension type " + strconv.Itoa(int(h.typ))
	case kindArray:
		return "an array"
	case kindMap:
		return "a map"
	}
	return "no value"
}

func packedString(b []byte, h packHead) (string, error) {
	switch h.kind {
	case kindNil:
		return "", nil
	case kindStr:
		return textString(b[h.start:h.end]), nil
	}
	return "", packMismatch(b, h, "a string")
}

func packedBool(b []byte, h packHead) (bool, error) {
	if h.kind != kindBool {
		return false, packMismatch(b, h, "true or false")
	}
	return b[h.start] == packTrue, nil
}

// packInt is the integer with the head h, if it fits into so many bits.
func packInt(b []byte, h packHead, bits int) (n int64, ok bool) {
	if h.kind != kindInt {
		return 0, false
	}
	u, negative := packInteger(b, h)
	if !negative && u > math.MaxInt64 {
		return 0, false
	}
	n = int64(u)
	return n, n>>(bits-1) == n>>63
}

func packUint(b []byte, h packHead, bits int) (n uint64, ok bool) {
	if h.kind != kindInt {
		return 0, false
	}
	n, negative := packInteger(b, h)
	return n, !negative && (bits == 64 || n < 1<<bits)
}

func bindPackedInt[T int | int8 | int16 | int32 | int64](b []byte, h packHead, p *T, bits int) error {
	n, ok := packInt(b, h, bits)
	if !ok {
		return notPackedInt(b, h, bits)
	}
	*p = T(n)
	return nil
}

func bindPackedUint[T uint | uint8 | uint16 | uint32 | uint64](b []byte, h packHead, p *T, bits int) error {
	n, ok := packUint(b, h, bits)
	if !ok {
		return notPackedUint(b, h, bits)
	}
	*p = T(n)
	return nil
}

func notPackedInt(b []byte, h packHead, bits int) error {
	return packMismatch(b, h, "an integer of "+strconv.Itoa(bits)+" bits")
}

func notPackedUint(b []byte, h packHead, bits int) error {
	return packMismatch(b, h, "an integer of "+strconv.Itoa(bits)+" bits without sign")
}

// packedNumber is the float with the head h.
func packedNumber(b []byte, h packHead) float64 {
	if h.end-h.start == 4 {
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b[h.start:])))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b[h.start:]))
}

func packedFloat(b []byte, h packHead, bits int) (f float64, err error) {
	switch h.kind {
	case kindInt:
		n, negative := packInteger(b, h)
		if negative {
			return float64(int64(n)), nil
		}
		return float64(n), nil
	case kindFloat:
		f = packedNumber(b, h)
		if bits == 32 && math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
			return 0, packMismatch(b, h, "a floating-point number of 32 bits")
		}
		return f, nil
	}
	return 0, packMismatch(b, h, "a number")
}

func packedBytes(b []byte, h packHead) ([]byte, error) {
	switch h.kind {
	case kindNil:
		return nil, nil
	case kindBin:
		return append([]byte{}, b[h.start:h.end]...), nil
	}
	return nil, packMismatch(b, h, "binary")
}

func packedTime(b []byte, h packHead) (time.Time, error) {
	if h.kind != kindExt || h.typ != timestampType {
		return time.Time{}, packMismatch(b, h, "a timestamp")
	}
	t, ok := readTimestamp(b[h.start:h.end])
	if !ok {
		return time.Time{}, errors.New("expected a timestamp, got one of no known form, or outside the years 1 to 9999")
	}
	return t, nil
}

// textString is text with U+FFFD for what is not UTF-8.
func textString(b []byte) string {
	s := string(b)
	if !utf8.ValidString(s) {
		return string(appendText(nil, b))
	}
	return s
}
