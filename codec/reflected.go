package codec

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// appendReflected appends a value of any type by way of encoding/json.
func appendReflected(dst []byte, v any, depth int) ([]byte, error) {
	if rv := reflect.ValueOf(v); isBottomless(rv.Type()) {
		// encoding/json goes down as deep as the value does, on the stack.
		if d := (&descent{hops: maxHops}); !d.fits(rv, depth) {
			return nil, errTooDeep
		}
	}
	e := reflectedEncoders.Get().(*reflectedEncoder)
	defer e.release()
	if err := e.json.Encode(v); err != nil {
		return nil, marshalError(err)
	}
	value := bytes.TrimSuffix(e.out.Bytes(), []byte("\n"))
	if end := skipValue(value, 0, maxDepth-depth); end != len(value) {
		// encoding/json writes valid JSON, except that it lets through what a MarshalJSON or a json.RawMessage has in strings.
		if !utf8.Valid(value) {
			return nil, errNotUTF8
		}
		return nil, errTooDeep
	}
	return appendCanonical(dst, value), nil
}

// reflectedEncoder is an encoding/json encoder with its buffer.
type reflectedEncoder struct {
	out  bytes.Buffer
	json *json.Encoder
}

// maxKept is the largest buffer that goes back to the pool, in bytes.
const maxKept = 64 << 10

var reflectedEncoders = sync.Pool{New: func() any {
	e := new(reflectedEncoder)
	e.json = json.NewEncoder(&e.out)
	e.json.SetEscapeHTML(false)
	return e
}}

// release puts e back, but not one that has grown large. (An Encoder remembers only errors of its writer, and a Buffer has none.)
func (e *reflectedEncoder) release() {
	if e.out.Cap() > maxKept {
		return
	}
	e.out.Reset()
	reflectedEncoders.Put(e)
}

// appendCanonical appends a valid JSON value with its strings escaped as appendString does it; encoding/json's way differs beyond ASCII.
func appendCanonical(dst, value []byte) []byte {
	done := 0 // what comes before it has been appended
	for i := 0; i < len(value); {
		c := value[i]
		if c < utf8.RuneSelf && c != '\\' && c != 0x7F {
			i++
			continue
		}
		// Outside ASCII and at escapes we are inside a string.
		dst = append(dst, value[done:i]...)
		var size int
		if c != '\\' {
			var r rune
			r, size = utf8.DecodeRune(value[i:])
			dst = appendRune(dst, r)
		} else if r, n := unescapeOne(value, i); n > 0 {
			size = n
			dst = appendRune(dst, r)
		} else {
			// Half of a surrogate pair, out of somebody's MarshalJSON: it stays what it is.
			half, _ := hex4(value, i+2)
			size = 6
			if utf16.IsSurrogate(half) {
				dst = appendUnit(dst, half)
			}
		}
		i += size
		done = i
	}
	return append(dst, value[done:]...)
}

// appendRune appends one character of a string.
func appendRune(dst []byte, r rune) []byte {
	if r < utf8.RuneSelf && plain[r] || r >= utf8.RuneSelf && isLiteral(r) {
		return utf8.AppendRune(dst, r)
	}
	return appendEscape(dst, r)
}

// bottomlessTypes remembers isBottomless. It grows with the types of the program, not with what peers send.
var bottomlessTypes sync.Map // reflect.Type: bool

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// isBottomless says whether a type leaves open how deep its values nest: there is an interface in it, or it contains itself.
func isBottomless(t reflect.Type) bool {
	if known, ok := bottomlessTypes.Load(t); ok {
		return known.(bool)
	}
	b := bottomless(t, nil)
	bottomlessTypes.Store(t, b)
	return b
}

// bottomless looks through t; path holds the types around it.
func bottomless(t reflect.Type, path []reflect.Type) bool {
	for _, outer := range path {
		if t == outer {
			return true
		}
	}
	if marshalsItself(t) {
		return false
	}
	path = append(path, t)
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return bottomless(t.Elem(), path)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); written(f) && bottomless(f.Type, path) {
				return true
			}
		}
	}
	return false
}

// written says whether encoding/json looks at a field at all.
func written(f reflect.StructField) bool {
	return (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-"
}

// inlined says whether an embedded field's members are the outer object's.
func inlined(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return f.Anonymous && name == ""
}

// marshalsItself says whether encoding/json leaves values of t to their own methods.
func marshalsItself(t reflect.Type) bool {
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}

// maxHops bounds the pointers and interfaces on the way from the value down to any one place: without it, a pointer to itself is an endless way of no depth.
const maxHops = 8 * maxDepth

// descent measures how deep a value nests before encoding/json goes there.
type descent struct{ hops int }

// fits says whether v nests at most depth levels.
func (d *descent) fits(v reflect.Value, depth int) bool {
	if !v.IsValid() || marshalsItself(v.Type()) || v.CanAddr() && marshalsItself(reflect.PointerTo(v.Type())) {
		return true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return true
		}
		if d.hops == 0 {
			return false
		}
		d.hops--
		ok := d.fits(v.Elem(), depth)
		d.hops++
		return ok
	case reflect.Slice, reflect.Array:
		if depth == 0 {
			return false
		}
		if !isBottomless(v.Type().Elem()) {
			return true // how deep that is, the encoded bytes tell
		}
		for i := range v.Len() {
			if !d.fits(v.Index(i), depth-1) {
				return false
			}
		}
	case reflect.Map:
		if depth == 0 {
			return false
		}
		if !isBottomless(v.Type().Elem()) {
			return true
		}
		for entries := v.MapRange(); entries.Next(); {
			if !d.fits(entries.Value(), depth-1) {
				return false
			}
		}
	case reflect.Struct:
		if depth == 0 {
			return false
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !written(f) {
				continue
			}
			inside := depth - 1
			if inlined(f) {
				inside = depth
			}
			if !d.fits(v.Field(i), inside) {
				return false
			}
		}
	}
	return true
}
