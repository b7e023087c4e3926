package http1

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

func post(body string, headers ...string) string {
	lines := append([]string{"POST /p HTTP/1.1", "Host: a", "Content-Length: " + strconv.Itoa(len(body))}, headers...)
	return head(lines...) + body
}

func chunked(raw string, headers ...string) string {
	return head(append([]string{"POST /p HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"}, headers...)...) + raw
}

func TestBodies(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 100<<10)
	tests := []struct{ name, raw, body string }{
		{"none", head("POST /p HTTP/1.1", "Host: a"), ""},
		{"of no bytes", post(""), ""},
		{"Content-Length", post("hello"), "hello"},
		{"Content-Length, large", post(large), large},
		{"GET with a body", head("GET /p HTTP/1.1", "Host: a", "Content-Length: 2") + "ab", "ab"},
		{"looks like a request", post(head("GET /smuggled HTTP/1.1", "Host: a")), head("GET /smuggled HTTP/1.1", "Host: a")},
		{"chunked", chunked("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "hello!"},
		{"chunked, of no bytes", chunked("0\r\n\r\n"), ""},
		{"chunked, large", chunked("19000\r\n" + large + "\r\n0\r\n\r\n"), large},
		{"chunked, extension and trailer", chunked("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"), "hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := strings.Fields(tt.raw)[0] + " /p a " + tt.body
			bubble(t, Config{}, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(tt.raw + head("GET /next HTTP/1.1", "Host: b"))
				c.want(200, want)
				c.want(200, "GET /next b ")
				step := 1 + len(tt.raw)/300
				for cut := 1; cut < len(tt.raw); cut += step {
					c.send(tt.raw[:cut])
					synctest.Wait()
					c.send(tt.raw[cut:])
					c.want(200, want)
				}
				c.close()
				s.closed(engine.PeerClosed)
				s.quiet()
			})
		})
	}
}

func TestChunkedFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range chunkVerdicts {
		if tt.fault == "" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			outcomes := 0
			cfg := Config{Serve: func(x *Exchange) {
				x.ReadBody(1<<20, func(body []byte, ok bool) {
					if outcomes++; ok || body != nil {
						t.Errorf("done(%q, %v)", body, ok)
					}
					x.Reply(200, nil, nil) // does nothing
				})
			}}
			bubble(t, cfg, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(chunked(tt.raw))
				if r := c.answer(http.MethodPost); r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, tt.fault) || !r.Close {
					t.Errorf("answer %d %q, close %v", r.StatusCode, r.body, r.Close)
				}
				c.eof()
				c.close()
				s.closed(engine.BadRequest)
				s.quiet()
			})
			if outcomes != 1 {
				t.Errorf("done was called %d times", outcomes)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		status    int
	}{
		{"Content-Length at the limit", post("0123456789"), 200},
		{"Content-Length over it", post("0123456789a"), 413},
		{"Content-Length over it, without the body", head("POST /p HTTP/1.1", "Host: a", "Content-Length: 999999999999999999"), 413},
		{"over it, with an expectation", head("POST /p HTTP/1.1", "Host: a", "Content-Length: 11", "Expect: 100-continue"), 413},
		{"HEAD", head("HEAD /p HTTP/1.1", "Host: a", "Content-Length: 11"), 413},
		{"chunked at the limit", chunked("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), 200},
		{"chunked over it", chunked("5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n"), 413},
		{"a chunk over it that has only begun", chunked("7fffffffffffffff\r\n0123456789a"), 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var outcomes []bool
			cfg := Config{Serve: func(x *Exchange) {
				x.ReadBody(10, func(body []byte, ok bool) {
					outcomes = append(outcomes, ok)
					x.Reply(200, nil, body)
				})
			}}
			bubble(t, cfg, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(tt.raw)
				r := c.answer(strings.Fields(tt.raw)[0])
				if r.StatusCode != tt.status {
					t.Fatalf("answer %d %q: want %d", r.StatusCode, r.body, tt.status)
				}
				synctest.Wait()
				if len(outcomes) != 1 || outcomes[0] != (tt.status == 200) {
					t.Errorf("done was called with %v", outcomes)
				}
				if tt.status == 200 {
					c.close()
					s.closed(engine.PeerClosed)
					return
				}
				if !strings.HasPrefix(tt.raw, "HEAD") && r.body != "the body is over the limit of 10 bytes\n" {
					t.Errorf("body %q", r.body)
				}
				c.eof()
				c.close()
				s.closed(engine.BodyTooLarge)
				s.quiet()
			})
		})
	}
}

