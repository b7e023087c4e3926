package codec

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type complexArgument struct {
	Name  string
	Value int32
	When  time.Time
	Bytes []byte
	Color colour
	Inner *complexArgument
}

func ptr[T any](v T) *T { return &v }

func TestBind(t *testing.T) {
	t.Parallel()
	day := time.Date(2020, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	for _, c := range []struct {
		name  string
		value string
		want  any // the bound value; its type is that of the destination
	}{
		{"string", `"a\u00e9\n"`, "aé\n"}, {"empty string", `""`, ""}, {"null string", `null`, ""}, {"white space around", " \"a\"\r\n", "a"}, {"named string", `"n"`, kindName("n")},
		{"long string with an escape", `"` + strings.Repeat("a", 500) + `\n"`, strings.Repeat("a", 500) + "\n"},
		{"true", `true`, true}, {"false", `false`, false}, {"named bool", `true`, flag(true)},
		{"int", `-1`, -1}, {"int8", `-128`, int8(-128)}, {"int16", `32767`, int16(math.MaxInt16)}, {"int32", `2147483647`, int32(math.MaxInt32)}, {"int64", `-9223372036854775808`, int64(math.MinInt64)},
		{"uint", `1`, uint(1)}, {"uint8", `255`, uint8(255)}, {"uint16", `65535`, uint16(65535)}, {"uint32", `4294967295`, uint32(math.MaxUint32)}, {"uint64", `18446744073709551615`, uint64(math.MaxUint64)},
		{"minus zero", `-0`, 0}, {"named int", `1`, colour(1)}, {"named uint", `7`, mask(7)},
		{"float64", `1.5e2`, 150.0}, {"float64 of an integer", `42`, 42.0}, {"float64 that is very small", `1e-999`, 0.0}, {"float32", `0.1`, float32(0.1)}, {"named float", `0.5`, ratio(0.5)},
		{"bytes", `"AQID"`, []byte{1, 2, 3}}, {"bytes with escapes", `"\u0041QI\u0044"`, []byte{1, 2, 3}}, {"bytes with a solidus", `"\/\/8="`, []byte{0xff, 0xff}}, {"no bytes", `""`, []byte{}}, {"null bytes", `null`, []byte(nil)}, {"named bytes", `"AQID"`, blob{1, 2, 3}}, {"named bytes null", `null`, blob(nil)},
		{"time", `"2020-01-02T03:04:05.678Z"`, day}, {"time with zone", `"2020-01-02T04:04:05.678+01:00"`, day.In(time.FixedZone("", 3600))}, {"time without zone", `"2020-01-02T03:04:05.678"`, day}, {"time without seconds", `"2020-01-02T03:04"`, day.Truncate(time.Minute)},
		{"time without seconds, with zone", `"2020-01-02T03:04Z"`, day.Truncate(time.Minute)}, {"day", `"2020-01-02"`, day.Truncate(24 * time.Hour)}, {"the first of all", `"0001-01-01T00:00:00"`, time.Time{}},
		{"raw", ` {"a": 1e400} `, json.RawMessage(`{"a": 1e400}`)}, {"raw null", `null`, json.RawMessage(`null`)},
		{"pointer", `5`, ptr(int32(5))}, {"null pointer", `null`, (*int32)(nil)}, {"pointer to pointer", `"x"`, ptr(ptr("x"))}, {"pointer to time", `"2020-01-02T03:04"`, ptr(day.Truncate(time.Minute))},
		{"strings", `["a",null,"\n"]`, []string{"a", "", "\n"}}, {"no strings", `[]`, []string{}}, {"null slice", `null`, []string(nil)}, {"ints", `[ 1 , -2 ]`, []int{1, -2}}, {"slices of slices", `[[1],null,[]]`, [][]int{{1}, nil, {}}},
		{"times", `["2020-01-02"]`, []time.Time{day.Truncate(24 * time.Hour)}}, {"pointers", `[null,1]`, []*int{nil, ptr(1)}}, {"raws", `[1.0,null]`, []json.RawMessage{json.RawMessage(`1.0`), json.RawMessage(`null`)}},
		{"anys", `[1,null,"a"]`, []any{1.0, nil, "a"}}, {"structs", `[{"name":"x"}]`, []complexArgument{{Name: "x"}}}, {"slices of bytes", `["AQ==",null]`, [][]byte{{1}, nil}},
		{"array", `[1,2]`, [2]int{1, 2}}, {"map", `{"a":1,"a":2}`, map[string]int{"a": 2}}, {"null map", `null`, map[string]int(nil)},
		{"struct, names in any case", `{"NAME":"y","Value":8,"unknown":[1,{"a":2}],"bytes":null,"when":"2020-01-02T03:04:05.678Z","color":1,"inner":{"name":"z"}}`, complexArgument{Name: "y", Value: 8, When: day, Color: 1, Inner: &complexArgument{Name: "z"}}},
		{"empty struct", `{}`, complexArgument{}}, {"null for a pointer to a struct", `null`, (*complexArgument)(nil)}, {"pointer to a struct", `{"value":1}`, &complexArgument{Value: 1}},
		{"UnmarshalText", `"::1"`, netip.MustParseAddr("::1")}, {"UnmarshalJSON", `12345678901234567890123`, *bigOf("12345678901234567890123")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			value := []byte(c.value)
			dst := reflect.New(reflect.TypeOf(c.want))
			if err := JSON.Bind(value, dst.Interface()); err != nil {
				t.Fatalf("Bind(%.200s) into %T: %v", c.value, c.want, err)
			}
			for i := range value {
				value[i] = 'X' // the memory of arguments is used again
			}
			got := dst.Elem().Interface()
			if tm, ok := got.(time.Time); ok {
				if want := c.want.(time.Time); !tm.Equal(want) {
					t.Errorf("got %v, want %v", tm, want)
				}
				return
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("Bind(%.200s) = %#v, want %#v", c.value, got, c.want)
			}
		})
	}
}

