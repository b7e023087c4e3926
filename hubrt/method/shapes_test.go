package method

import (
	"reflect"
	"strings"
	"testing"
)

// forms has one method for each form of the direct plans: 0 to 3 strings, with the hub context (H) or without, giving nothing (N), an error (E), a string (V), or
// a string and an error (P). Each keeps what it got.
type forms struct{ got string }

func (f *forms) keep(h *hubContext, args ...string) string {
	f.got = strings.Join(args, ",")
	if h != nil {
		f.got = h.id + ":" + f.got
	}
	return f.got
}

func (f *forms) N0H(h *hubContext)                                 { f.keep(h) }
func (f *forms) E0H(h *hubContext) error                           { f.keep(h); return nil }
func (f *forms) V0H(h *hubContext) string                          { return f.keep(h) }
func (f *forms) P0H(h *hubContext) (string, error)                 { return f.keep(h), nil }
func (f *forms) N0()                                               { f.keep(nil) }
func (f *forms) E0() error                                         { f.keep(nil); return nil }
func (f *forms) V0() string                                        { return f.keep(nil) }
func (f *forms) P0() (string, error)                               { return f.keep(nil), nil }
func (f *forms) N1H(h *hubContext, a string)                       { f.keep(h, a) }
func (f *forms) E1H(h *hubContext, a string) error                 { f.keep(h, a); return nil }
func (f *forms) V1H(h *hubContext, a string) string                { return f.keep(h, a) }
func (f *forms) P1H(h *hubContext, a string) (string, error)       { return f.keep(h, a), nil }
func (f *forms) N1(a string)                                       { f.keep(nil, a) }
func (f *forms) E1(a string) error                                 { f.keep(nil, a); return nil }
func (f *forms) V1(a string) string                                { return f.keep(nil, a) }
func (f *forms) P1(a string) (string, error)                       { return f.keep(nil, a), nil }
func (f *forms) N2H(h *hubContext, a, b string)                    { f.keep(h, a, b) }
func (f *forms) E2H(h *hubContext, a, b string) error              { f.keep(h, a, b); return nil }
func (f *forms) V2H(h *hubContext, a, b string) string             { return f.keep(h, a, b) }
func (f *forms) P2H(h *hubContext, a, b string) (string, error)    { return f.keep(h, a, b), nil }
func (f *forms) N2(a, b string)                                    { f.keep(nil, a, b) }
func (f *forms) E2(a, b string) error                              { f.keep(nil, a, b); return nil }
func (f *forms) V2(a, b string) string                             { return f.keep(nil, a, b) }
func (f *forms) P2(a, b string) (string, error)                    { return f.keep(nil, a, b), nil }
func (f *forms) N3H(h *hubContext, a, b, c string)                 { f.keep(h, a, b, c) }
func (f *forms) E3H(h *hubContext, a, b, c string) error           { f.keep(h, a, b, c); return nil }
func (f *forms) V3H(h *hubContext, a, b, c string) string          { return f.keep(h, a, b, c) }
func (f *forms) P3H(h *hubContext, a, b, c string) (string, error) { return f.keep(h, a, b, c), nil }
func (f *forms) N3(a, b, c string)                                 { f.keep(nil, a, b, c) }
func (f *forms) E3(a, b, c string) error                           { f.keep(nil, a, b, c); return nil }
func (f *forms) V3(a, b, c string) string                          { return f.keep(nil, a, b, c) }
func (f *forms) P3(a, b, c string) (string, error)                 { return f.keep(nil, a, b, c), nil }

func TestDirectForms(t *testing.T) {
	t.Parallel()
	f := &forms{}
	var methods, functions table
	if err := methods.AddValue(f, nil); err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeOf(f).NumMethod() {
		if err := functions.Add(reflect.TypeOf(f).Method(i).Name, reflect.ValueOf(f).Method(i).Interface(), Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(methods.All()); got != 4*2*4 {
		t.Fatalf("%d forms", got)
	}
	var a Args
	for kind, tab := range map[string]*table{"method": &methods, "function": &functions} {
		for _, m := range tab.All() {
			n := int(m.Name[1] - '0')
			args := strings.Join([]string{"x", "y", "z"}[:n], "|")
			want := strings.ReplaceAll(args, "|", ",")
			if strings.HasSuffix(m.Name, "H") {
				want = "c1:" + want
			}
			f.got = "not called"
			got, err := invokeFake(t, m, args, &a)
			if err != nil {
				t.Fatal(err)
			}
			if f.got != want {
				t.Errorf("%s %s: got %q, want %q", kind, m.Name, f.got, want)
			}
			result := "nil"
			if strings.ContainsAny(m.Name[:1], "VP") {
				result = "string:" + want
			}
			if got != result {
				t.Errorf("%s %s: result %s, want %s", kind, m.Name, got, result)
			}
			if !isDirect(m) {
				t.Errorf("%s %s has no direct plan", kind, m.Name)
			}
		}
	}
}
