package http1

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// TestDropRequest: an exchange without its request is answered as one that has it, also by a log.
func TestDropRequest(t *testing.T) {
	t.Parallel()
	wait := func(x *Exchange) {
		if x.DropRequest(); x.Request() != nil || x.Head() != nil {
			t.Error("the request is still there")
		}
		post := x.Later()
		x.Conn().Loop().AfterFunc(time.Minute, func() { post(func() { x.Reply(200, nil, []byte("late")) }) })
	}
	tests := []struct {
		name, raw, method string
		body              string
		closes            bool
	}{
		{"GET", head("GET / HTTP/1.1", "Host: a"), "GET", "late", false},
		{"HEAD", head("HEAD / HTTP/1.1", "Host: a"), "HEAD", "", false},
		{"close", head("GET / HTTP/1.1", "Host: a", "Connection: close"), "GET", "late", true},
		{"HTTP/1.0", head("GET / HTTP/1.0"), "GET", "late", true},
		{"HTTP/1.0, keep-alive", head("GET / HTTP/1.0", "Connection: keep-alive"), "GET", "late", false},
		{"with a body", post("hello"), "POST", "late", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Serve: wait}, func(t *testing.T, s *server) {
				c := s.dial()
				for range 2 {
					c.send(tt.raw)
					if r := c.answer(tt.method); r.StatusCode != 200 || r.body != tt.body || r.Close != tt.closes {
						t.Fatalf("answer %d %q, close %v", r.StatusCode, r.body, r.Close)
					}
					if tt.closes {
						c.eof()
						break
					}
				}
				c.close()
				s.quiet()
			})
		})
	}
	misuses := map[string]func(x *Exchange){
		"HandOver was called after ReadBody or DropRequest": (*Exchange).HandOver,
		"Move was called after ReadBody or DropRequest":     func(x *Exchange) { x.Move(x.Conn().Loop()) },
	}
	for text, f := range misuses {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			cfg := Config{
				Serve:    func(x *Exchange) { x.DropRequest(); f(x) },
				HandOver: func(net.Conn, *proxy.Peer) { t.Error("handed over without the head") },
			}
			bubble(t, cfg, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(head("GET / HTTP/1.1", "Host: a"))
				c.want(500, "")
				c.close()
				s.closed(engine.PeerClosed)
				if !strings.Contains(s.log.String(), text) {
					t.Errorf("log: %s", s.log)
				}
			})
		})
	}
}
