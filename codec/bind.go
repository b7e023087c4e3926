package codec

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// Bind decodes one JSON value as .NET's serializer would (wire contract, section 10): integers have neither fraction nor exponent and must fit; text is Unicode, so half
// of a surrogate pair fails; []byte is base64 and time.Time ISO 8601, in a string; null is nil, "" for a string, and fails for everything that has no nil. Slices
// and pointers of these follow the same rules, and so do named types. any becomes nil, bool, float64, string, []any or map[string]any. A Raw is the bytes. What has an
// UnmarshalJSON or UnmarshalText of its own, structs, maps and arrays go through encoding/json, with its rules inside: names ignore case, unknown members are
// skipped, null leaves a field as it is.
//
// Nothing in dst points into value afterwards. After an error its content is undefined. Errors say what was expected and what came, and repeat no more than a few bytes of it.
func (jsonProtocol) Bind(value []byte, dst any) error {
	if r, ok := dst.(*Raw); ok {
		return r.UnmarshalJSON(value)
	}
	v, ok := wholeValue(value)
	if !ok {
		return errors.New("not one JSON value")
	}
	return bindValid(v, dst)
}

// bindValid binds a value that is known to be one, and no deeper than an argument. It is not empty.
func bindValid(v []byte, dst any) (err error) {
	switch p := dst.(type) {
	case *string:
		*p, err = bindString(v)
	case *bool:
		*p, err = bindBool(v)
	case *int:
		err = bindInt(v, p, strconv.IntSize)
	case *int8:
		err = bindInt(v, p, 8)
	case *int16:
		err = bindInt(v, p, 16)
	case *int32:
		err = bindInt(v, p, 32)
	case *int64:
		err = bindInt(v, p, 64)
	case *uint:
		err = bindUint(v, p, strconv.IntSize)
	case *uint8:
		err = bindUint(v, p, 8)
	case *uint16:
		err = bindUint(v, p, 16)
	case *uint32:
		err = bindUint(v, p, 32)
	case *uint64:
		err = bindUint(v, p, 64)
	case *float32:
		var f float64
		f, err = bindFloat(v, 32)
		*p = float32(f)
	case *float64:
		*p, err = bindFloat(v, 64)
	case *[]byte:
		*p, err = bindBytes(v)
	case *time.Time:
		*p, err = bindTime(v)
	case *Raw:
		*p = newRaw(v, false)
	case *json.RawMessage:
		*p = append(json.RawMessage(nil), v...)
	case *any:
		*p, err = bindAny(v)
	default:
		rv := reflect.ValueOf(dst)
		if rv.Kind() != reflect.Pointer || rv.IsNil() {
			return fmt.Errorf("Bind needs a non-nil pointer, not %T", dst)
		}
		err = bindReflected(v, rv.Elem())
	}
	return err
}

// mismatch is the error of a value that is not what dst takes.
func mismatch(v []byte, want string) error {
	return fmt.Errorf("expected %s, got %s", want, describe(v))
}

// describe names the kind of v; a number is shown, cut short.
func describe(v []byte) string {
	switch v[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f', 'n':
		return string(v)
	}
	if short := clip(v, 32); len(short) < len(v) {
		return "the number " + string(short) + "…"
	}
	return "the number " + string(v)
}

func isNull(v []byte) bool { return v[0] == 'n' }

func bindBool(v []byte) (bool, error) {
	if c := v[0]; c != 't' && c != 'f' {
		return false, mismatch(v, "true or false")
	}
	return v[0] == 't', nil
}

func bindInt[T int | int8 | int16 | int32 | int64](v []byte, p *T, bits int) error {
	n, ok := parseInt(v, bits)
	if !ok {
		return notInt(v, bits)
	}
	*p = T(n)
	return nil
}

func bindUint[T uint | uint8 | uint16 | uint32 | uint64](v []byte, p *T, bits int) error {
	n, ok := parseUint(v, bits)
	if !ok {
		return notUint(v, bits)
	}
	*p = T(n)
	return nil
}

func notInt(v []byte, bits int) error {
	return mismatch(v, "an integer of "+strconv.Itoa(bits)+" bits")
}

func notUint(v []byte, bits int) error {
	return mismatch(v, "an integer of "+strconv.Itoa(bits)+" bits without sign")
}

func bindFloat(v []byte, bits int) (float64, error) {
	if c := v[0]; c != '-' && c-'0' > 9 {
		return 0, mismatch(v, "a number")
	}
	f, err := strconv.ParseFloat(string(v), bits)
	if err != nil {
		return 0, mismatch(v, "a floating-point number of "+strconv.Itoa(bits)+" bits")
	}
	return f, nil
}

func bindString(v []byte) (string, error) {
	if isNull(v) {
		return "", nil
	}
	var short [128]byte
	text, err := textOf(v, short[:0], "a string")
	return string(text), err
}

// textOf returns the text of the string v: in place when it has no escapes, else in buf, or in memory of its own when it may not fit there.
func textOf(v, buf []byte, want string) ([]byte, error) {
	if v[0] != '"' {
		return nil, mismatch(v, want)
	}
	raw := v[1 : len(v)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, nil
	}
	if len(raw) > cap(buf) {
		buf = make([]byte, 0, len(raw))
	}
	text, ok := unescape(buf[:0], raw)
	if !ok {
		return nil, fmt.Errorf("expected %s, got half of a surrogate pair", want)
	}
	return text, nil
}

