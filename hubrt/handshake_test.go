package hubrt

import (
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	const plain = `{"error":"An unexpected error occurred during connection handshake."}`
	for _, tt := range []struct {
		name, send, want, detailed string
	}{
		{"usual", shake, `{}`, ``},
		{"version 2", `{"protocol":"json","version":2}`, `{}`, ``},
		{"negative version", `{"protocol":"json","version":-7}`, `{}`, ``},
		{"case", `{"protocol":"JsOn","version":1}`, `{}`, ``},
		{"unknown protocol", `{"protocol":"nothing","version":99}`, `{"error":"The protocol 'nothing' is not supported."}`, ``},
		{"odd characters", `{"protocol":"<\u0001'\"\\>","version":1}`, `{"error":"The protocol '<\u0001'\"\\>' is not supported."}`, ``},
		{"empty protocol", `{"protocol":"","version":1}`, `{"error":"The protocol '' is not supported."}`, ``},
		{"version 99", `{"protocol":"JSON","version":99}`, `{"error":"The server does not support version 99 of the 'JSON' protocol."}`, ``},
		{"no version", `{"protocol":"json"}`, plain,
			`{"error":"An unexpected error occurred during connection handshake. InvalidDataException: Missing required property 'version'. Message content: {\"protocol\":\"json\"}"}`},
		{"protocol is a number", `{"protocol":7,"version":1}`, plain,
			`{"error":"An unexpected error occurred during connection handshake. InvalidDataException: Expected 'protocol' to be of type String."}`},
		{"a message", `{"type":6}`, plain,
			`{"error":"An unexpected error occurred during connection handshake. InvalidDataException: Missing required property 'protocol'. Message content: {\"type\":6}"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				for _, detailed := range []bool{false, true} {
					h := r.hub(probe{}, Options{DetailedErrors: detailed})
					want := tt.want
					if detailed && tt.detailed != "" {
						want = tt.detailed
					}
					for _, bytewise := range []bool{false, true} {
						c := r.dial(h)
						if bytewise {
							for i := range len(tt.send) {
								c.raw(tt.send[i : i+1])
							}
							c.raw("\x1e")
						} else {
							c.send(tt.send)
						}
						c.expect(want)
						if want == `{}` {
							c.on(func(hc *Conn) {
								if len(c.link.binary) != 1 || c.link.binary[0] {
									t.Errorf("Format was called with %v, want once false", c.link.binary)
								}
							})
							c.leave()
						} else {
							c.expectEnd(engine.HandshakeRefused)
						}
					}
				}
				if n := r.rt.Stats().Connections; n != 0 {
					t.Errorf("%d connections are left", n)
				}
			})
		})
	}
}

func TestHandshakeWithMessagesBehind(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		all := shake + "\x1e" + call1("1", "Echo", `"a"`) + "\x1e" + call1("2", "Add", "1", "2") + "\x1e"
		for cut := range len(all) {
			c := r.dial(h)
			c.raw(all[:cut])
			c.raw(all[cut:])
			c.expect(`{}`, result("1", `"a"`), result("2", "3"))
			c.leave()
		}
	})
}

func TestHandshakeLimits(t *testing.T) {
	t.Parallel()
	const canceled = `{"error":"Handshake was canceled."}`
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{HandshakeTimeout: 2 * time.Second})
			c := r.dial(h)
			c.raw(shake)
			begun := time.Now()
			c.expect(canceled)
			if d := time.Since(begun); d < 2*time.Second || d > 3*time.Second {
				t.Errorf("after %v, want 2 to 3 s", d)
			}
			c.expectEnd(engine.HandshakeTimeout)
		})
	})
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{DetailedErrors: true})
			c := r.dial(h)
			c.raw(strings.Repeat(" ", 32_769))
			c.expect(canceled)
			c.expectEnd(engine.HandshakeRefused)
		})
	})
	t.Run("client leaves", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			h.OnDisconnected(func(*Context, error) error { t.Error("disconnected without connected"); return nil })
			c := r.dial(h)
			c.raw(`{"protocol"`)
			c.leave()
		})
	})
}
