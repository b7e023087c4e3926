package codec

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

type colour int

type halfWritten struct{}

func (halfWritten) MarshalJSON() ([]byte, error) { return []byte(`"\ud800 \u00e9 \u0041"`), nil }

type deepWritten struct{}

func (deepWritten) MarshalJSON() ([]byte, error) {
	return []byte(strings.Repeat("[", 63) + strings.Repeat("]", 63)), nil
}

var errOwn = errors.New("own")

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errOwn }

type node struct {
	Next  *node `json:"next"`
	Other any   `json:"-"`
}

// loop writes itself when it can be addressed, and goes round in a circle otherwise.
type loop struct{ Self *loop }

func (l *loop) MarshalJSON() ([]byte, error) { return []byte(`"loop"`), nil }

type inner struct {
	More any
}

type outer struct {
	inner
	*node
	hidden any
}

func chain(n int) (first *node) {
	for range n {
		first = &node{Next: first}
	}
	return first
}

func nested(n int) (v any) {
	for v = []any{}; n > 1; n-- {
		v = []any{v}
	}
	return v
}

// lists puts v into n lists.
func lists(n int, v any) any {
	for range n {
		v = []any{v}
	}
	return v
}

func nestedMaps(n int) (v any) {
	for v = map[string]any{}; n > 1; n-- {
		v = map[string]any{"a": v}
	}
	return v
}

func TestAppendValue(t *testing.T) {
	t.Parallel()
	text := "<é>\u2028😀"
	type embedded struct{ X int }
	for _, c := range []struct {
		name string
		v    any
		want string
	}{
		{"nil", nil, `null`}, {"true", true, `true`}, {"false", false, `false`}, {"string", text, `"<é>\u2028\uD83D\uDE00"`},
		{"int", -1, `-1`}, {"int8", int8(-128), `-128`}, {"int16", int16(-2), `-2`}, {"int32", int32(math.MinInt32), `-2147483648`}, {"int64", int64(math.MinInt64), `-9223372036854775808`},
		{"uint", uint(1), `1`}, {"uint8", uint8(255), `255`}, {"uint16", uint16(2), `2`}, {"uint32", uint32(math.MaxUint32), `4294967295`}, {"uint64", uint64(math.MaxUint64), `18446744073709551615`},
		{"float64", 42.0, `42`}, {"float32", float32(0.1), `0.1`},
		{"bytes", []byte{1, 2, 3}, `"AQID"`}, {"no bytes", []byte{}, `""`}, {"nil bytes", []byte(nil), `null`},
		{"time", time.Date(2002, 4, 1, 10, 20, 15, 0, time.UTC), `"2002-04-01T10:20:15Z"`},
		{"time with zone and fraction", time.Date(2002, 4, 1, 10, 20, 15, 120, time.FixedZone("", 3600)), `"2002-04-01T10:20:15.00000012+01:00"`},
		{"raw", json.RawMessage(" {\"a\": [1.0,\"\\ud800\"]}\n"), `{"a": [1.0,"\ud800"]}`}, {"nil raw", json.RawMessage(nil), `null`},
		{"strings", []string{"a", "\x00"}, `["a","\u0000"]`}, {"nil strings", []string(nil), `null`}, {"no strings", []string{}, `[]`},
		{"list", []any{1, "a", nil, []any{}}, `[1,"a",null,[]]`}, {"nil list", []any(nil), `null`},
		{"map", map[string]any{"b": 1, "a": map[string]any{"é\n": nil}}, `{"a":{"é\n":null},"b":1}`}, {"nil map", map[string]any(nil), `null`},
		{"struct", struct {
			Name string `json:"name"`
			Skip int    `json:"-"`
			When *int   `json:"when,omitempty"`
			embedded
		}{Name: text}, `{"name":"<é>\u2028\uD83D\uDE00","X":0}`},
		{"pointer", &struct{ A *string }{&text}, `{"A":"<é>\u2028\uD83D\uDE00"}`}, {"nil pointer", (*int)(nil), `null`},
		{"named int", colour(1), `1`}, {"ints", []int{1, 2}, `[1,2]`}, {"map of ints", map[string]int{"a": 1}, `{"a":1}`},
		{"no HTML escapes, also in what encoding/json writes", map[string]string{"<&>": "\u007f\u00a0\ufeff\b\f\x0b"}, `{"<&>":"\u007F\u00A0\uFEFF\b\f\u000B"}`},
		{"bytes that are not UTF-8", struct{ A string }{"a\xffb"}, "{\"A\":\"a\ufffdb\"}"},
		{"MarshalJSON", big.NewInt(7), `7`}, {"half of a surrogate pair out of MarshalJSON", halfWritten{}, `"\uD800 é A"`},
		{"MarshalText", netip.MustParseAddr("::1"), `"::1"`},
		{"a linked list as deep as may be", chain(62), strings.Repeat(`{"next":`, 62) + "null" + strings.Repeat("}", 62)},
		{"lists as deep as may be", nested(62), strings.Repeat("[", 62) + strings.Repeat("]", 62)},
		{"maps as deep as may be", nestedMaps(62), strings.Repeat(`{"a":`, 61) + "{}" + strings.Repeat("}", 61)},
		{"a circle that is not written", func() any { n := &node{}; n.Other = n; return n }(), `{"next":null}`},
		{"a circle that writes itself", func() any { l := loop{}; l.Self = &l; return &struct{ L loop }{l} }(), `{"L":"loop"}`},
		{"embedded structs are no level", outer{inner{chain(61)}, &node{}, make(chan int)}, `{"More":` + strings.Repeat(`{"next":`, 61) + "null" + strings.Repeat("}", 61) + `,"next":null}`},
		{"containers of things that can be deep", map[string][]map[string]*node{"a": {{"b": nil, "c": chain(1)}}, "d": nil}, `{"a":[{"b":null,"c":{"next":null}}],"d":null}`},
		{"arrays of anything", [2]any{[]int{1}, map[string]colour{"a": 1}}, `[[1],{"a":1}]`},
		{"anything in named containers", []error{nil}, `[null]`},
		{"a large one", []struct{ A string }{{strings.Repeat("a", 100_000)}}, `[{"A":"` + strings.Repeat("a", 100_000) + `"}]`},
		{"raw as deep as may be", []any{json.RawMessage(strings.Repeat("[", 61) + strings.Repeat("]", 61))}, strings.Repeat("[", 62) + strings.Repeat("]", 62)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := JSON.AppendValue([]byte("x"), c.v)
			if err != nil || string(got) != "x"+c.want {
				t.Errorf("AppendValue = %s, %v; want x%s", got, err, c.want)
			}
		})
	}
}

