package http1

import (
	"net/http"
	"strings"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// Every rule for heads, as a client sees it: the answer, the end of the connection, its reason; and nothing refused is ever served.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range headVerdicts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pieces := map[string]int{"at once": len(tt.raw)}
			if len(tt.raw) < 400 {
				pieces["byte by byte"] = 1
			}
			for name, piece := range pieces {
				calls := 0
				cfg := Config{Serve: func(x *Exchange) {
					calls++
					x.Reply(200, http.Header{"Connection": {"close"}}, []byte("served"))
				}}
				bubble(t, cfg, func(t *testing.T, s *server) {
					c := s.dial()
					for raw := tt.raw; len(raw) > 0; {
						n := min(piece, len(raw))
						if err := c.try(raw[:n]); err != nil {
							if tt.status == 200 || !lost(err) {
								t.Fatalf("%s: send: %v", name, err)
							}
							break
						}
						raw = raw[n:]
					}
					r := c.answer(http.MethodGet)
					if r.StatusCode != tt.status {
						t.Fatalf("%s: answer %d %q: want %d", name, r.StatusCode, r.body, tt.status)
					}
					if !r.Close {
						t.Errorf("%s: the answer lacks Connection: close", name)
					}
					c.eof()
					c.close()
					if tt.status == 200 {
						if calls != 1 {
							t.Errorf("%s: served %d times", name, calls)
						}
						s.closed(engine.ResponseEnd)
						return
					}
					if !strings.Contains(r.body, tt.text) || len(r.body) > 200 || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
						t.Errorf("%s: body %q of type %q: want a short plain text with %q", name, r.body, r.Header.Get("Content-Type"), tt.text)
					}
					if calls != 0 {
						t.Errorf("%s: was served", name)
					}
					s.closed(tt.reason)
					s.quiet()
				})
			}
		})
	}
}

// Limits that are not the defaults.
func TestHeadLimits(t *testing.T) {
	t.Parallel()
	tests := []verdict{
		served("at the limit of bytes", fill(100)),
		{"over the limit of bytes", fill(101), 431, "limit of 100 bytes", engine.HeadTooLarge},
		served("at the limit of lines", head("GET / HTTP/1.1", "Host: a", "X: y", "X: y")),
		{"over the limit of lines", head("GET / HTTP/1.1", "Host: a", "X: y", "X: y", "X: y"), 431, "more than 3 header lines", engine.HeadTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{MaxHead: 100, MaxHeaders: 3}, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(tt.raw)
				if r := c.answer(http.MethodGet); r.StatusCode != tt.status || !strings.Contains(r.body, tt.text) {
					t.Errorf("answer %d %q: want %d", r.StatusCode, r.body, tt.status)
				}
				c.close()
				if tt.status == 200 {
					s.closed(engine.PeerClosed)
				} else {
					s.closed(tt.reason)
				}
			})
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	bad := Config{MaxHead: -1, MaxHeaders: 1 << 20, HeadTimeout: -1, BodyTimeout: -1, KeepAlive: 1 << 62}
	err := bad.Validate()
	if err == nil {
		t.Fatal("passes")
	}
	for _, want := range []string{"MaxHead is -1: want 64 to 524288", "MaxHeaders is 1048576: want 1 to 10000", "HeadTimeout is -1ns", "BodyTimeout is -1ns", "KeepAlive is", "Serve is nil"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	good := Config{Serve: describe}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