// bindBytes reads base64. null is nil.
func bindBytes(v []byte) ([]byte, error) {
	if isNull(v) {
		return nil, nil
	}
	const want = "base64 in a string"
	text, err := textOf(v, nil, want)
	if err != nil {
		return nil, err
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return nil, fmt.Errorf("expected %s: %w", want, err)
	}
	return out[:n], nil
}

// timeForms are the profiles of ISO 8601 that .NET reads. A time without zone is taken for UTC.
var timeForms = [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly}

func bindTime(v []byte) (time.Time, error) {
	const want = "a time of ISO 8601 in a string"
	var short [64]byte
	text, err := textOf(v, short[:0], want)
	if err != nil {
		return time.Time{}, err
	}
	if len(text) <= len(short) {
		for _, form := range timeForms {
			if t, err := time.Parse(form, string(text)); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("expected %s, got %q", want, clip(text, len(short)))
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType        = reflect.TypeFor[time.Time]()
	jsonRawType     = reflect.TypeFor[json.RawMessage]()
	rawType         = reflect.TypeFor[Raw]()
	bytesType       = reflect.TypeFor[[]byte]()
	anyType         = reflect.TypeFor[any]()
)

// bindReflected decodes v into dst, of any type.
func bindReflected(v []byte, dst reflect.Value) error {
	t := dst.Type()
	switch t {
	case timeType:
		tm, err := bindTime(v)
		dst.Set(reflect.ValueOf(tm))
		return err
	case rawType:
		r, err := innerRaw(v, false)
		*dst.Addr().Interface().(*Raw) = r
		return err
	case jsonRawType:
		dst.SetBytes(append([]byte(nil), v...))
		return nil
	case bytesType:
		b, err := bindBytes(v)
		dst.SetBytes(b)
		return err
	case anyType:
		x, err := bindAny(v)
		if x == nil {
			dst.SetZero()
		} else {
			dst.Set(reflect.ValueOf(x))
		}
		return err
	}
	if t.Kind() == reflect.Pointer {
		if isNull(v) {
			dst.SetZero()
			return nil
		}
		p := reflect.New(t.Elem())
		if err := bindReflected(v, p.Elem()); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	}
	if pt := reflect.PointerTo(t); pt.Implements(jsonUnmarshaler) || pt.Implements(textUnmarshaler) {
		return bindEncodingJSON(v, dst)
	}
	switch t.Kind() {
	case reflect.String:
		s, err := bindString(v)
		dst.SetString(s)
		return err
	case reflect.Bool:
		b, err := bindBool(v)
		dst.SetBool(b)
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := parseInt(v, t.Bits())
		if !ok {
			return notInt(v, t.Bits())
		}
		dst.SetInt(n)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, ok := parseUint(v, t.Bits())
		if !ok {
			return notUint(v, t.Bits())
		}
		dst.SetUint(n)
		return nil
	case reflect.Float32, reflect.Float64:
		f, err := bindFloat(v, t.Bits())
		dst.SetFloat(f)
		return err
	case reflect.Slice:
		return bindSlice(v, dst)
	}
	return bindEncodingJSON(v, dst)
}

// bindSlice decodes an array; null is nil. (Bytes of a named type are base64, as for encoding/json.)
func bindSlice(v []byte, dst reflect.Value) error {
	t := dst.Type()
	if isNull(v) {
		dst.SetZero()
		return nil
	}
	if t.Elem().Kind() == reflect.Uint8 {
		return bindEncodingJSON(v, dst)
	}
	if v[0] != '[' {
		return mismatch(v, "an array")
	}
	_, n := skipArray(v, 0, 0)
	list := reflect.MakeSlice(t, n, n)
	rest := v
	for i := range n {
		var element []byte
		element, rest, _ = JSON.NextValue(rest)
		if err := bindReflected(element, list.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	dst.Set(list)
	return nil
}

// bindEncodingJSON leaves the value to encoding/json, which must not see what it would bend: null for what has no nil, and text that is none.
func bindEncodingJSON(v []byte, dst reflect.Value) error {
	t := dst.Type()
	unmarshalsItself := reflect.PointerTo(t).Implements(jsonUnmarshaler)
	if isNull(v) && !unmarshalsItself {
		if k := t.Kind(); k == reflect.Map || k == reflect.Interface || k == reflect.Slice {
			dst.SetZero()
			return nil
		}
		return mismatch(v, "a value for "+t.String())
	}
	if !isText(v) {
		return errors.New("half of a surrogate pair in a string")
	}
	fresh := reflect.New(t) // so that a failure leaves nothing behind
	if err := json.Unmarshal(v, fresh.Interface()); err != nil {
		return shortened(err)
	}
	dst.Set(fresh.Elem())
	return nil
}

// maxErrorText is how much of an error text of encoding/json is kept, in bytes: some repeat the input.
const maxErrorText = 256

func shortened(err error) error {
	if text := err.Error(); len(text) > maxErrorText {
		return errors.New(string(clip([]byte(text), maxErrorText)) + "…")
	}
	return err
}
