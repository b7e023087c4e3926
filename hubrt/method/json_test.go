package method

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/spokehub/spoke/codec"
)

// complexValue is what the recorded exchanges send around (invoke-complex-in, invoke-complex-out).
type complexValue struct {
	Name  *string `json:"name"`
	Value int32   `json:"value"`
	Bytes []byte  `json:"bytes"`
}

// jsonCall decodes a whole invocation and gives back the completion's value.
func jsonCall(tb testing.TB, m *Method[*hubContext], args string, a *Args) (string, error) {
	tb.Helper()
	record := []byte(`{"arguments":` + args + `,"target":"M","type":1}`)
	var msg codec.Message
	if err := codec.JSON.Decode(record, &msg); err != nil {
		tb.Fatal(err)
	}
	if err := m.Bind(codec.JSON, msg.Args, msg.NArgs, a); err != nil {
		return "", err
	}
	clear(record) // what was bound must not show that the input's memory is used again
	res, err := m.Call(testHub, testCall, a)
	if err != nil {
		return "", err
	}
	out, err := res.Append(nil, codec.JSON)
	return string(out), err
}

// The arguments and results of the recorded exchanges invoke-*.jsonl.
func TestJSONCalls(t *testing.T) {
	t.Parallel()
	echo := func(s *string) *string { return s }
	echoText := func(s string) string { return s }
	echoAny := func(v json.RawMessage) (json.RawMessage, error) { return v, nil }
	echoRaw := func(v codec.Raw) (codec.Raw, error) { return v, nil }
	echoComplex := func(v *complexValue) *complexValue { return v }
	add := func(a, b int32) int32 { return a + b }
	const binding = "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	for _, tt := range []struct {
		name, args string
		fn         any
		want, err  string
	}{
		{"echo", `["hello"]`, echo, `"hello"`, ""},
		{"echo null", `[null]`, echo, `null`, ""},
		{"echo null into text", `[null]`, echoText, `""`, ""},
		{"echo escapes", `["a\"\\\n\u00e9\uD83D\uDE00"]`, echoText, `"a\"\\\né\uD83D\uDE00"`, ""},
		{"echo half a surrogate pair", `["\uD83D"]`, echoText, "", binding},
		{"echo a number", `[5]`, echo, "", binding},
		{"echo an object", `[{"a":1}]`, echoText, "", binding},
		{"any", `[ {"b":1,"a":2.0,"b":3} ]`, echoAny, `{"b":1,"a":2.0,"b":3}`, ""},
		{"any, long digits", `[12345678901234567890123]`, echoAny, `12345678901234567890123`, ""},
		{"any null", `[null]`, echoAny, `null`, ""},
		{"raw", `[ {"b":1,"a":2.0, "b":3} ]`, echoRaw, `{"b":1,"a":2.0, "b":3}`, ""},
		{"raw null", `[null]`, echoRaw, `null`, ""},
		{"any decoded", `[[1,"x",{"a":null}]]`, func(v any) any { return v }, `[1,"x",{"a":null}]`, ""},
		{"add", `[1, 2]`, add, "3", ""},
		{"add too few", `[1]`, add, "", "Invocation provides 1 argument(s) but target expects 2."},
		{"add too many", `[1,2,3]`, add, "", "Invocation provides 3 argument(s) but target expects 2."},
		{"add none", `[]`, add, "", "Invocation provides 0 argument(s) but target expects 2."},
		{"nothing", `[]`, func(*hubContext, context.Context) {}, "null", ""},
		{"nothing with one", `[1]`, func() {}, "", "Invocation provides 1 argument(s) but target expects 0."},
		{"add text", `["1",2]`, add, "", binding},
		{"add null", `[1,null]`, add, "", binding},
		{"add fraction", `[1.5,2]`, add, "", binding},
		{"add over 32 bits", `[2147483648,2]`, add, "", binding},
		{"int over 64 bits", `[9223372036854775808]`, func(n int) int { return n }, "", binding},
		{"bool from a number", `[1]`, func(b bool) bool { return b }, "", binding},
		{"float", `[1.5e3]`, func(f float64) float64 { return f }, "1500", ""},
		{"null into a struct", `[null]`, func(v complexValue) complexValue { return v }, "", binding},
		{"complex null", `[null]`, echoComplex, `null`, ""},
		{"complex", `[{"NAME":"y","Value":8,"unknown":[1,2],"bytes":null}]`, echoComplex, `{"name":"y","value":8,"bytes":null}`, ""},
		{"complex bytes", `[{"name":"x","value":7,"bytes":"AQID"}]`, echoComplex, `{"name":"x","value":7,"bytes":"AQID"}`, ""},
		{"complex empty", `[{}]`, echoComplex, `{"name":null,"value":0,"bytes":null}`, ""},
		{"complex from text", `["x"]`, echoComplex, "", binding},
		{"bytes", `["AQID"]`, func(b []byte) []byte { return b }, `"AQID"`, ""},
		{"time", `["2020-01-02T03:04:05.678Z"]`, func(v time.Time) time.Time { return v }, `"2020-01-02T03:04:05.678Z"`, ""},
		{"slices", `[["a","b"],[1,2]]`, func(a []string, b []int) []any { return []any{a[1], b[1]} }, `["b",2]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := register(t, tt.fn)
			var a Args
			for range 2 {
				got, err := jsonCall(t, m, tt.args, &a)
				if text(err) != tt.err || got != tt.want {
					t.Errorf("got %s, %v (%v); want %s, %s", got, err, a.Cause(), tt.want, tt.err)
				}
				var e *codec.Error
				if tt.err != "" && (!errors.As(err, &e) || e.Name != "InvalidDataException") {
					t.Errorf("error %#v", err)
				}
			}
		})
	}
}

func TestJSONResultFails(t *testing.T) {
	t.Parallel()
	type endless struct{ Self *endless }
	for name, fn := range map[string]any{
		"not a number": func() float64 { return math.NaN() },
		"endless":      func() any { e := &endless{}; e.Self = e; return e },
		"not JSON":     func() json.RawMessage { return json.RawMessage("{\x1e}") },
	} {
		var a Args
		if got, err := jsonCall(t, register(t, fn), "[]", &a); err == nil || got != "" {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
}

// Bind, Call and Append of one call.
func TestRealAllocations(t *testing.T) {
	for _, tt := range []struct {
		name string
		fn   any
		args []any
		want map[codec.Protocol]float64
	}{
		{"string to string: the string", func(_ *hubContext, s string) (string, error) { return s, nil }, []any{"hello"}, both(1)},
		{"two strings: the strings", func(_ *hubContext, user, text string) error { return nil }, []any{"ann", "hello"}, both(2)},
		{"raw to raw: the copy", func(_ *hubContext, r codec.Raw) (codec.Raw, error) { return r, nil }, []any{map[string]any{"a": []any{1, 2}}}, both(1)},
		{"name and raw: the copies", func(_ *hubContext, user string, r codec.Raw) codec.Raw { return r }, []any{"ann", []byte{1, 2}}, both(2)},
		{"JSON to JSON: the copy", func(_ *hubContext, r json.RawMessage) (json.RawMessage, error) { return r, nil }, []any{map[string]any{"a": []any{1, 2}}}, map[codec.Protocol]float64{codec.JSON: 1}},
		{"ints", func(a, b int) int { return a + b }, []any{1000, 2000}, both(0)},
		{"float", func(f float64) float64 { return f }, []any{1.5}, both(0)},
		{"bool", func(b bool) bool { return b }, []any{true}, both(0)},
		{"nothing", func(*hubContext) error { return nil }, nil, both(0)},
	} {
		for p, want := range tt.want {
			t.Run(p.Name()+"/"+tt.name, func(t *testing.T) {
				m := register(t, tt.fn)
				var a Args
				record, err := p.AppendInvocation(nil, "", "m", tt.args)
				if err != nil {
					t.Fatal(err)
				}
				rec, _, err := p.Next(record, 0)
				var msg codec.Message
				if err == nil {
					err = p.Decode(rec, &msg)
				}
				if err != nil {
					t.Fatal(err)
				}
				out := make([]byte, 0, 100)
				got := testing.AllocsPerRun(200, func() {
					if err := m.Bind(p, msg.Args, msg.NArgs, &a); err != nil {
						t.Fatal(err)
					}
					res, err := m.Call(testHub, testCall, &a)
					if err != nil {
						t.Fatal(err)
					}
					if _, err = res.Append(out, p); err != nil {
						t.Fatal(err)
					}
				})
				if got != want {
					t.Errorf("%v allocations, want %v", got, want)
				}
			})
		}
	}
}

// both is a number of allocations that holds for either protocol.
func both(n float64) map[codec.Protocol]float64 {
	return map[codec.Protocol]float64{codec.JSON: n, codec.MessagePack: n}
}

// FuzzJSONBind: whatever a client sends, binding it gives a value or an error of section 10, and used Args bind like new ones.
func FuzzJSONBind(f *testing.F) {
	methods := []*Method[*hubContext]{
		register(f, func(a, b, c string) any { return []string{a, b, c} }),
		register(f, func(n int, v any) any { return v }),
		register(f, func(v *complexValue, s []string, m map[string]float64) any { return []any{v, s, m} }),
		register(f, func(r json.RawMessage, b []byte, at time.Time) any { return []any{r, b, at} }),
		register(f, func(r codec.Raw) codec.Raw { return r }),
		register(f, func(f32 float32, n uint16, ok *bool) any { return []any{f32, n, ok} }),
	}
	for _, s := range []string{
		`["a","b","c"]`, `[1,{"a":[null,true,1e5]}]`, `[{"name":"x","value":1,"bytes":"AQID"},["a"],{"b":1.5}]`, `[{"a":1},"AQID","2020-01-02T03:04:05Z"]`,
		`[1.5,65535,null]`, `[null,null,null]`, `[]`, `[[[[]]]]`, `["\ud83d"]`, `[1e999,-0,01]`, `[,]`, `[1,]`, `[1 2]`,
	} {
		f.Add([]byte(s))
	}
	var used Args
	f.Fuzz(func(t *testing.T, args []byte) {
		record := append(append([]byte(`{"type":1,"arguments":`), args...), `,"target":"M"}`...)
		var msg codec.Message
		if codec.JSON.Decode(record, &msg) != nil || msg.ArgsErr != nil {
			return
		}
		for _, m := range methods {
			var fresh Args
			err, again := m.Bind(codec.JSON, msg.Args, msg.NArgs, &fresh), m.Bind(codec.JSON, msg.Args, msg.NArgs, &used)
			if text(err) != text(again) {
				t.Fatalf("new Args: %v, used Args: %v", err, again)
			}
			var e *codec.Error
			if err != nil {
				if !errors.As(err, &e) || e.Name != "InvalidDataException" {
					t.Fatalf("error %#v", err)
				}
				continue
			}
			want, err := m.Call(testHub, nil, &fresh)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Call(testHub, nil, &used)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Any(), want.Any()) {
				t.Fatalf("new Args: %v, used Args: %v", want.Any(), got.Any())
			}
		}
	})
}
