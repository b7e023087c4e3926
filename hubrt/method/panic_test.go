package method

import (
	"bytes"
	"errors"
	"testing"

	"github.com/spokehub/spoke/codec"
)

type explosive struct{}

func (*explosive) UnmarshalJSON(b []byte) error { panic("in UnmarshalJSON: " + string(b)) }
func (explosive) MarshalJSON() ([]byte, error)  { panic("in MarshalJSON") }

func TestPanicOfArgumentType(t *testing.T) {
	t.Parallel()
	m := register(t, func(int, explosive) {})
	var a Args
	for _, p := range []codec.Protocol{fake{}, codec.JSON} {
		raw := map[bool][]byte{true: []byte("[1,2]"), false: []byte("1|2")}[p == codec.JSON]
		if err := m.Bind(p, raw, 2, &a); err != errBinding {
			t.Errorf("%s: %v", p.Name(), err)
		}
		var e *PanicError
		if !errors.As(a.Cause(), &e) || e.Value != "in UnmarshalJSON: 2" || !bytes.Contains(e.Stack, []byte("UnmarshalJSON")) {
			t.Errorf("%s: cause %v", p.Name(), a.Cause())
		}
		if got, want := text(a.Cause()), "argument 2: method.explosive: panic: in UnmarshalJSON: 2"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPanicOfResultType(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]any{"any": func() any { return explosive{} }, "typed": func(int8) explosive { return explosive{} }} {
		m := register(t, fn)
		var a Args
		if err := m.Bind(codec.JSON, []byte("[1]"), len(m.params), &a); err != nil {
			t.Fatal(err)
		}
		r, err := m.Call(testHub, nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		out, err := r.Append([]byte("kept"), codec.JSON)
		var e *PanicError
		if string(out) != "kept" || !errors.As(err, &e) || e.Value != "in MarshalJSON" || err.Error() != "panic: in MarshalJSON" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}