func TestAppendValueErrors(t *testing.T) {
	t.Parallel()
	circle := &node{}
	circle.Next = &node{Next: circle}
	list := []any{nil}
	list[0] = list
	members := map[string]any{}
	members["a"] = members
	mixed := struct{ A any }{}
	mixed.A = []any{&mixed}
	type pointer *pointer
	var self pointer
	self = &self
	for _, c := range []struct {
		name string
		v    any
		kind string
	}{
		{"NaN", math.NaN(), "ArgumentException"}, {"infinity", math.Inf(1), "ArgumentException"}, {"-infinity", float32(math.Inf(-1)), "ArgumentException"},
		{"NaN inside", map[string]any{"a": []float64{math.NaN()}}, "ArgumentException"},
		{"a circle of structs", circle, "JsonException"}, {"a circle of lists", list, "JsonException"}, {"a circle of maps", members, "JsonException"},
		{"a mixed circle", &mixed, "JsonException"}, {"a pointer to itself", self, "JsonException"},
		{"a linked list", chain(63), "JsonException"}, {"a linked list too deep for any stack", chain(3_000_000), "JsonException"},
		{"lists", nested(63), "JsonException"}, {"maps", nestedMaps(63), "JsonException"}, {"lists around a struct", []any{chain(62)}, "JsonException"},
		{"maps of structs", map[string]any{"a": map[string]*node{"b": chain(61)}}, "JsonException"}, {"arrays", [1]any{nested(62)}, "JsonException"}, {"embedded", outer{inner{chain(62)}, nil, nil}, "JsonException"},
		{"strings too deep", lists(62, []string{"a"}), "JsonException"}, {"ints too deep", lists(62, []int{1}), "JsonException"}, {"empty array too deep", lists(62, [0]any{}), "JsonException"}, {"empty map too deep", lists(62, map[string]error{}), "JsonException"}, {"empty struct too deep", lists(62, node{}), "JsonException"},
		{"raw", []any{json.RawMessage(strings.Repeat("[", 62) + strings.Repeat("]", 62))}, "JsonException"},
		{"raw that is not JSON", json.RawMessage(`{"a":}`), "JsonException"}, {"raw that is two", json.RawMessage(`1 2`), "JsonException"}, {"empty raw", json.RawMessage{}, "JsonException"},
		{"raw with a separator", json.RawMessage("1\x1e2"), "JsonException"}, {"raw that is not UTF-8", json.RawMessage("\"\xff\""), "JsonException"},
		{"raw in a struct that is not UTF-8", struct{ A json.RawMessage }{json.RawMessage("\"\xff\"")}, "JsonException"},
		{"MarshalJSON too deep", deepWritten{}, "JsonException"}, {"MarshalJSON fails", []any{failing{}}, "JsonException"},
		{"channel", make(chan int), "JsonException"}, {"function", struct{ F func() }{}, "JsonException"}, {"complex", 1i, "JsonException"},
		{"time after 9999", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "JsonException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dst := append(make([]byte, 0, 256), "before"...)
			for form, f := range map[string]func() ([]byte, error){
				"AppendValue":            func() ([]byte, error) { return JSON.AppendValue(dst, c.v) },
				"AppendInvocation":       func() ([]byte, error) { return JSON.AppendInvocation(dst, "1", "T", []any{1, c.v}) },
				"AppendStreamInvocation": func() ([]byte, error) { return JSON.AppendStreamInvocation(dst, "1", "T", []any{c.v}, nil) },
				"AppendStreamItem":       func() ([]byte, error) { return JSON.AppendStreamItem(dst, "1", c.v) },
				"AppendResult":           func() ([]byte, error) { return JSON.AppendResult(dst, "1", c.v) },
			} {
				got, err := f()
				if err == nil || string(got) != "before" {
					t.Fatalf("%s = %.100q, %v; want an error, and dst as it was", form, got, err)
				}
				var named interface{ ErrorName() string }
				if !errors.As(err, &named) || named.ErrorName() != c.kind {
					t.Errorf("%s: %#v is not named %s", form, err, c.kind)
				}
			}
		})
	}
	if _, err := JSON.AppendValue(nil, failing{}); !errors.Is(err, errOwn) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestAppendFloat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f    float64
		bits int
		want string
	}{
		{0, 64, "0"}, {math.Copysign(0, -1), 64, "-0"}, {42, 64, "42"}, {-1.5, 64, "-1.5"}, {0.1, 64, "0.1"}, {1e14, 64, "100000000000000"}, {1e15, 64, "1E+15"}, {1e16, 64, "1E+16"},
		{123456789012345680, 64, "1.2345678901234568E+17"}, {1e-4, 64, "0.0001"}, {1e-5, 64, "1E-05"}, {1e100, 64, "1E+100"}, {math.MaxFloat64, 64, "1.7976931348623157E+308"}, {5e-324, 64, "5E-324"},
		{float64(float32(0.1)), 32, "0.1"}, {16777216, 32, "1.6777216E+07"}, {9999999, 32, "9999999"}, {math.MaxFloat32, 32, "3.4028235E+38"},
	} {
		got, err := JSON.AppendFloat(nil, c.f, c.bits)
		back, parseErr := strconv.ParseFloat(string(got), c.bits)
		if err != nil || string(got) != c.want || parseErr != nil || back != c.f || !json.Valid(got) {
			t.Errorf("AppendFloat(%v, %d) = %s, %v; want %s", c.f, c.bits, got, err, c.want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got, err := JSON.AppendFloat([]byte("x"), f, 64); err == nil || string(got) != "x" {
			t.Errorf("AppendFloat(%v) = %q, %v", f, got, err)
		}
	}
}

func TestAppendScalars(t *testing.T) {
	t.Parallel()
	b := JSON.AppendInt(nil, math.MinInt64)
	b = JSON.AppendUint(append(b, ' '), math.MaxUint64)
	b = JSON.AppendBool(append(b, ' '), true)
	b = JSON.AppendNil(append(b, ' '))
	b = JSON.AppendRaw(append(b, ' '), []byte("[1]"))
	if want := "-9223372036854775808 18446744073709551615 true null [1]"; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	if JSON.Name() != "json" || JSON.Binary() {
		t.Errorf("name %q, binary %t", JSON.Name(), JSON.Binary())
	}
}
