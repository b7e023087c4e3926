package codec

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// unpacker decodes the valid value b, from i on, into Go values of any type.
type unpacker struct {
	b []byte
	i int
}

// value decodes the next value into dst, which is settable, and moves on. Unless there is an error.
func (u *unpacker) value(dst reflect.Value) error {
	for hops := 0; dst.Kind() == reflect.Pointer; hops++ {
		h := readHead(u.b, u.i)
		if h.kind == kindNil {
			dst.SetZero()
			u.i = h.end
			return nil
		}
		if hops == maxDepth {
			return fmt.Errorf("%v is no type for a value", dst.Type())
		}
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	t := packTypeOf(dst.Type())
	if t.read != formKind {
		end := packEnd(u.b, u.i, 0)
		if end < 0 {
			return errNotPacked
		}
		v := u.b[u.i:end]
		u.i = end
		return unpackForm(v, dst, t.read)
	}
	return u.byKind(dst, t)
}

// unpackForm decodes the whole of v into a value that is not read by its kind.
func unpackForm(v []byte, dst reflect.Value, form packForm) error {
	h := readHead(v, 0)
	switch form {
	case formTime:
		t, err := packedTime(v, h)
		dst.Set(reflect.ValueOf(t))
		return err
	case formRaw:
		r, err := innerRaw(v, true)
		*dst.Addr().Interface().(*Raw) = r
		return err
	case formRawJSON:
		raw, err := appendTranscodedJSON(nil, v)
		dst.SetBytes(raw)
		return err
	case formExt:
		if h.kind != kindExt {
			return packMismatch(v, h, "an extension")
		}
		dst.Set(reflect.ValueOf(Ext{h.typ, append([]byte{}, v[h.start:h.end]...)}))
		return nil
	case formNumber:
		return unpackNumber(v, h, dst)
	case formLibrary:
		return unpackByLibrary(v, dst)
	case formJSON:
		raw, err := appendTranscodedJSON(nil, v)
		if err != nil {
			return err
		}
		return shortenedOrNil(dst.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw))
	}
	if h.kind != kindStr {
		return packMismatch(v, h, "a string for "+dst.Type().String())
	}
	return shortenedOrNil(dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(textString(v[h.start:h.end]))))
}

func shortenedOrNil(err error) error {
	if err == nil {
		return nil
	}
	return shortened(err)
}

// unpackNumber decodes a json.Number: the number's text; nil is the empty one.
func unpackNumber(v []byte, h packHead, dst reflect.Value) error {
	switch h.kind {
	case kindNil:
		dst.SetString("")
		return nil
	case kindInt, kindFloat:
		raw, err := appendTranscodedJSON(nil, v)
		dst.SetString(string(raw))
		return err
	}
	return packMismatch(v, h, "a number")
}

// packDecoder is a decoder of the library with its reader.
type packDecoder struct {
	in      bytes.Reader
	decoder *msgpack.Decoder
}

var packDecoders = sync.Pool{New: func() any {
	d := new(packDecoder)
	d.decoder = msgpack.NewDecoder(&d.in)
	return d
}}

// unpackByLibrary decodes into a value whose type has methods of the library. It must have read all of v.
func unpackByLibrary(v []byte, dst reflect.Value) error {
	d := packDecoders.Get().(*packDecoder)
	d.in.Reset(v)
	d.decoder.Reset(&d.in)
	d.decoder.SetCustomStructTag("json")
	err := d.decoder.Decode(dst.Addr().Interface())
	left := d.in.Len()
	d.in.Reset(nil)
	if len(v) <= maxKept { // the library keeps a buffer of as many bytes as it has read at once
		packDecoders.Put(d)
	}
	switch {
	case err != nil:
		return shortened(err)
	case left > 0:
		return fmt.Errorf("the decoding method of %v has left %d bytes of the value", dst.Type(), left)
	}
	return nil
}

func (u *unpacker) byKind(dst reflect.Value, t *packType) (err error) {
	h := readHead(u.b, u.i)
	switch dst.Kind() {
	case reflect.String:
		s, err := packedString(u.b, h)
		dst.SetString(s)
		u.i = h.end
		return err
	case reflect.Bool:
		x, err := packedBool(u.b, h)
		dst.SetBool(x)
		u.i = h.end
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := packInt(u.b, h, dst.Type().Bits())
		if !ok {
			return notPackedInt(u.b, h, dst.Type().Bits())
		}
		dst.SetInt(n)
		u.i = h.end
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, ok := packUint(u.b, h, dst.Type().Bits())
		if !ok {
			return notPackedUint(u.b, h, dst.Type().Bits())
		}
		dst.SetUint(n)
		u.i = h.end
		return nil
	case reflect.Float32, reflect.Float64:
		f, err := packedFloat(u.b, h, dst.Type().Bits())
		dst.SetFloat(f)
		u.i = h.end
		return err
	case reflect.Slice:
		return u.slice(dst, h)
	case reflect.Array:
		return u.array(dst, h)
	case reflect.Map:
		return u.mapping(dst, h)
	case reflect.Struct:
		return u.structure(dst, t, h)
	case reflect.Interface:
		return u.dynamic(dst, h)
	}
	return packMismatch(u.b, h, "nothing: values cannot become a "+dst.Type().String())
}

func (u *unpacker) dynamic(dst reflect.Value, h packHead) error {
	switch {
	case h.kind == kindNil:
		dst.SetZero()
		u.i = h.end
		return nil
	case dst.NumMethod() > 0:
		return packMismatch(u.b, h, "nil: values cannot become a "+dst.Type().String())
	}
	x, end, err := packedDynamic(u.b, u.i)
	if err != nil {
		return err
	}
	dst.Set(reflect.ValueOf(x))
	u.i = end
	return nil
}

