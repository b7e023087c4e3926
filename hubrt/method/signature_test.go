package method

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

type table = Table[*hubContext]

type point struct{ X, Y int }

type tree struct {
	Left, Right *tree
	Name        string
}

type hidden struct{ x int }

type withFunc struct {
	Name string
	Done func()
}

type leavesOut struct {
	Name string
	Done func() `json:"-"`
}

type itself struct{ Done chan int }

func (*itself) UnmarshalJSON([]byte) error  { return nil }
func (itself) MarshalJSON() ([]byte, error) { return []byte("1"), nil }
func (s itself) String() string             { return "itself" }

type packed struct{ Done chan int }

func (*packed) DecodeMsgpack(any) error { return nil }
func (*packed) EncodeMsgpack(any) error { return nil }

type failure struct{}

func (*failure) Error() string { return "failed" }

type textKey struct{ a, b byte }

func (textKey) MarshalText() ([]byte, error)  { return nil, nil }
func (*textKey) UnmarshalText(b []byte) error { return nil }

func TestAddAccepts(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{
		"nothing":               func() {},
		"hub":                   func(*hubContext) {},
		"call":                  func(context.Context) {},
		"hub and call":          func(*hubContext, context.Context) {},
		"error":                 func() error { return nil },
		"value":                 func() int { return 0 },
		"value and error":       func() (int, error) { return 0, nil },
		"any number":            func(a, b, c, d, e, f, g, h string) {},
		"all scalars":           func(bool, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64, string) {},
		"unexported struct":     func(point) *point { return nil },
		"empty struct":          func(struct{}) {},
		"recursive struct":      func(tree) tree { return tree{} },
		"collections":           func([]string, [3]int, map[string]any, map[int][]point, **int) {},
		"text keys":             func(map[textKey]int) map[textKey]int { return nil },
		"any":                   func(any) any { return nil },
		"raw":                   func(json.RawMessage) json.RawMessage { return nil },
		"time":                  func(time.Time, *time.Time) time.Time { return time.Time{} },
		"decodes itself":        func(itself, packed) itself { return itself{} },
		"left out of encoding":  func(leavesOut) leavesOut { return leavesOut{} },
		"interface as a result": func() fmt.Stringer { return nil },
		"instantiated generic":  generic[int],
		"streams up": func(*hubContext, context.Context, <-chan int, string, iter.Seq[point], iter.Seq2[*point, error], named) {
		},
		"channel down":        func(context.Context) (<-chan point, error) { return nil, nil },
		"iterator down":       func() iter.Seq[string] { return nil },
		"fallible down":       func(int) (iter.Seq2[[]byte, error], error) { return nil, nil },
		"named iterator":      func() named { return nil },
		"named function type": namedFunc(func(*hubContext, string) error { return nil }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tab table
			if err := tab.Add(name, fn, Options{}); err != nil {
				t.Error(err)
			}
			if tab.Lookup([]byte(name)) == nil {
				t.Error("not found after registration")
			}
		})
	}
}

func generic[T any](v T) T { return v }

type named func(yield func(point) bool)