type (
	kindName string
	flag     bool
	mask     uint16
	ratio    float32
	blob     []byte
)

func bigOf(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10)
	return n
}

func TestBindAny(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]any{
		`null`: nil, `true`: true, `false`: false, `1`: 1.0, `1e2`: 100.0, `"a\n"`: "a\n", `[]`: []any{}, `{}`: map[string]any{},
		` [ 1 , [ 2 , { "a" : null , "\u0041" : "<é😀>" } ] , [ ] , { } ] `: []any{1.0, []any{2.0, map[string]any{"a": nil, "A": "<é😀>"}}, []any{}, map[string]any{}},
		`{"b":1,"a":2,"b":3}`: map[string]any{"a": 2.0, "b": 3.0},
	} {
		var got any = "something else"
		if err := JSON.Bind([]byte(value), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Bind(%s) = %#v, %v; want %#v", value, got, err, want)
		}
		var list []any
		if err := JSON.Bind([]byte("["+value+"]"), &list); err != nil || !reflect.DeepEqual(list, []any{want}) {
			t.Errorf("Bind([%s]) = %#v, %v; want %#v", value, list, err, want)
		}
	}
}

func TestBindErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("7", 30_000)
	for _, c := range []struct {
		name  string
		value string
		dst   any
		want  string
	}{
		{"text for a number", `"1"`, new(int), "expected an integer of 64 bits, got a string"}, {"NaN as text", `"NaN"`, new(int32), "expected an integer of 32 bits, got a string"},
		{"null for a number", `null`, new(int), "expected an integer of 64 bits, got null"}, {"fraction", `1.5`, new(int), "expected an integer of 64 bits, got the number 1.5"},
		{"1.0 for an integer", `1.0`, new(int), "expected an integer of 64 bits, got the number 1.0"}, {"exponent", `1e2`, new(int64), "expected an integer of 64 bits, got the number 1e2"},
		{"out of range", `2147483648`, new(int32), "expected an integer of 32 bits, got the number 2147483648"}, {"below the range", `-129`, new(int8), "expected an integer of 8 bits, got the number -129"},
		{"negative for uint", `-1`, new(uint), "expected an integer of 64 bits without sign, got the number -1"}, {"uint8", `256`, new(uint8), "expected an integer of 8 bits without sign, got the number 256"},
		{"a long number", long, new(int), "expected an integer of 64 bits, got the number " + long[:32] + "…"}, {"named int", `true`, new(colour), "expected an integer of 64 bits, got true"},
		{"named uint", `65536`, new(mask), "expected an integer of 16 bits without sign, got the number 65536"},
		{"number for text", `5`, new(string), "expected a string, got the number 5"}, {"object for text", `{"a":1}`, new(string), "expected a string, got an object"}, {"array for text", `["a"]`, new(kindName), "expected a string, got an array"},
		{"half of a surrogate pair", `"\ud800"`, new(string), "expected a string, got half of a surrogate pair"},
		{"number for bool", `1`, new(bool), "expected true or false, got the number 1"}, {"null for bool", `null`, new(flag), "expected true or false, got null"},
		{"text for float", `"1"`, new(float64), "expected a number, got a string"}, {"null for float", `null`, new(float32), "expected a number, got null"}, {"float out of range", `1e400`, new(float64), "expected a floating-point number of 64 bits, got the number 1e400"},
		{"float32 out of range", `1e39`, new(float32), "expected a floating-point number of 32 bits, got the number 1e39"}, {"named float", `[]`, new(ratio), "expected a number, got an array"},
		{"bytes as an array", `[1,2]`, new([]byte), "expected base64 in a string, got an array"}, {"bad base64", `"A"`, new([]byte), "expected base64 in a string: illegal base64 data at input byte 0"},
		{"null for a time", `null`, new(time.Time), "expected a time of ISO 8601 in a string, got null"}, {"no time", `"soon"`, new(time.Time), `expected a time of ISO 8601 in a string, got "soon"`},
		{"long no time", `"` + long + `"`, new(time.Time), `expected a time of ISO 8601 in a string, got "` + long[:64] + `"`}, {"pointer to time", `5`, new(*time.Time), "expected a time of ISO 8601 in a string, got the number 5"},
		{"null for a struct", `null`, new(complexArgument), "expected a value for codec.complexArgument, got null"}, {"null for an array", `null`, new([2]int), "expected a value for [2]int, got null"},
		{"element", `[1,"2"]`, new([]int), "element 1: expected an integer of 64 bits, got a string"}, {"object for a slice", `{}`, new([]int), "expected an array, got an object"},
		{"half of a surrogate pair in a struct", `{"name":"\udc00"}`, new(complexArgument), "half of a surrogate pair in a string"},
		{"half of a surrogate pair in any", `[{"a":"\udc00x"}]`, new(any), `element 0: member "a": expected a string, got half of a surrogate pair`},
		{"half of a surrogate pair as a name in any", `{"\udc00":1}`, new(any), "name of a member: expected a string, got half of a surrogate pair"},
		{"number out of range in any", `[0,1e400]`, new(any), "element 1: expected a floating-point number of 64 bits, got the number 1e400"},
		{"no JSON", `{"a":`, new(any), "not one JSON value"}, {"nothing", ``, new(string), "not one JSON value"}, {"two values", `1 2`, new(int), "not one JSON value"}, {"too deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), new(any), "not one JSON value"},
		{"no pointer", `1`, 5, "Bind needs a non-nil pointer, not int"}, {"nil", `1`, nil, "Bind needs a non-nil pointer, not <nil>"}, {"nil pointer", `1`, (*colour)(nil), "Bind needs a non-nil pointer, not *codec.colour"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := JSON.Bind([]byte(c.value), c.dst); err == nil || err.Error() != c.want {
				t.Errorf("Bind(%.100s) into %T: %v; want %s", c.value, c.dst, err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		value string
		dst   any
	}{
		"a struct's member": {`{"value":"x"}`, new(complexArgument)}, "text for a struct": {`"x"`, new(complexArgument)}, "a long number in a struct": {`{"value":` + long + `}`, new(complexArgument)},
		"UnmarshalText": {`"` + long + `"`, new(netip.Addr)}, "UnmarshalJSON": {`"x"`, new(big.Int)}, "interface with methods": {`1`, new(error)}, "channel": {`1`, new(chan int)}, "func": {`1`, new(func())},
	} {
		if err := JSON.Bind([]byte(c.value), c.dst); err == nil || len(err.Error()) > maxErrorText+10 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNextValue(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		`[]`: nil, ` [ ] `: nil, `[1]`: {`1`}, ` [ "a,]" , {"b":[1,2]} ,null]`: {`"a,]"`, `{"b":[1,2]}`, `null`},
		// No argument lists, but nothing may break.
		``: nil, `x`: nil, `{}`: nil, `[`: nil, `[1`: {`1`}, `[1,`: {`1`}, `[1,]`: {`1`}, `[1 2]`: {`1`}, `,1,2`: {`1`, `2`}, `]`: nil,
	} {
		var got []string
		value, rest, ok := JSON.NextValue([]byte(args))
		for ; ok; value, rest, ok = JSON.NextValue(rest) {
			got = append(got, string(value))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("values of %q: %q, want %q", args, got, want)
		}
	}
}
