package method

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/spokehub/spoke/codec"
)

type room string

func (r room) MarshalText() ([]byte, error) { return []byte("room-" + string(r)), nil }

type callKey struct{}

var testCall = context.WithValue(context.Background(), callKey{}, "call")

var errMethod = errors.New("no luck")

// register makes the only method of a table.
func register(tb testing.TB, fn any) *Method[*hubContext] {
	tb.Helper()
	var tab table
	if err := tab.Add("M", fn, Options{}); err != nil {
		tb.Fatal(err)
	}
	return tab.Lookup([]byte("m"))
}

// isDirect says whether m's arguments are bound for a direct plan; without arguments there is nothing to tell it by, and it says yes.
func isDirect(m *Method[*hubContext]) bool {
	for _, p := range m.params {
		if p.kind == inCell {
			return false
		}
	}
	return true
}

// invokeFake calls m with arguments separated by '|' and gives back the encoded result.
func invokeFake(tb testing.TB, m *Method[*hubContext], args string, a *Args) (string, error) {
	tb.Helper()
	var raw []byte
	n := 0
	if args != "" {
		raw = []byte(args)
		n = strings.Count(args, "|") + 1
	}
	if err := m.Bind(fake{}, raw, n, a); err != nil {
		tb.Fatalf("%v: %v", err, a.Cause())
	}
	for i := range raw {
		raw[i] = '!' // the input's memory is used again: what was bound must not show it
	}
	res, err := m.Call(testHub, testCall, a)
	if err != nil {
		return "", err
	}
	out, err := res.Append([]byte("> "), fake{})
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimPrefix(string(out), "> "), nil
}

