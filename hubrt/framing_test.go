package hubrt

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// TestFramings: each transport gets a broadcast in its own wrapping, alone and joined with others.
func TestFramings(t *testing.T) {
	t.Parallel()
	rt := &Runtime{cfg: RuntimeConfig{
		AppendHeader: func(dst []byte, binary bool, n int) []byte { return fmt.Appendf(dst, "<%v %d>", binary, n) },
		AppendEvent:  func(dst, records []byte) []byte { return fmt.Appendf(dst, "[%s]", records) },
	}}
	for _, tt := range []struct {
		framing     Framing
		one, joined string
	}{
		{Messages, "<true 3>one", "<true 6>onetwo"},
		{Events, "[one]", "[one][two]"},
		{Raw, "one", "onetwo"},
	} {
		one, two := rt.frame(tt.framing, true, []byte("one")), rt.frame(tt.framing, true, []byte("two"))
		if got := string(one.Bytes()); got != tt.one {
			t.Errorf("framing %d: one is %q, want %q", tt.framing, got, tt.one)
		}
		if got := string(rt.joined(tt.framing, true, []*engine.Frame{one, two}).Bytes()); got != tt.joined {
			t.Errorf("framing %d: joined are %q, want %q", tt.framing, got, tt.joined)
		}
	}
}

// TestFramed: every protocol of a hub has a place of its own in each framing.
func TestFramed(t *testing.T) {
	t.Parallel()
	h, err := NewRuntime(RuntimeConfig{AppendEvent: func(dst, records []byte) []byte { return fmt.Appendf(dst, "data: %s", records) }}).NewHub("h", nil, Options{Protocols: []codec.Protocol{codec.JSON}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint8]bool{}
	for f := range Framing(framings) {
		at := h.framed(1, f)
		if seen[at] || at == 0 {
			t.Errorf("framing %d has place %d, which is taken", f, at)
		}
		seen[at] = true
		p := &h.protocols[at]
		if p.framing != f || p.Protocol != codec.JSON || bytes.HasPrefix(p.ping.Bytes(), []byte("data: ")) != (f == Events) {
			t.Errorf("framing %d: place %d has framing %d, protocol %v, ping %q", f, at, p.framing, p.Protocol, p.ping.Bytes())
		}
	}
}
