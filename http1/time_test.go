package http1

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	request := head("GET / HTTP/1.1", "Host: a")
	tests := []struct {
		name   string
		cfg    Config
		first  string // sent and answered before the clock starts
		send   string // then sent at once
		drip   string // then byte by byte, one a second
		after  time.Duration
		status int // 0: no answer, just the end
		text   string
		reason engine.CloseReason
	}{
		{"nothing comes", Config{}, "", "", "", 10 * time.Second, 408, "no complete request head came within 10s", engine.HeadTimeout},
		{"half a head comes", Config{}, "", request[:20], "", 10 * time.Second, 408, "10s", engine.HeadTimeout},
		{"a head trickles", Config{}, "", "", request + request, 10 * time.Second, 408, "10s", engine.HeadTimeout},
		{"another limit", Config{HeadTimeout: 1500 * time.Millisecond}, "", "", request, 1500 * time.Millisecond, 408, "1.5s", engine.HeadTimeout},
		{"the second head trickles", Config{}, request, "", request + request, 10 * time.Second, 408, "10s", engine.HeadTimeout},
		{"an idle connection", Config{}, request, "", "", time.Minute, 0, "", engine.KeepAliveTimeout},
		{"an idle connection, another limit", Config{KeepAlive: 3 * time.Second}, request, "", "", 3 * time.Second, 0, "", engine.KeepAliveTimeout},
		{"the empty line of an old client is no head", Config{}, request, "\r\n", "", time.Minute, 0, "", engine.KeepAliveTimeout},
		{"half a body comes", Config{}, "", post("hello")[:len(post("hello"))-2], "", 30 * time.Second, 408, "the body was not complete within 30s", engine.BodyTimeout},
		{"a body trickles", Config{}, "", head("POST / HTTP/1.1", "Host: a", "Content-Length: 100"), strings.Repeat("x", 99), 30 * time.Second, 408, "30s", engine.BodyTimeout},
		{"chunks trickle", Config{BodyTimeout: 5 * time.Second}, "", chunked(""), strings.Repeat("1\r\nx\r\n", 20), 5 * time.Second, 408, "5s", engine.BodyTimeout},
		{"a body to HEAD trickles", Config{}, "", head("HEAD / HTTP/1.1", "Host: a", "Content-Length: 100"), "x", 30 * time.Second, 408, "", engine.BodyTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, tt.cfg, func(t *testing.T, s *server) {
				time.Sleep(900 * time.Millisecond) // the loop's clock counts whole seconds: what has run of one must not be taken from a limit
				c := s.dial()
				if tt.first != "" {
					c.send(tt.first)
					c.want(200, "")
				}
				begin := time.Now()
				c.send(tt.send)
				end := make(chan struct{})
				go func() {
					for i := range len(tt.drip) {
						if c.try(tt.drip[i:i+1]) != nil {
							return
						}
						select {
						case <-time.After(time.Second):
						case <-end:
							return
						}
					}
				}()
				if tt.status != 0 {
					method := http.MethodGet
					if strings.HasPrefix(tt.send, "HEAD") {
						method = http.MethodHead
					}
					if r := c.answer(method); r.StatusCode != tt.status || !r.Close || !strings.Contains(r.body, tt.text) {
						t.Errorf("answer %d %q: want %d", r.StatusCode, r.body, tt.status)
					}
				}
				c.eof()
				if d := time.Since(begin); d < tt.after || d > tt.after+2*time.Second {
					t.Errorf("ended after %v: want %v, and two seconds more at most", d, tt.after)
				}
				close(end)
				c.close()
				s.closed(tt.reason)
				s.quiet()
			})
		})
	}
}

// An exchange that is being served has all the time it takes, and what the client waited is not taken from its next head.
func TestServingHasNoDeadline(t *testing.T) {
	t.Parallel()
	var open *Exchange
	bubble(t, Config{Serve: func(x *Exchange) { open = x }}, func(t *testing.T, s *server) {
		c := s.dial()
		next := head("GET /next HTTP/1.1", "Host: a")
		c.send(head("GET / HTTP/1.1", "Host: a") + next[:10])
		time.Sleep(time.Hour)
		s.onLoop(func() { open.Reply(200, nil, []byte("late")) })
		c.want(200, "late")
		time.Sleep(8 * time.Second)
		c.send(next[10:])
		synctest.Wait()
		s.onLoop(func() { open.Reply(200, nil, []byte(open.Request().RequestURI)) })
		c.want(200, "/next")
		c.close()
		s.closed(engine.PeerClosed)
	})
}