func TestCall(t *testing.T) {
	t.Parallel()
	one, half := 1, 0.5
	for _, tt := range []struct {
		name   string
		fn     any
		args   string
		direct bool
		want   string
	}{
		{"nothing", func() {}, "", true, "nil"},
		{"hub", func(h *hubContext) string { return h.id }, "", true, "string:c1"},
		{"error nil", func(*hubContext) error { return nil }, "", true, "nil"},
		{"one string", func(h *hubContext, s string) (string, error) { return h.id + s, nil }, "x", true, "string:c1x"},
		{"string only", func(s string) string { return s }, "x", true, "string:x"},
		{"strings", func(_ *hubContext, a, b string) string { return a + b }, "x|y", true, "string:xy"},
		{"three strings", func(a, b, c string) (string, error) { return a + b + c, nil }, "x|y|z", true, "string:xyz"},
		{"ints", func(a, b int) int { return a - b }, "1|3", true, "int:-2"},
		{"int64", func(n int64) (int64, error) { return -n, nil }, "9223372036854775807", true, "int:-9223372036854775807"},
		{"float", func(f float64) float64 { return f / 2 }, "1", true, "float64:0.5"},
		{"bools", func(b bool) bool { return !b }, "false", true, "bool:true"},
		{"any", func(v any) any { return v }, "x", true, `value:"x"`},
		{"any nil", func(string) (any, error) { return nil, nil }, "x", true, "value:null"},
		{"raw", func(r codec.Raw) (codec.Raw, error) { return r, nil }, `{"a":1}`, true, `value:{"a":1}`},
		{"raw null", func() codec.Raw { return codec.Raw{} }, "", true, "value:null"},
		{"raw among strings", func(_ *hubContext, a, b string, r codec.Raw) codec.Raw { return r }, "a|b|[1]", true, "value:[1]"},
		{"raw by reflection", func(n int8, r codec.Raw) codec.Raw { return r }, "1|[1]", false, "value:[1]"},
		{"JSON", func(r json.RawMessage) (json.RawMessage, error) { return r, nil }, `{"a":1}`, true, `value:{"a":1}`},
		{"JSON nil", func() json.RawMessage { return nil }, "", true, "value:null"},
		{"bytes", func(b []byte) []byte { return b }, "abc", true, `value:"YWJj"`},
		{"named function", namedFunc(func(h *hubContext, s string) error { return nil }), "x", true, "nil"},
		{"mixed", func(_ *hubContext, s string, a, b int) int { return len(s) + a*b }, "abc|2|3", true, "int:9"},

		{"call", func(c context.Context) (string, error) { return c.Value(callKey{}).(string), nil }, "", true, "string:call"},
		{"hub and call", func(h *hubContext, c context.Context, s string) string { return h.id + c.Value(callKey{}).(string) + s }, "x", false, "string:c1callx"},
		{"int8", func(n int8) int8 { return n }, "-128", false, "int:-128"},
		{"int16", func(n int16) int16 { return n }, "7", false, "int:7"},
		{"int32", func(a, b int32) int32 { return a + b }, "1|2", false, "int:3"},
		{"uint", func(n uint) uint { return n }, "7", false, "uint:7"},
		{"uint8", func(n uint8) uint8 { return n }, "255", false, "uint:255"},
		{"uint16", func(n uint16) uint16 { return n }, "7", false, "uint:7"},
		{"uint32", func(n uint32) uint32 { return n }, "7", false, "uint:7"},
		{"uint64", func(n uint64) (uint64, error) { return n, nil }, "18446744073709551615", false, "uint:18446744073709551615"},
		{"float32", func(f float32) float32 { return f }, "0.1", false, "float32:0.1"},
		{"string by reflection", func(n int8, s string) string { return s }, "1|x", false, "string:x"},
		{"bool by reflection", func(n int8) (bool, error) { return n == 1, nil }, "1", false, "bool:true"},
		{"nothing by reflection", func(n int8) {}, "1", false, "nil"},
		{"error nil by reflection", func(n int8) error { return nil }, "1", false, "nil"},
		{"JSON by reflection", func(n int8) json.RawMessage { return json.RawMessage("[1]") }, "1", false, "value:[1]"},
		{"struct", func(p point) point { return point{p.Y, p.X} }, `{"X":1,"Y":2}`, false, `value:{"X":2,"Y":1}`},
		{"pointer", func(p *point) *point { p.X++; return p }, `{"X":1,"Y":2}`, false, `value:{"X":2,"Y":2}`},
		{"nil pointer", func(p *point) *point { return p }, "null", false, "value:null"},
		{"nil slice and map", func(s []int) map[string]int { return nil }, "null", false, "value:null"},
		{"slice", func(s []int) []int { return s[1:] }, "[1]", false, "value:[]"},
		{"named type", func(r room) room { return r + "!" }, `"x"`, false, `value:"room-x!"`},
		{"interface result", func(n int8) fmt.Stringer { return nil }, "1", false, "value:null"},
		{"four strings", func(a, b, c, d string) string { return a + d }, "a|b|c|d", false, "string:ad"},
		{"pointer result", func() *int { return &one }, "", true, "value:1"},
		{"pointer result of two", func() (*float64, error) { return &half, nil }, "", true, "value:0.5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := register(t, tt.fn)
			if isDirect(m) != tt.direct {
				t.Errorf("direct plan: %v, want %v", isDirect(m), tt.direct)
			}
			var a Args
			for range 2 { // the second time with used memory
				got, err := invokeFake(t, m, tt.args, &a)
				if err != nil || got != tt.want {
					t.Errorf("got %s, %v; want %s", got, err, tt.want)
				}
			}
		})
	}
}

