package codec

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// The walk over Go values is ours, not the msgpack library's: that one follows a value that contains itself until the stack is full, and cuts integers that do not fit.

// packReflected appends a value of any type that may hold depth more levels.
func packReflected(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	for hops := 0; ; hops++ {
		if !v.IsValid() {
			return append(dst, packNil), nil
		}
		if k := v.Kind(); (k == reflect.Pointer || k == reflect.Interface) && v.IsNil() {
			return append(dst, packNil), nil
		} else if k != reflect.Interface {
			t := packTypeOf(v.Type())
			if t.write != formKind {
				return packForms(dst, v, t.write, depth)
			}
			if p := reflect.PointerTo(v.Type()); k != reflect.Pointer && v.CanAddr() && writeForm(p) != formKind {
				return packForms(dst, v.Addr(), writeForm(p), depth)
			}
			if k != reflect.Pointer {
				return packByKind(dst, v, t, depth)
			}
		}
		if hops == maxDepth {
			return nil, errTooDeep // a pointer to itself
		}
		v = v.Elem()
	}
}

// packForms appends a value that is not written by its kind.
func packForms(dst []byte, v reflect.Value, form packForm, depth int) ([]byte, error) {
	switch form {
	case formTime:
		return appendTimestamp(dst, v.Interface().(time.Time)), nil
	case formRaw:
		return packRaw(dst, v.Interface().(Raw), depth)
	case formRawJSON:
		return packRawMessage(dst, v.Bytes(), depth)
	case formExt:
		x := v.Interface().(Ext)
		return appendExt(dst, x.Type, x.Data), nil
	case formNumber:
		return packNumber(dst, v.String(), depth)
	case formLibrary:
		return packByLibrary(dst, v.Interface(), depth)
	case formJSON:
		b, err := v.Interface().(json.Marshaler).MarshalJSON()
		if err != nil {
			return nil, &valueError{"MessagePackSerializationException", err}
		}
		return packRawMessage(dst, b, depth)
	}
	b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return nil, &valueError{"MessagePackSerializationException", err}
	}
	return MessagePack.AppendString(dst, string(b)), nil
}

// packNumber appends a json.Number; empty is 0, as for encoding/json.
func packNumber(dst []byte, s string, depth int) ([]byte, error) {
	if s == "" {
		s = "0"
	}
	if end := skipNumber([]byte(s), 0); end != len(s) {
		return nil, &valueError{"MessagePackSerializationException", errors.New("the json.Number is no number")}
	}
	return packRawMessage(dst, []byte(s), depth)
}

// packEncoder is an encoder of the library with its buffer.
type packEncoder struct {
	out     bytes.Buffer
	encoder *msgpack.Encoder
}

var packEncoders = sync.Pool{New: func() any {
	e := new(packEncoder)
	e.encoder = msgpack.NewEncoder(&e.out)
	return e
}}

// packByLibrary appends a value whose type has methods of the library. What they have written is checked like a client's bytes.
func packByLibrary(dst []byte, v any, depth int) ([]byte, error) {
	e := packEncoders.Get().(*packEncoder)
	defer e.release()
	e.encoder.ResetWriter(&e.out)
	e.encoder.UseCompactInts(true)
	e.encoder.SetCustomStructTag("json")
	if err := e.encoder.Encode(v); err != nil {
		return nil, &valueError{"MessagePackSerializationException", err}
	}
	value := e.out.Bytes()
	if end := packEnd(value, 0, maxDepth-depth); end != len(value) {
		return nil, &valueError{"MessagePackSerializationException", errors.New("a method of the value has not written one MessagePack value, or one that nests too deep")}
	}
	return append(dst, value...), nil
}

func (e *packEncoder) release() {
	if e.out.Cap() > maxKept {
		return
	}
	e.out.Reset()
	packEncoders.Put(e)
}

func packByKind(dst []byte, v reflect.Value, t *packType, depth int) (_ []byte, err error) {
	p := messagePack{}
	switch v.Kind() {
	case reflect.Bool:
		return p.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return p.AppendInt(dst, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return appendPackUint(dst, v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return appendPackFloat(dst, v.Float(), v.Type().Bits()), nil
	case reflect.String:
		return p.AppendString(dst, v.String()), nil
	case reflect.Slice:
		if v.IsNil() {
			return append(dst, packNil), nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 && packTypeOf(v.Type().Elem()).write == formKind {
			return appendBin(dst, v.Bytes()), nil
		}
		return packElements(dst, v, depth)
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && packTypeOf(v.Type().Elem()).write == formKind {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return appendBin(dst, b), nil
		}
		return packElements(dst, v, depth)
	case reflect.Map:
		if v.IsNil() {
			return append(dst, packNil), nil
		}
		return packEntries(dst, v, depth)
	case reflect.Struct:
		return packStruct(dst, v, t, depth)
	}
	return nil, packUnsupported(v.Type())
}

func packElements(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = appendArrayHead(dst, v.Len())
	for i := range v.Len() {
		if dst, err = packReflected(dst, v.Index(i), depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// packEntries appends a map, in the order of its encoded keys.
func packEntries(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if depth == 0 {
		return nil, errTooDeep
	}
	type entry struct {
		key   []byte
		value reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	var keys []byte
	for it := v.MapRange(); it.Next(); {
		start := len(keys)
		if keys, err = packReflected(keys, it.Key(), depth-1); err != nil {
			return nil, err
		}
		entries = append(entries, entry{keys[start:len(keys):len(keys)], it.Value()})
	}
	// Shorter names come first, as their heads are smaller.
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	dst = appendMapHead(dst, len(entries))
	for _, e := range entries {
		if dst, err = packReflected(append(dst, e.key...), e.value, depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func packStruct(dst []byte, v reflect.Value, t *packType, depth int) (_ []byte, err error) {
	if depth == 0 {
		return nil, errTooDeep
	}
	if t.asArray {
		dst = appendArrayHead(dst, len(t.fields))
		for i := range t.fields {
			f, _ := fieldOf(v, t.fields[i].index)
			if dst, err = packReflected(dst, f, depth-1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	}
	n := 0
	for i := range t.fields {
		if _, ok := t.fields[i].of(v); ok {
			n++
		}
	}
	dst = appendMapHead(dst, n)
	for i := range t.fields {
		f, ok := t.fields[i].of(v)
		if !ok {
			continue
		}
		dst = MessagePack.AppendString(dst, t.fields[i].name)
		if dst, err = packReflected(dst, f, depth-1); err != nil {
			return nil, errIn(t.fields[i].name, err)
		}
	}
	return dst, nil
}

// errIn says in which member an error is, but for values that contain themselves: there the way is long.
func errIn(name string, err error) error {
	if err == errTooDeep { //nolint:errorlint // this very one
		return err
	}
	return &valueError{"MessagePackSerializationException", errors.New("member " + strconv.Quote(name) + ": " + err.Error())}
}

// of is the field's value in a struct; ok is false when it is left out.
func (f *packField) of(v reflect.Value) (_ reflect.Value, ok bool) {
	if v, ok = fieldOf(v, f.index); !ok {
		return v, false
	}
	if f.omitZero && isZero(v) || f.omitEmpty && isEmpty(v) {
		return v, false
	}
	return v, true
}

// fieldOf follows an index; ok is false, and the value none, when there is a nil pointer on the way.
func fieldOf(v reflect.Value, index []int) (_ reflect.Value, ok bool) {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}

// isEmpty is what encoding/json calls empty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		return z.IsZero()
	}
	return v.IsZero()
}
