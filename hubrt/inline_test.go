package hubrt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

// echoing is a hub with an inline method that queues something, so that its reply has to queue behind it.
func (r *rig) echoing(opt Options) *Hub {
	r.t.Helper()
	h := r.hub(nil, opt)
	err := h.Handle("Twice", func(c *Context, x string) (string, error) {
		return x, c.Clients().Caller().Send("message", x)
	}, inline)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// TestEndBehindInlineReplies: a connection whose last replies are still queued ends when they have gone, not at the next thing that happens to it.
func TestEndBehindInlineReplies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		end    func(c *Conn)
		record string
		reason engine.CloseReason
	}{
		{"drain", (*Conn).drain, `{"type":7,"allowReconnect":true}`, engine.Shutdown},
		{"the client's Close", func(c *Conn) { c.Receive([]byte(`{"type":7}` + "\x1e")) }, `{"type":7}`, engine.ClientClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				c := r.connect(r.echoing(Options{}))
				begun := time.Now()
				c.on(func(hc *Conn) {
					hc.Receive([]byte(call1("1", "Twice", `"a"`) + "\x1e"))
					tt.end(hc)
				})
				c.expect(message("message", `"a"`), result("1", `"a"`), tt.record)
				if d := time.Since(begun); d != 0 {
					t.Errorf("the end came after %v, want at once", d)
				}
				c.expectEnd(tt.reason)
			})
		})
	}
}

// TestInlineRepliesAreBounded: replies that queue count as input that waits, so a client cannot pile them up.
func TestInlineRepliesAreBounded(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		const (
			n     = 2000
			limit = 4096
		)
		c := r.connect(r.echoing(Options{InputBuffer: limit}))
		var in strings.Builder
		for i := range n {
			in.WriteString(call1(fmt.Sprint(i), "Twice", `"a"`) + "\x1e")
		}
		c.on(func(hc *Conn) {
			hc.Receive([]byte(in.String()))
			if most := uint32(limit/callOverhead + 1); !hc.box.answering() || hc.box.replies > most {
				t.Errorf("%+v waits, want at most %d replies", hc.box, most)
			}
			if !hc.is(flagPaused) {
				t.Error("reading is not paused")
			}
		})
		for i := range n {
			c.expect(message("message", `"a"`), result(fmt.Sprint(i), `"a"`))
		}
		c.on(func(hc *Conn) {
			if hc.is(flagPaused) || hc.box != nil {
				t.Errorf("afterwards %+v waits; paused: %v", hc.box, hc.is(flagPaused))
			}
		})
		c.leave()
	})
}