func TestMethodCallsOfValues(t *testing.T) {
	t.Parallel()
	c := &chat{}
	var tab table
	if err := tab.AddValue(c, nil, "OnConnected"); err != nil {
		t.Fatal(err)
	}
	if err := tab.Add("Echo", byValue{"> "}.Echo, Options{}); err != nil {
		t.Fatal(err)
	}
	var a Args
	for _, tt := range []struct{ name, args, want string }{
		{"send", "ann|hello", "nil"},
		{"last", "", "string:c1 ann: hello"},
		{"promoted", "", "string:promoted"},
		{"where", `{"X":1,"Y":2}`, `value:{"X":2,"Y":1}`},
		{"echo", "x", "string:> x"},
	} {
		if got, err := invokeFake(t, tab.Lookup([]byte(tt.name)), tt.args, &a); err != nil || got != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	if isDirect(tab.Lookup([]byte("where"))) {
		t.Error("where has a direct plan; this test needs one method without")
	}
}

func TestMethodsOfNonPointers(t *testing.T) {
	t.Parallel()
	var a Args
	for name, v := range map[string]any{"value": byValue{"> "}, "pointer": &byValue{"> "}} {
		var tab table
		if err := tab.AddValue(v, nil); err != nil {
			t.Fatal(err)
		}
		m := tab.Lookup([]byte("echo"))
		if got, err := invokeFake(t, m, "x", &a); err != nil || got != "string:> x" {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
		if !isDirect(m) {
			t.Errorf("%s: no direct plan", name)
		}
	}
}

func TestCallErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fn   any
		args string
		want error
	}{
		"direct":              {func() error { return errMethod }, "", errMethod},
		"direct value":        {func(s string) (string, error) { return s, errMethod }, "x", errMethod},
		"reflected":           {func(int8) error { return errMethod }, "1", errMethod},
		"reflected value":     {func(n int8) (int8, error) { return n, errMethod }, "1", errMethod},
		"typed nil":           {func() error { return (*failure)(nil) }, "", (*failure)(nil)},
		"typed nil reflected": {func(int8) error { return (*failure)(nil) }, "1", (*failure)(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a Args
			m := register(t, tt.fn)
			if err := m.Bind(fake{}, []byte(tt.args), len(tt.args), &a); err != nil {
				t.Fatal(err)
			}
			res, err := m.Call(testHub, testCall, &a)
			if err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if res.Any() != nil {
				t.Errorf("a result beside the error: %v", res.Any())
			}
		})
	}
}

func TestPanicPassesThrough(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"direct":    func(string) { panic(errMethod) },
		"reflected": func(*string) { panic(errMethod) },
	} {
		m := register(t, fn)
		var a Args
		for range 2 {
			func() {
				defer func() {
					if v := recover(); v != errMethod {
						t.Errorf("%s: recovered %v", name, v)
					}
				}()
				_, _ = invokeFake(t, m, `"x"`, &a)
				t.Errorf("%s: returned", name)
			}()
		}
	}
}

func TestCallNeedsBind(t *testing.T) {
	t.Parallel()
	m, other := register(t, func(string) {}), register(t, func(string) {})
	var failed, foreign, fresh, reset Args
	if m.Bind(fake{}, []byte("#"), 1, &failed) == nil {
		t.Fatal("bound a wrong value")
	}
	for _, a := range []*Args{&foreign, &reset} {
		if err := other.Bind(fake{}, []byte("x"), 1, a); err != nil {
			t.Fatal(err)
		}
	}
	reset.Reset()
	for name, a := range map[string]*Args{"failed": &failed, "foreign": &foreign, "fresh": &fresh, "reset": &reset} {
		func() {
			defer func() {
				if v := recover(); v != "method: Call of M without its arguments: Bind was not called for it, or failed" {
					t.Errorf("%s: recovered %v", name, v)
				}
			}()
			_, _ = m.Call(testHub, testCall, a)
		}()
	}
}

