package method

import (
	"encoding/json"
	"math"
	"reflect"

	"github.com/spokehub/spoke/codec"
)

// Result is what a method returned; scalars cost no allocation. The zero value is the result of a method without one.
type Result struct {
	kind reflect.Kind // of a predeclared type, held in num or str; Struct: raw; Slice: json; Interface: any; Invalid: no result
	num  uint64       // the integer, bool, or the bits of a float64
	str  string
	raw  codec.Raw
	json json.RawMessage
	any  any
}

// Append appends the result as one value: null for none, and what the protocol makes of nil pointers, slices and maps. After an error, a panic of the
// result's own encoding method included (PanicError), dst is returned as it was. Strings, numbers, bools and a codec.Raw cost no allocation; a json.RawMessage costs one of 24 bytes unless the protocol is a codec.RawAppender.
func (r *Result) Append(dst []byte, p codec.Protocol) ([]byte, error) {
	switch r.kind {
	case reflect.Invalid:
		return p.AppendNil(dst), nil
	case reflect.String:
		return p.AppendString(dst, r.str), nil
	case reflect.Bool:
		return p.AppendBool(dst, r.num != 0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return p.AppendInt(dst, int64(r.num)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return p.AppendUint(dst, r.num), nil
	case reflect.Float32:
		return p.AppendFloat(dst, math.Float64frombits(r.num), 32)
	case reflect.Float64:
		return p.AppendFloat(dst, math.Float64frombits(r.num), 64)
	case reflect.Struct:
		return r.raw.Append(dst, p)
	case reflect.Slice:
		if q, ok := p.(codec.RawAppender); ok {
			return q.AppendJSON(dst, r.json)
		}
		return p.AppendValue(dst, r.json)
	}
	return appendAny(dst, p, r.any)
}

// appendAny appends a value whose type may have an encoding method of its own.
func appendAny(dst []byte, p codec.Protocol, v any) (out []byte, err error) {
	out = dst //nolint:wastedassign // what is returned after a panic
	defer catch(&err)
	b, err := p.AppendValue(dst, v)
	if err != nil {
		return dst, err
	}
	return b, nil
}

// Any is the result as the Go value it was; nil for none.
func (r *Result) Any() any {
	switch r.kind {
	case reflect.Invalid:
		return nil
	case reflect.String:
		return r.str
	case reflect.Bool:
		return r.num != 0
	case reflect.Int:
		return int(r.num)
	case reflect.Int8:
		return int8(r.num)
	case reflect.Int16:
		return int16(r.num)
	case reflect.Int32:
		return int32(r.num)
	case reflect.Int64:
		return int64(r.num)
	case reflect.Uint:
		return uint(r.num)
	case reflect.Uint8:
		return uint8(r.num)
	case reflect.Uint16:
		return uint16(r.num)
	case reflect.Uint32:
		return uint32(r.num)
	case reflect.Uint64:
		return r.num
	case reflect.Float32:
		return float32(math.Float64frombits(r.num))
	case reflect.Float64:
		return math.Float64frombits(r.num)
	case reflect.Struct:
		return r.raw
	case reflect.Slice:
		return r.json
	}
	return r.any
}

func ofString(s string) Result          { return Result{kind: reflect.String, str: s} }
func ofInt(n int) Result                { return Result{kind: reflect.Int, num: uint64(n)} }
func ofInt64(n int64) Result            { return Result{kind: reflect.Int64, num: uint64(n)} }
func ofFloat(f float64) Result          { return Result{kind: reflect.Float64, num: math.Float64bits(f)} }
func ofRaw(raw codec.Raw) Result        { return Result{kind: reflect.Struct, raw: raw} }
func ofJSON(raw json.RawMessage) Result { return Result{kind: reflect.Slice, json: raw} }
func ofBytes(b []byte) Result           { return Result{kind: reflect.Interface, any: b} }
func ofAny(v any) Result                { return Result{kind: reflect.Interface, any: v} }

func ofBool(b bool) Result {
	r := Result{kind: reflect.Bool}
	if b {
		r.num = 1
	}
	return r
}

// ofValue unboxes predeclared types only: a named type may encode itself.
func ofValue(v reflect.Value) Result {
	t := v.Type()
	switch t {
	case reflect.TypeFor[codec.Raw]():
		return ofRaw(v.Interface().(codec.Raw))
	case reflect.TypeFor[json.RawMessage]():
		return ofJSON(v.Bytes())
	}
	if t.PkgPath() == "" && t.Name() != "" {
		switch {
		case t.Kind() == reflect.String:
			return ofString(v.String())
		case t.Kind() == reflect.Bool:
			return ofBool(v.Bool())
		case v.CanInt():
			return Result{kind: t.Kind(), num: uint64(v.Int())}
		case v.CanUint():
			return Result{kind: t.Kind(), num: v.Uint()}
		case v.CanFloat():
			return Result{kind: t.Kind(), num: math.Float64bits(v.Float())}
		}
	}
	return ofAny(v.Interface())
}