func TestExpect(t *testing.T) {
	t.Parallel()
	const expect = "Expect: 100-Continue"
	announced := head("POST /p HTTP/1.1", "Host: a", "Content-Length: 5", expect)
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	interim := func(c *client) {
		c.t.Helper()
		b := make([]byte, len(goOn))
		if _, err := io.ReadFull(c.br, b); err != nil || string(b) != goOn {
			c.t.Fatalf("came %q, %v: want 100 Continue", b, err)
		}
	}
	t.Run("told to continue", func(t *testing.T) {
		t.Parallel()
		bubble(t, Config{}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(announced)
			interim(c)
			c.silent()
			c.send("hello")
			c.want(200, "POST /p a hello")
			c.send(head("POST /p HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", expect))
			interim(c)
			c.send("5\r\nhello\r\n0\r\n\r\n")
			c.want(200, "POST /p a hello")
			c.close()
		})
	})
	t.Run("the body is there already", func(t *testing.T) {
		t.Parallel()
		bubble(t, Config{}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(announced + "he")
			c.silent()
			c.send("llo")
			c.want(200, "POST /p a hello")
			c.send(post("", expect))
			c.want(200, "POST /p a ")
			c.close()
		})
	})
	t.Run("told later", func(t *testing.T) {
		t.Parallel()
		var open *Exchange
		bubble(t, Config{Serve: func(x *Exchange) { open = x }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(announced)
			c.silent()
			s.onLoop(func() { describe(open) })
			interim(c)
			c.send("hello")
			c.want(200, "POST /p a hello")
			c.close()
		})
	})
	t.Run("not told: nobody knows whether the body comes", func(t *testing.T) {
		t.Parallel()
		bubble(t, Config{Serve: func(x *Exchange) { x.Reply(403, nil, nil) }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(announced)
			if r := c.want(403, ""); !r.Close {
				t.Error("the connection is kept")
			}
			c.eof()
			c.close()
			s.closed(engine.ResponseEnd)
		})
	})
	t.Run("HTTP/1.0 is not told", func(t *testing.T) {
		t.Parallel()
		bubble(t, Config{}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(head("POST /p HTTP/1.0", "Host: a", "Content-Length: 5", expect))
			c.silent()
			c.send("hello")
			c.want(200, "POST /p a hello")
			c.eof()
			c.close()
		})
	})
}

// A body that nobody asked for is dropped if it is small; else the connection ends.
func TestUnaskedBody(t *testing.T) {
	t.Parallel()
	limit := strings.Repeat("x", maxDrop)
	tests := []struct {
		name, raw string
		kept      bool
		reason    engine.CloseReason // unless kept
	}{
		{"small", post("hello"), true, 0},
		{"small, chunked", chunked("5\r\nhello\r\n0\r\n\r\n"), true, 0},
		{"at the limit", post(limit), true, 0},
		{"over the limit", post(limit + "x"), false, engine.ResponseEnd},
		{"over the limit, chunked", chunked("10001\r\n" + limit + "x\r\n0\r\n\r\n"), false, engine.ResponseEnd},
		{"over the limit in its framing", chunked(strings.Repeat("1\r\nx\r\n", maxDrop/5) + "0\r\n\r\n"), false, engine.ResponseEnd},
		{"malformed", chunked("5 \r\nhello\r\n0\r\n\r\n"), false, engine.BadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Serve: func(x *Exchange) { x.Reply(200, nil, []byte(x.Request().RequestURI)) }}, func(t *testing.T, s *server) {
				c := s.dial()
				err := c.try(tt.raw + head("GET /next HTTP/1.1", "Host: a"))
				if err != nil && (tt.kept || !lost(err)) {
					t.Fatal(err)
				}
				c.want(200, "/p")
				if tt.kept {
					c.want(200, "/next")
					c.close()
					s.closed(engine.PeerClosed)
				} else {
					c.eof()
					c.close()
					s.closed(tt.reason)
				}
				s.quiet()
			})
		})
	}
	t.Run("that never comes", func(t *testing.T) {
		t.Parallel()
		bubble(t, Config{Serve: func(x *Exchange) { x.Reply(200, nil, nil) }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(post("hello")[:len(post(""))+1])
			c.want(200, "")
			start := time.Now()
			c.eof()
			if d := time.Since(start); d < 30*time.Second || d > 32*time.Second {
				t.Errorf("ended after %v: want the body timeout of 30 s", d)
			}
			c.close()
			s.closed(engine.BodyTimeout)
		})
	})
}

// The body may be asked for at any time.
func TestBodyLater(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{post("hello"), chunked("5\r\nhello\r\n0\r\n\r\n"), head("POST /p HTTP/1.1", "Host: a")} {
		want := "POST /p a hello"
		if !strings.Contains(raw, "hello") {
			want = "POST /p a "
		}
		for cut := strings.Index(raw, "\r\n\r\n") + 4; cut <= len(raw); cut++ {
			var open *Exchange
			bubble(t, Config{Serve: func(x *Exchange) { open = x }}, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(raw[:cut])
				c.silent()
				s.onLoop(func() { describe(open) })
				c.send(raw[cut:] + head("GET /next HTTP/1.1", "Host: a"))
				c.want(200, want)
				synctest.Wait()
				s.onLoop(func() { open.Reply(204, nil, nil) })
				c.want(204, "")
				c.close()
				s.closed(engine.PeerClosed)
			})
		}
	}
}