func TestResultAny(t *testing.T) {
	t.Parallel()
	p := &point{1, 2}
	raw, err := codec.JSONRaw([]byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []any{
		nil, "text", true, false, int(-1), int8(-1), int16(-1), int32(-1), int64(math.MinInt64),
		uint(1), uint8(255), uint16(1), uint32(1), uint64(math.MaxUint64), float32(0.1), 0.1,
		raw, codec.Raw{}, json.RawMessage("1"), []byte("x"), []string{"x"}, room("x"), point{1, 2}, p,
	} {
		fn := reflect.MakeFunc(reflect.FuncOf(nil, []reflect.Type{reflect.TypeFor[any]()}, false), func([]reflect.Value) []reflect.Value {
			return []reflect.Value{reflect.ValueOf(&want).Elem()}
		})
		check := func(form string, r Result) {
			if got := r.Any(); !reflect.DeepEqual(got, want) || reflect.TypeOf(got) != reflect.TypeOf(want) {
				t.Errorf("%s of %T(%v): got %T(%v)", form, want, want, got, got)
			}
		}
		if want != nil {
			check("ofValue", ofValue(reflect.ValueOf(want)))
		}
		m := register(t, fn.Interface())
		var a Args
		if err := m.Bind(fake{}, nil, 0, &a); err != nil {
			t.Fatal(err)
		}
		r, err := m.Call(testHub, nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		check("Call", r)
	}
	if r := new(Result); r.Any() != nil {
		t.Errorf("zero Result: %v", r.Any())
	}
}

func TestAppendFails(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Result{
		"float":             ofFloat(math.NaN()),
		"value":             ofAny(math.Inf(1)),
		"JSON that is none": ofJSON(json.RawMessage("{")),
	} {
		dst := []byte("kept")
		if out, err := r.Append(dst, fake{}); err == nil || string(out) != "kept" {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
}

func TestBindErrors(t *testing.T) {
	t.Parallel()
	const binding = "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	for _, tt := range []struct {
		name  string
		fn    any
		args  string
		n     int
		want  string
		cause string
	}{
		{"too few", func(a, b int) {}, "1", 1, "Invocation provides 1 argument(s) but target expects 2.", ""},
		{"too many", func(a, b int) {}, "1|2|3", 3, "Invocation provides 3 argument(s) but target expects 2.", ""},
		{"none", func(*hubContext, string) {}, "", 0, "Invocation provides 0 argument(s) but target expects 1.", ""},
		{"some for none", func(*hubContext, context.Context) {}, "1", 1, "Invocation provides 1 argument(s) but target expects 0.", ""},
		{"wrong kind", func(a, b int) {}, "1|x", 2, binding, `argument 2: int: strconv.Atoi: parsing "x": invalid syntax`},
		{"wrong kind in a cell", func(p point) {}, `"x"`, 1, binding, "argument 1: method.point: json: cannot unmarshal string into Go value of type method.point"},
		{"announced but absent", func(a, b string) {}, "1", 2, binding, "argument 2: the arguments end before it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var a Args
			err := register(t, tt.fn).Bind(fake{}, []byte(tt.args), tt.n, &a)
			var e *codec.Error
			if !errors.As(err, &e) || e.Name != "InvalidDataException" || e.Text != tt.want {
				t.Errorf("got %#v, want %s", err, tt.want)
			}
			if got := text(a.Cause()); got != tt.cause {
				t.Errorf("cause %s, want %s", got, tt.cause)
			}
			a.Reset()
			if a.Cause() != nil {
				t.Error("a cause after Reset")
			}
		})
	}
}

// What a method keeps of a call must stay as it was when the same Args serve other calls.
func TestArgsShareNothing(t *testing.T) {
	t.Parallel()
	type keep struct {
		Names []string
		Count map[string]int
		Next  *keep
	}
	var kept []any
	methods := []*Method[*hubContext]{
		register(t, func(b []byte) { kept = append(kept, b) }),
		register(t, func(r json.RawMessage) { kept = append(kept, []byte(r)) }),
		register(t, func(k keep) { kept = append(kept, k) }),
		register(t, func(k *keep) { kept = append(kept, *k) }),
		register(t, func(m map[string]any) { kept = append(kept, m) }),
		register(t, func(s []string) { kept = append(kept, s) }),
	}
	inputs := []string{
		`first`, `"first"`, `{"Names":["a","b"],"Count":{"a":1},"Next":{"Names":["c"]}}`, `{"Names":["a","b"],"Count":{"a":1}}`, `{"a":1}`, `["a","b"]`,
		`other`, `"other"`, `{"Names":["x","y"],"Count":{"x":2},"Next":{"Names":["z"]}}`, `{"Names":["x","y"],"Count":{"x":2}}`, `{"b":2}`, `["x","y"]`,
	}
	want := []any{
		[]byte(`first`), []byte(`"first"`), keep{[]string{"a", "b"}, map[string]int{"a": 1}, &keep{Names: []string{"c"}}},
		keep{Names: []string{"a", "b"}, Count: map[string]int{"a": 1}}, map[string]any{"a": 1.0}, []string{"a", "b"},
		[]byte(`other`), []byte(`"other"`), keep{[]string{"x", "y"}, map[string]int{"x": 2}, &keep{Names: []string{"z"}}},
		keep{Names: []string{"x", "y"}, Count: map[string]int{"x": 2}}, map[string]any{"b": 2.0}, []string{"x", "y"},
	}
	args := make([]Args, len(methods)) // one for each, so that every cell is used twice
	for i, in := range inputs {
		if _, err := invokeFake(t, methods[i%len(methods)], in, &args[i%len(methods)]); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(kept, want) {
		t.Errorf("got  %v\nwant %v", kept, want)
	}
}

// One Args serves methods of all kinds in any order.
func TestArgsServeAnyMethod(t *testing.T) {
	t.Parallel()
	var a Args
	str, pt, num := register(t, func(a, b, c string) string { return a + b + c }), register(t, func(p point) int { return p.X }), register(t, func(n int32) int32 { return n })
	for range 3 {
		for _, tt := range []struct {
			m          *Method[*hubContext]
			args, want string
		}{{str, "a|b|c", "string:abc"}, {pt, `{"X":1}`, "int:1"}, {pt, `{"Y":1}`, "int:0"}, {num, "5", "int:5"}} {
			if got, err := invokeFake(t, tt.m, tt.args, &a); err != nil || got != tt.want {
				t.Errorf("%s: got %s, %v", tt.args, got, err)
			}
		}
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	var tab table
	if err := tab.AddValue(&chat{}, nil, "OnConnected"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var a Args
			want := fmt.Sprintf(`value:{"X":2,"Y":%d}`, i)
			for range 200 {
				if got, err := invokeFake(t, tab.Lookup([]byte("WHERE")), fmt.Sprintf(`{"X":%d,"Y":2}`, i), &a); err != nil || got != want {
					t.Errorf("got %s, %v; want %s", got, err, want)
				}
				if _, err := invokeFake(t, tab.Lookup([]byte("send")), "ann|hello", &a); err != nil {
					t.Error(err)
				}
				if len(tab.All()) != 4 {
					t.Error("methods are missing")
				}
			}
		})
	}
	wg.Wait()
}

func TestCallAllocations(t *testing.T) {
	var tab table
	if err := tab.AddValue(&tally{}, nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		m    *Method[*hubContext]
		args string
		n    int
		want float64
	}{
		{"string to string: the string", register(t, func(_ *hubContext, s string) (string, error) { return s, nil }), "hello", 1, 1},
		{"raw to raw: the copy", register(t, func(_ *hubContext, r json.RawMessage) (json.RawMessage, error) { return r, nil }), "[1]", 1, 1},
		{"numbers", register(t, func(a, b int) int { return a + b }), "1000|2000", 2, 0},
		{"float", register(t, func(f float64) float64 { return f }), "1.5", 1, 0},
		{"nothing", register(t, func(*hubContext) error { return nil }), "", 0, 0},
		{"method of a pointer", tab.Lookup([]byte("add")), "1000", 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a Args
			raw := []byte(tt.args)
			call := func() {
				if err := tt.m.Bind(fake{}, raw, tt.n, &a); err != nil {
					t.Fatal(err)
				}
				if _, err := tt.m.Call(testHub, testCall, &a); err != nil {
					t.Fatal(err)
				}
			}
			if got := testing.AllocsPerRun(200, call); got != tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
}

type tally struct{ n int }

func (t *tally) Add(_ *hubContext, n int) (int, error) { t.n += n; return t.n, nil }
