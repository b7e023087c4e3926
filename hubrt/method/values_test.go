package method

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/spokehub/spoke/codec"
)

func TestValues(t *testing.T) {
	t.Parallel()
	raw := func(text string) codec.Raw {
		r, err := codec.JSONRaw([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var tab table
	for name, fn := range map[string]any{
		"Direct":    func(a, b string) string { return a + b },
		"Reflected": func(a []int, b *point, c uint8) string { return fmt.Sprint(a, b, c) },
		"Raw":       func(a codec.Raw) codec.Raw { return a },
		"JSON":      func(a json.RawMessage) json.RawMessage { return a },
		"Bytes":     func(a []byte) []byte { return a },
		"Scalars":   func(a int64) int64 { return a },
		"Float":     func(a, b float64) float64 { return a + b },
		"Bool":      func(a bool) bool { return a },
		"Any":       func(a any) any { return a },
		"None":      func() {},
	} {
		if err := tab.Add(name, fn, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		method, args string
		values       []any
		set          []any
		want         string // the result, or the error of SetValues
	}{
		{"Direct", `["a","b"]`, []any{"a", "b"}, []any{"x", "y"}, "xy"},
		{"Direct", `["a","b"]`, []any{"a", "b"}, []any{"x", 5}, "argument 2 of method Direct is int: want string"},
		{"Direct", `["a","b"]`, []any{"a", "b"}, []any{nil, "y"}, "argument 1 of method Direct is nil: want string"},
		{"Direct", `["a","b"]`, []any{"a", "b"}, []any{"x"}, "method Direct takes 2 argument(s), not 1"},
		{"Direct", `["a","b"]`, []any{"a", "b"}, []any{"x", json.Number("5")}, "argument 2 of method Direct is json.Number: want string"},
		{"Reflected", `[[1],{"X":2,"Y":3},4]`, []any{[]int{1}, &point{2, 3}, uint8(4)}, []any{nil, nil, uint8(5)}, "[] <nil> 5"},
		{"Reflected", `[[1],null,4]`, []any{[]int{1}, (*point)(nil), uint8(4)}, []any{[]int{9}, (*point)(nil), 300}, "argument 3 of method Reflected is int: want uint8"},
		{"Raw", `[{"a":1}]`, []any{raw(`{"a":1}`)}, []any{raw(`[2]`)}, "[2]"},
		{"JSON", `[{"a":1}]`, []any{json.RawMessage(`{"a":1}`)}, []any{[]byte(`[2]`)}, "[2]"},
		{"Bytes", `["AQI="]`, []any{[]byte{1, 2}}, []any{[]byte("z")}, "z"},
		{"Scalars", `[7]`, []any{int64(7)}, []any{int64(8)}, "8"},
		{"Float", `[1,2]`, []any{1.0, 2.0}, []any{1.5, 2.0}, "3.5"},
		{"Bool", `[true]`, []any{true}, []any{false}, "false"},
		{"Any", `[null]`, []any{nil}, []any{nil}, "<nil>"},
		{"Any", `["x"]`, []any{"x"}, []any{5}, "5"},
		{"None", `[]`, []any{}, []any{}, "<nil>"},
	} {
		t.Run(tt.method, func(t *testing.T) {
			t.Parallel()
			m := tab.Lookup([]byte(tt.method))
			var a Args
			if err := m.Bind(codec.JSON, []byte(tt.args), len(tt.values), &a); err != nil {
				t.Fatal(err, a.Cause())
			}
			if got := m.Values(&a); !reflect.DeepEqual(got, tt.values) {
				t.Errorf("got %#v, want %#v", got, tt.values)
			}
			err := m.SetValues(&a, tt.set)
			if strings.Contains(tt.want, "method ") {
				if err == nil || err.Error() != tt.want {
					t.Errorf("got  %v\nwant %s", err, tt.want)
				}
				if got := m.Values(&a); !reflect.DeepEqual(got, tt.values) {
					t.Errorf("after an error the arguments are %#v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := m.Call(&hubContext{}, nil, &a)
			if err != nil {
				t.Fatal(err)
			}
			got := r.Any()
			if b, ok := got.([]byte); ok {
				got = string(b)
			} else if b, ok := got.(json.RawMessage); ok {
				got = string(b)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestResultOf(t *testing.T) {
	t.Parallel()
	type named string
	for _, v := range []any{nil, "x", 5, int8(-5), uint64(1 << 63), 1.5, float32(1.5), true, []int{1}, map[string]any{"a": nil}, named("n"), codec.Raw{}, json.RawMessage(`[1]`), (*point)(nil)} {
		r := ResultOf(v)
		got, err := r.Append(nil, codec.JSON)
		if want, _ := json.Marshal(v); err != nil || string(got) != string(want) {
			t.Errorf("%#v: %s, %v, want %s", v, got, err, want)
		}
		if !reflect.DeepEqual(r.Any(), v) {
			t.Errorf("%#v comes back as %#v", v, r.Any())
		}
	}
}
