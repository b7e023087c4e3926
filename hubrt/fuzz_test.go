package hubrt

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// FuzzReceive: whatever comes, and however it is cut, the answers are the same, and nothing breaks.
func FuzzReceive(f *testing.F) {
	for _, s := range []string{
		shake + "\x1e" + call1("1", "Echo", `"x"`) + "\x1e" + `{"type":6}` + "\x1e",
		shake + "\x1e" + call1("1", "Missing") + "\x1e" + call1("2", "All", `[1]`) + "\x1e" + call1("3", "Echo", `{}`) + "\x1e" + `{"type":7}` + "\x1e",
		shake + "\x1e{}\x1e", `{"protocol":"x"}` + "\x1e", "\x1e", shake + "\x1e" + `{"type":4,"invocationId":"1","target":"Echo","arguments":[1]}` + "\x1e",
		shake + "\x1e" + call1("1", "Panic") + "\x1e" + call1("", "Echo") + "\x1e",
	} {
		f.Add([]byte(s), uint8(3), uint8(11))
	}
	r := newRig(&testing.T{}, rigConfig{loops: 1})
	f.Cleanup(r.close)
	h := r.hub(nil, Options{MaxMessage: 2048, DetailedErrors: true})
	opt := method.Options{Inline: true}
	for name, fn := range map[string]any{
		"Echo":  func(_ *Context, x json.RawMessage) (json.RawMessage, error) { return x, nil },
		"All":   func(c *Context, x json.RawMessage) error { return c.Clients().All().Send("message", x) },
		"Panic": func() { panic("ouch") },
	} {
		if err := h.Handle(name, fn, opt); err != nil {
			f.Fatal(err)
		}
	}
	ref := r.anchor()
	f.Fuzz(func(t *testing.T, data []byte, a, b uint8) {
		answer := func(sizes ...int) []byte {
			l := &nullLink{ref: ref, keep: true}
			var c *Conn
			newLoopTask(ref.Loop(), func() {
				c = h.Open(l, Peer{ID: ID{1}, Transport: WebSockets})
				rest := bytes.Clone(data) // it belongs to Receive
				for i := 0; len(rest) > 0; i++ {
					n := min(sizes[i%len(sizes)], len(rest))
					c.Receive(rest[:n])
					clear(rest[:n])
					rest = rest[n:]
				}
			}).run()
			newLoopTask(ref.Loop(), func() { c.Closed(engine.PeerClosed, nil) }).run() // what was queued has been written
			return append(l.out, byte(l.ended))
		}
		whole := answer(len(data) + 1)
		for _, sizes := range [][]int{{1}, {int(a) + 1, int(b) + 1}} {
			if got := answer(sizes...); !bytes.Equal(got, whole) {
				t.Errorf("in pieces of %v\ngot  %q\nwant %q", sizes, got, whole)
			}
		}
	})
}