type namedFunc func(*hubContext, string) error

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		fn   any
		want string // the text after `hub method "M": `; several lines: several problems
	}{
		{"nil", nil, "the function is nil"},
		{"nil function", (func())(nil), "the function, a func(), is nil"},
		{"no function", 7, "int is not a function type"},
		{"variadic", func(*hubContext, ...string) {}, "parameter 2 ([]string) is variadic; declare a slice instead: []string"},
		{"second hub", func(_, _ *hubContext) {}, "parameter 2 (*method.hubContext) is out of place; contexts come first: *method.hubContext, then context.Context, both optional"},
		{"wrong order", func(context.Context, *hubContext) {}, "parameter 2 (*method.hubContext) is out of place; contexts come first: *method.hubContext, then context.Context, both optional"},
		{"late context", func(string, context.Context) {}, "parameter 2 (context.Context) is out of place; contexts come first: *method.hubContext, then context.Context, both optional"},
		{"upload both ways", func(chan int) {}, "parameter 1 (chan int) cannot be a stream from the client: declare it as <-chan int, since one side alone sends"},
		{"upload of pairs", func(iter.Seq2[int, string]) {}, "parameter 1 (iter.Seq2[int,string]) cannot be a stream from the client: the second value of its items is string and not error; " + streamForms},
		{"upload of functions", func(iter.Seq[func()]) {}, "parameter 1 (iter.Seq[func()]) cannot be a stream from the client: func() has no encoding"},
		{"upload of streams", func(<-chan <-chan int) {}, "parameter 1 (<-chan <-chan int) cannot be a stream from the client: <-chan int has no encoding"},
		{"upload of interfaces", func(<-chan fmt.Stringer) {}, "parameter 1 (<-chan fmt.Stringer) cannot be a stream from the client: nothing says which type to make for the interface fmt.Stringer; any is the only interface allowed"},
		{"stream inside a slice", func([]iter.Seq[int]) {}, "parameter 1 ([]iter.Seq[int]) cannot be an argument: iter.Seq[int] has no encoding"},
		{"no iterator", func(func(func() bool)) {}, "parameter 1 (func(func() bool)) cannot be an argument: func(func() bool) has no encoding"},
		{"send channel", func(chan<- int) {}, "parameter 1 (chan<- int) cannot be an argument: chan<- int has no encoding"},
		{"function argument", func(func()) {}, "parameter 1 (func()) cannot be an argument: func() has no encoding"},
		{"unsafe pointer", func(unsafe.Pointer) {}, "parameter 1 (unsafe.Pointer) cannot be an argument: unsafe.Pointer has no encoding"},
		{"uintptr", func(uintptr) {}, "parameter 1 (uintptr) cannot be an argument: uintptr has no encoding"},
		{"complex", func(complex128) {}, "parameter 1 (complex128) cannot be an argument: complex128 has no encoding"},
		{"interface", func(fmt.Stringer) {}, "parameter 1 (fmt.Stringer) cannot be an argument: nothing says which type to make for the interface fmt.Stringer; any is the only interface allowed"},
		{"error argument", func(error) {}, "parameter 1 (error) cannot be an argument: nothing says which type to make for the interface error; any is the only interface allowed"},
		{"inside a slice", func([]map[string]func()) {}, "parameter 1 ([]map[string]func()) cannot be an argument: func() has no encoding"},
		{"inside a struct", func(*withFunc) {}, "parameter 1 (*method.withFunc) cannot be an argument: field Done: func() has no encoding"},
		{"nothing exported", func(hidden) {}, "parameter 1 (method.hidden) cannot be an argument: no field of method.hidden is exported, so none would be sent or received"},
		{"map keys", func(map[float64]int) {}, "parameter 1 (map[float64]int) cannot be an argument: the keys of map[float64]int must be strings or integers"},
		{"download both ways", func() chan int { return nil }, "chan int cannot be a stream to the client: declare it as <-chan int, since one side alone sends"},
		{"download of pairs", func() iter.Seq2[string, int] { return nil }, "iter.Seq2[string,int] cannot be a stream to the client: the second value of its items is int and not error; " + streamForms},
		{"download of functions", func() (<-chan func(), error) { return nil, nil }, "<-chan func() cannot be a stream to the client: func() has no encoding"},
		{"two streams", func() (<-chan int, <-chan int) { return nil, nil }, "it returns (<-chan int, <-chan int); allowed are nothing, error, T and (T, error), where T may be a stream"},
		{"function result", func() func() { return nil }, "func() cannot be a result: func() has no encoding"},
		{"struct result", func() withFunc { return withFunc{} }, "method.withFunc cannot be a result: field Done: func() has no encoding"},
		{"two results", func() (int, string) { return 0, "" }, "it returns (int, string); allowed are nothing, error, T and (T, error), where T may be a stream"},
		{"error first", func() (error, int) { return nil, 0 }, "it returns (error, int); allowed are nothing, error, T and (T, error), where T may be a stream"},
		{"three results", func() (int, int, error) { return 0, 0, nil }, "it returns (int, int, error); allowed are nothing, error, T and (T, error), where T may be a stream"},
		{"two errors", func() (error, error) { return nil, nil }, "result error is an error; declare it as error, since a nil error would not be a nil error"},
		{"error type", func() *failure { return nil }, "result *method.failure is an error; declare it as error, since a nil *method.failure would not be a nil error"},
		{"several", func(func(), string, chan<- int) (func(), error) { return nil, nil },
			"parameter 1 (func()) cannot be an argument: func() has no encoding\nparameter 3 (chan<- int) cannot be an argument: chan<- int has no encoding\nfunc() cannot be a result: func() has no encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tab table
			err := tab.Add("M", tt.fn, Options{})
			if err == nil {
				t.Fatal("accepted")
			}
			want := `hub method "M": ` + strings.ReplaceAll(tt.want, "\n", "\nhub method \"M\": ")
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if tab.Lookup([]byte("M")) != nil {
				t.Error("registered all the same")
			}
		})
	}
}

func TestAddNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		opt          Options
		want         string // "": accepted
	}{
		{"plain", "Send", Options{}, ""},
		{"same in options", "Send", Options{Name: "Send"}, ""},
		{"longest", strings.Repeat("n", MaxName), Options{}, ""},
		{"not ASCII", "Grüße", Options{}, ""},
		{"taken in another case", "rEGISTERED", Options{}, `hub method "rEGISTERED": Duplicate definitions of 'rEGISTERED'. Overloading is not supported. ("Registered" is registered, and names ignore ASCII case.)`},
		{"empty", "", Options{}, `hub method "": the name is empty`},
		{"too long", strings.Repeat("n", MaxName+1), Options{}, `hub method "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…": the name has 256 bytes; the limit is 255`},
		{"not UTF-8", "a\xff", Options{}, `hub method "a\xff": the name is not UTF-8`},
		{"two names", "Send", Options{Name: "Other"}, `hub method "Send": its options give it another name, "Other"; leave Options.Name empty`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tab table
			if err := tab.Add("Registered", func() {}, Options{}); err != nil {
				t.Fatal(err)
			}
			if got := text(tab.Add(tt.method, func() {}, tt.opt)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

type base struct{}

func (base) Promoted() string { return "promoted" }

type chat struct {
	base
	mu   sync.Mutex
	sent []string
}

func (c *chat) Send(h *hubContext, user, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, h.id+" "+user+": "+text)
	return nil
}
func (c *chat) Last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent[len(c.sent)-1]
}
func (c *chat) OnConnected(*hubContext) error { return nil }
func (c *chat) Where(p point) point           { return point{p.Y, p.X} }
func (c *chat) private()                      {}

// byValue has only value receivers.
type byValue struct{ prefix string }

func (v byValue) Echo(_ *hubContext, s string) (string, error) { return v.prefix + s, nil }

type badHub struct{}

func (badHub) Twice(func())     {}
func (badHub) Variadic(...int)  {}
func (badHub) Good()            {}
func (badHub) Stream() chan int { return nil }

type hooksOnly struct{}

func (hooksOnly) OnConnected(*hubContext) error { return nil }

type locked struct{ sync.Mutex }

func (*locked) Send() {}

func names(tab *table) (names []string) {
	for _, m := range tab.All() {
		names = append(names, m.Name)
	}
	return names
}

func TestAddValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		value any
		opts  map[string]Options
		skip  []string
		names string
		want  string // "": accepted
	}{
		{name: "pointer", value: &chat{}, skip: []string{"OnConnected", "OnDisconnected"}, names: "Last Promoted Send Where"},
		{name: "value", value: byValue{}, names: "Echo"},
		{name: "pointer to value receivers", value: &byValue{}, names: "Echo"},
		{name: "no methods", value: point{}, want: `hub method "method.point": it has no exported methods; pass nil for a hub of functions only`},
		{name: "hooks only", value: hooksOnly{}, skip: []string{"OnConnected"}, names: ""},
		{name: "renamed", value: &byValue{}, opts: map[string]Options{"Echo": {Name: "echo-it"}}, names: "echo-it"},
		{name: "renamed onto another", value: &chat{}, opts: map[string]Options{"Send": {Name: "LAST"}},
			want: `hub method "LAST": Duplicate definitions of 'LAST'. Overloading is not supported. ("Last" is registered, and names ignore ASCII case.)`},
		{name: "options of none", value: byValue{}, opts: map[string]Options{"echo": {}},
			want: `hub method "echo": options are given for it, but method.byValue has no hub method of that Go name`},
		{name: "options of a hook", value: &chat{}, opts: map[string]Options{"OnConnected": {Inline: true}}, skip: []string{"OnConnected"},
			want: `hub method "OnConnected": options are given for it, but *method.chat has no hub method of that Go name`},
		{name: "value with pointer receivers", value: *new(locked),
			want: "hub method \"Lock\": it has a pointer receiver; pass a *method.locked instead of a method.locked\n" +
				"hub method \"Send\": it has a pointer receiver; pass a *method.locked instead of a method.locked\n" +
				"hub method \"TryLock\": it has a pointer receiver; pass a *method.locked instead of a method.locked\n" +
				"hub method \"Unlock\": it has a pointer receiver; pass a *method.locked instead of a method.locked"},
		{name: "embedded mutex", value: &locked{},
			want: `hub method "*method.locked": it has Lock and Unlock, which every client could call; make the embedded mutex a named field`},
		{name: "embedded mutex skipped", value: &locked{}, skip: []string{"Lock", "TryLock", "Unlock"}, names: "Send"},
		{name: "nil", value: nil, want: "hub value is nil; pass a value or a pointer whose exported methods are the hub's methods"},
		{name: "nil pointer", value: (*chat)(nil), want: "hub value is a nil *method.chat; pass a pointer to a value"},
		{name: "all problems at once", value: badHub{}, opts: map[string]Options{"Absent": {}},
			want: "hub method \"Absent\": options are given for it, but method.badHub has no hub method of that Go name\n" +
				"hub method \"Stream\": chan int cannot be a stream to the client: declare it as <-chan int, since one side alone sends\n" +
				"hub method \"Twice\": parameter 1 (func()) cannot be an argument: func() has no encoding\n" +
				"hub method \"Variadic\": parameter 1 ([]int) is variadic; declare a slice instead: []int"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tab table
			if got := text(tab.AddValue(tt.value, tt.opts, tt.skip...)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := strings.Join(names(&tab), " "); got != tt.names {
				t.Errorf("registered %q, want %q", got, tt.names)
			}
		})
	}
}

