package hubrt

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// brittle is an error that panics as a nil pointer, which is the mistake that Go's nil errors invite.
type brittle struct{ text string }

func (e *brittle) Error() string { return e.text }

// brittleInside embeds a nil pointer.
type brittleInside struct{ *brittle }

// spiteful panics in whatever it is asked.
type spiteful struct{}

func (spiteful) Error() string     { panic("Error") }
func (spiteful) Is(error) bool     { panic("Is") }
func (spiteful) As(any) bool       { panic("As") }
func (spiteful) ErrorName() string { panic("ErrorName") }
func (spiteful) Unwrap() error     { panic("Unwrap") }

// TestErrorsThatPanic: what an error's own methods do concerns its call alone, wherever the method runs.
func TestErrorsThatPanic(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"nil pointer":          (*brittle)(nil),
		"nil Error":            (*Error)(nil),
		"nil pointer inside":   brittleInside{},
		"nil pointer, wrapped": errors.Join(errors.New("other"), (*brittle)(nil)),
		"every method panics":  spiteful{},
	} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, detailed %t", name, detailed), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) { errorsThatPanic(t, r, err, detailed) })
			})
		}
	}
}

func errorsThatPanic(t *testing.T, r *rig, err error, detailed bool) {
	h := r.hub(nil, Options{DetailedErrors: detailed})
	handle(t, h, "Plain", func() error { return err })
	handle(t, h, "Streams", func() iter.Seq2[int, error] { return thenFails(1, err) })
	handle(t, h, "NoStream", func() (<-chan int, error) { return nil, err })
	handle(t, h, "Upload", func(<-chan int) error { return err })
	if err := h.Handle("Inline", func() error { return err }, inline); err != nil {
		t.Fatal(err)
	}
	handle(t, h, "Fine", func() int { return 1 })
	refuse := false
	h.OnConnected(func(*Context) error {
		if refuse {
			return err
		}
		return nil
	})
	more := ""
	if detailed {
		more = " panic: the server's log has the details"
	}
	unexpected := func(id, name string) string {
		return failure(id, fmt.Sprintf(textRowC, name)+more)
	}
	c := r.connect(h)
	for _, tt := range []struct {
		call string
		want []string
	}{
		{call1("1", "Plain"), []string{unexpected("1", "Plain")}},
		{stream4("2", "Streams"), []string{item("2", "0"), failure("2", textRowH+more)}},
		{stream4("3", "NoStream"), []string{unexpected("3", "NoStream")}},
		{`{"type":1,"invocationId":"4","target":"Upload","arguments":[],"streamIds":["u"]}`, []string{unexpected("4", "Upload")}},
		{call1("5", "Inline"), []string{unexpected("5", "Inline")}},
		{call1("6", "Fine"), []string{result("6", "1")}},
	} {
		c.send(tt.call)
		c.expect(tt.want...)
	}
	c.leave()
	if detailed && r.rt.Stats().Panics == 0 {
		t.Error("no panic is counted")
	}
	refuse = true
	c = r.connect(h)
	c.expect(fmt.Sprintf(`{"type":7,"error":"%s%s"}`, textRowL, more))
	c.expectEnd(engine.ConnectFailed)
}