// isBytes says whether values of t, a slice or an array, are binary.
func isBytes(t reflect.Type) bool {
	return t.Elem().Kind() == reflect.Uint8 && packTypeOf(t.Elem()).read == formKind
}

// firstElements bounds what a slice takes before its first element has been read, in bytes: elements may be large, and nil is one byte.
const firstElements = 4 << 10

func (u *unpacker) slice(dst reflect.Value, h packHead) error {
	t := dst.Type()
	switch {
	case h.kind == kindNil:
		dst.SetZero()
		u.i = h.end
		return nil
	case h.kind == kindBin && isBytes(t):
		dst.SetBytes(append([]byte{}, u.b[h.start:h.end]...))
		u.i = h.end
		return nil
	case h.kind != kindArray && isBytes(t):
		return packMismatch(u.b, h, "binary")
	case h.kind != kindArray:
		return packMismatch(u.b, h, "an array")
	}
	u.i = h.end
	dst.Set(reflect.MakeSlice(t, 0, min(h.count, max(1, firstElements/max(1, int(t.Elem().Size()))))))
	for n := range h.count {
		if n == dst.Cap() {
			dst.Grow(min(h.count-n, n))
		}
		dst.SetLen(n + 1)
		if err := u.value(dst.Index(n)); err != nil {
			return fmt.Errorf("element %d: %w", n, err)
		}
	}
	return nil
}

// array decodes into an array, which must have as many elements as came.
func (u *unpacker) array(dst reflect.Value, h packHead) error {
	n := dst.Len()
	if h.kind == kindBin && isBytes(dst.Type()) {
		if h.end-h.start != n {
			return fmt.Errorf("expected %d bytes, got %d", n, h.end-h.start)
		}
		reflect.Copy(dst, reflect.ValueOf(u.b[h.start:h.end]))
		u.i = h.end
		return nil
	}
	if h.kind != kindArray || h.count != n {
		return packMismatch(u.b, h, "an array of "+strconv.Itoa(n))
	}
	u.i = h.end
	for i := range n {
		if err := u.value(dst.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

func (u *unpacker) mapping(dst reflect.Value, h packHead) error {
	t := dst.Type()
	switch h.kind {
	case kindNil:
		dst.SetZero()
		u.i = h.end
		return nil
	case kindMap:
	default:
		return packMismatch(u.b, h, "a map")
	}
	u.i = h.end
	members := reflect.MakeMapWithSize(t, min(h.count, firstElements))
	key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	for n := range h.count {
		key.SetZero()
		value.SetZero()
		if err := u.key(key); err != nil {
			return fmt.Errorf("key of member %d: %w", n, err)
		}
		if !key.Comparable() {
			return fmt.Errorf("key of member %d: expected a simple value, got one that is none", n)
		}
		if err := u.value(value); err != nil {
			return fmt.Errorf("member %d: %w", n, err)
		}
		members.SetMapIndex(key, value)
	}
	dst.Set(members)
	return nil
}

// key decodes a map's key. Integers may be text, as they are in JSON: the official JavaScript client writes the keys of objects as text, whatever they are.
func (u *unpacker) key(dst reflect.Value) error {
	h := readHead(u.b, u.i)
	if h.kind != kindStr || packTypeOf(dst.Type()).read != formKind {
		return u.value(dst)
	}
	text := string(u.b[h.start:h.end])
	switch {
	case dst.CanInt():
		bits := dst.Type().Bits()
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return notPackedInt(u.b, h, bits)
		}
		dst.SetInt(n)
	case dst.CanUint():
		bits := dst.Type().Bits()
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return notPackedUint(u.b, h, bits)
		}
		dst.SetUint(n)
	default:
		return u.value(dst)
	}
	u.i = h.end
	return nil
}

func (u *unpacker) structure(dst reflect.Value, t *packType, h packHead) error {
	switch h.kind {
	case kindMap:
		return u.members(dst, t, h)
	case kindArray:
	default:
		return packMismatch(u.b, h, "a map for "+dst.Type().String())
	}
	dst.SetZero()
	u.i = h.end
	for n := range h.count {
		if n >= len(t.fields) {
			u.skip()
			continue
		}
		if err := u.member(dst, &t.fields[n]); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) members(dst reflect.Value, t *packType, h packHead) error {
	dst.SetZero()
	u.i = h.end
	for range h.count {
		key := readHead(u.b, u.i)
		if key.kind != kindStr {
			u.skip()
			u.skip()
			continue
		}
		u.i = key.end
		n, known := t.byName[string(u.b[key.start:key.end])]
		if !known {
			u.skip()
			continue
		}
		if err := u.member(dst, &t.fields[n]); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) skip() { u.i = packEnd(u.b, u.i, 0) }

// member decodes a struct's member; nil is its zero value.
func (u *unpacker) member(dst reflect.Value, f *packField) error {
	for i, n := range f.index {
		if i > 0 && dst.Kind() == reflect.Pointer {
			if dst.IsNil() {
				dst.Set(reflect.New(dst.Type().Elem()))
			}
			dst = dst.Elem()
		}
		dst = dst.Field(n)
	}
	if h := readHead(u.b, u.i); h.kind == kindNil {
		switch packTypeOf(dst.Type()).read {
		case formLibrary, formJSON, formRawJSON: // they look at nil themselves
		default:
			dst.SetZero()
			u.i = h.end
			return nil
		}
	}
	if err := u.value(dst); err != nil {
		return fmt.Errorf("member %q: %w", f.name, err)
	}
	return nil
}