func TestOptionsReachTheMethod(t *testing.T) {
	t.Parallel()
	var tab table
	err := tab.AddValue(&chat{}, map[string]Options{"Send": {Inline: true, RequireUser: true}}, "OnConnected")
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.Add("Wait", func(*hubContext, context.Context) {}, Options{}); err != nil {
		t.Fatal(err)
	}
	if m := tab.Lookup([]byte("SEND")); m.Name != "Send" || !m.Inline || !m.RequireUser || m.TakesCall {
		t.Errorf("Send: %+v", m)
	}
	if m := tab.Lookup([]byte("wait")); m.Name != "Wait" || m.Inline || m.RequireUser || !m.TakesCall {
		t.Errorf("Wait: %+v", m)
	}
}

// A table of context.Context takes a first parameter of that type for the hub context.
func TestHubContextIsContext(t *testing.T) {
	t.Parallel()
	var tab Table[context.Context]
	if err := tab.Add("M", func(hub, call context.Context) bool { return hub != call }, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := tab.Add("N", func(hub context.Context) bool { return hub == nil }, Options{}); err != nil {
		t.Fatal(err)
	}
	var a Args
	for name, takesCall := range map[string]bool{"M": true, "N": false} {
		m := tab.Lookup([]byte(name))
		if m.TakesCall != takesCall {
			t.Errorf("%s: TakesCall %v", name, m.TakesCall)
		}
		if err := m.Bind(fake{}, nil, 0, &a); err != nil {
			t.Fatal(err)
		}
		if r, err := m.Call(nil, t.Context(), &a); err != nil || r.Any() != true {
			t.Errorf("%s: %v, %v", name, r.Any(), err)
		}
	}
}
