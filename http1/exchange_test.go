package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	raw := head("POST /a%20b?x=1 HTTP/1.1", "Host: h:1", "X-One: 1", "x-one: 2", "Content-Length: 2")
	cfg := Config{Serve: func(x *Exchange) {
		r := x.Request()
		if r.Method != http.MethodPost || r.URL.Path != "/a b" || r.URL.RawQuery != "x=1" || r.Host != "h:1" || r.ContentLength != 2 || r.Body != http.NoBody ||
			r.RemoteAddr != "@" || strings.Join(r.Header["X-One"], ",") != "1,2" || r.Context() != context.Background() {
			t.Errorf("request %+v", r)
		}
		if string(x.Head()) != raw {
			t.Errorf("head %q", x.Head())
		}
		if x.Ref() != x.Conn().Ref() {
			t.Error("Ref is not the connection's")
		}
		describe(x)
	}}
	bubble(t, cfg, func(t *testing.T, s *server) {
		c := s.dial()
		c.send(raw + "ok")
		c.want(200, "POST /a%20b?x=1 h:1 ok")
		c.close()
		s.quiet()
	})
}

// The end of a client that waits for its answer, and every other moment at which a connection can die.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	request := head("GET /p HTTP/1.1", "Host: a")
	t.Run("half-closed clients get their answers", func(t *testing.T) {
		t.Parallel()
		var open []*Exchange
		bubble(t, Config{Serve: func(x *Exchange) { open = append(open, x) }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request + request + request[:10])
			if err := c.nc.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				c.silent()
				s.onLoop(func() { open[i].Reply(200, nil, []byte("answer")) })
				c.want(200, "answer")
			}
			c.eof()
			c.close()
			s.closed(engine.PeerClosed)
		})
	})
	t.Run("half-closed, a single request", func(t *testing.T) {
		t.Parallel()
		var open *Exchange
		bubble(t, Config{Serve: func(x *Exchange) { open = x }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			if err := c.nc.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			c.silent()
			s.onLoop(func() { open.Reply(200, nil, []byte("answer")) })
			if r := c.want(200, "answer"); !r.Close {
				t.Error("a connection whose client has ended is kept")
			}
			c.eof()
			c.close()
			s.closed(engine.ResponseEnd)
		})
	})
	tests := []struct {
		name   string
		send   string
		end    func(c *client) error
		reason engine.CloseReason
	}{
		{"before anything", "", (*client).fin, engine.PeerClosed},
		{"in a head", request[:10], (*client).fin, engine.PeerClosed},
		{"between requests", request, (*client).fin, engine.PeerClosed},
		{"in the second head", request + request[:10], (*client).fin, engine.PeerClosed},
		{"in a body", post("hello")[:len(post("hello"))-2], (*client).fin, engine.PeerClosed},
		{"in a chunk", chunked("5\r\nhel"), (*client).fin, engine.PeerClosed},
		{"by reset, in a head", request[:10], (*client).reset, engine.PeerReset},
		{"by reset, in a body", post("hello")[:len(post("hello"))-2], (*client).reset, engine.PeerReset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked, outcomes, gone := 0, 0, 0
			cfg := Config{Serve: func(x *Exchange) {
				asked++
				x.OnGone(func() { gone++ })
				x.ReadBody(100, func(body []byte, ok bool) {
					outcomes++
					if ok {
						x.Reply(200, nil, nil)
						return
					}
					if body != nil {
						t.Errorf("a broken body has %q", body)
					}
					x.Reply(500, nil, nil) // nobody is there
				})
			}}
			bubble(t, cfg, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(tt.send)
				answered := strings.Count(tt.send, request)
				for range answered {
					c.want(200, "")
				}
				synctest.Wait()
				if err := tt.end(c); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if asked != outcomes {
					t.Errorf("%d bodies asked for, %d told", asked, outcomes)
				}
				if gone != asked-answered {
					t.Errorf("OnGone ran %d times, %d exchanges of %d were answered", gone, answered, asked)
				}
				if tt.reason == engine.PeerClosed {
					c.eof()
					c.close()
				}
				s.closed(tt.reason)
				s.quiet()
			})
		})
	}
	t.Run("by reset, while it is served", func(t *testing.T) {
		t.Parallel()
		var post func(func())
		var open *Exchange
		gone, ran := 0, 0
		cfg := Config{Serve: func(x *Exchange) {
			open, post = x, x.Later()
			x.OnGone(func() { gone++ })
		}}
		bubble(t, cfg, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			synctest.Wait()
			if err := c.reset(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if gone != 1 {
				t.Errorf("OnGone ran %d times", gone)
			}
			post(func() { ran++ })
			s.onLoop(func() {
				open.Reply(200, nil, nil)
				open.Upgrade(nil, nil)
				open.HandOver()
				open.ReadBody(1, func(_ []byte, ok bool) {
					if ok {
						t.Error("a body of a connection that is gone")
					}
				})
				open.Later()(func() { ran++ })
			})
			synctest.Wait()
			if ran != 0 || gone != 1 {
				t.Errorf("posted functions ran %d times, OnGone %d times", ran, gone)
			}
			s.closed(engine.PeerReset)
			s.quiet()
		})
	})
	t.Run("the server stops", func(t *testing.T) {
		t.Parallel()
		gone := 0
		cfg := Config{Serve: func(x *Exchange) { x.OnGone(func() { gone++ }) }}
		synctest.Test(t, func(t *testing.T) {
			s := start(t, cfg)
			c := s.dial()
			c.send(request)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			err := s.e.Shutdown(ctx)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if gone != 1 {
				t.Errorf("OnGone ran %d times", gone)
			}
			c.close()
		})
	})
}

func (c *client) fin() error   { return c.nc.CloseWrite() }
func (c *client) reset() error { return c.nc.Reset() }

// echo is a handler to upgrade to: it sends back what it gets.
type echo struct {
	t            *testing.T // nil: a deadline is expected
	eofs, closes int
}

func (e *echo) OnData(c *engine.Conn, p []byte) int { c.Write(p); return len(p) }
func (e *echo) OnEOF(c *engine.Conn)                { e.eofs++; c.Close(engine.PeerClosed, nil) }
func (e *echo) OnDrain(*engine.Conn)                {}

func (e *echo) OnDeadline(c *engine.Conn, _ uint32) {
	if e.t != nil {
		e.t.Error("a deadline came from before the upgrade")
	}
	c.Close(engine.HandshakeTimeout, nil)
}

func (e *echo) OnClose(*engine.Conn, engine.CloseReason, error) { e.closes++ }

func TestUpgrade(t *testing.T) {
	t.Parallel()
	const response = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	request := head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: echo")
	for _, later := range []bool{false, true} {
		for _, behind := range []string{"", "early", strings.Repeat("x", readAhead+1)} {
			name := "at once"
			if later {
				name = "later"
			}
			if len(behind) > 10 {
				name += ", paused"
			} else if behind != "" {
				name += ", bytes behind"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				e := &echo{t: t}
				var open *Exchange
				cfg := Config{Serve: func(x *Exchange) {
					if open = x; !later {
						x.Upgrade([]byte(response), e)
					}
				}}
				bubble(t, cfg, func(t *testing.T, s *server) {
					c := s.dial()
					c.send(request + behind)
					if later {
						c.silent()
						s.onLoop(func() { open.Upgrade([]byte(response), e) })
					}
					got := make([]byte, len(response)+len(behind))
					if _, err := io.ReadFull(c.br, got); err != nil || string(got) != response+behind {
						t.Fatalf("came %q, %v", got, err)
					}
					c.send("more")
					if _, err := io.ReadFull(c.br, got[:4]); err != nil || string(got[:4]) != "more" {
						t.Fatalf("came %q, %v", got[:4], err)
					}
					time.Sleep(time.Hour)
					s.onLoop(func() {
						if open.Conn().Handler() != e {
							t.Error("the handler is still the old one")
						}
						open.Reply(200, nil, []byte("too late"))
					})
					c.silent()
					if err := c.fin(); err != nil {
						t.Fatal(err)
					}
					c.eof()
					c.close()
					s.closed(engine.PeerClosed)
					if e.eofs != 1 || e.closes != 1 {
						t.Errorf("OnEOF ran %d times, OnClose %d times", e.eofs, e.closes)
					}
				})
			})
		}
	}
	t.Run("after the client's end", func(t *testing.T) {
		t.Parallel()
		e := &echo{t: t}
		var open *Exchange
		bubble(t, Config{Serve: func(x *Exchange) { open = x }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request + "early")
			if err := c.fin(); err != nil {
				t.Fatal(err)
			}
			c.silent()
			s.onLoop(func() { open.Upgrade([]byte(response), e) })
			got, err := io.ReadAll(c.br)
			if err != nil || string(got) != response+"early" {
				t.Errorf("came %q, %v", got, err)
			}
			c.close()
			s.closed(engine.PeerClosed)
			if e.eofs != 1 {
				t.Errorf("OnEOF ran %d times", e.eofs)
			}
		})
	})
	t.Run("with a body", func(t *testing.T) {
		t.Parallel()
		e := &echo{t: t}
		bubble(t, Config{Serve: func(x *Exchange) { x.Upgrade([]byte(response), e) }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(head("GET / HTTP/1.1", "Host: a", "Content-Length: 5") + "hello")
			c.want(400, "a request with a body cannot be upgraded\n")
			c.eof()
			c.close()
			s.closed(engine.BadRequest)
			if e.closes != 1 || e.eofs != 0 {
				t.Errorf("OnClose ran %d times, OnEOF %d times", e.closes, e.eofs)
			}
		})
	})
	t.Run("its own deadline", func(t *testing.T) {
		t.Parallel()
		e := &echo{}
		bubble(t, Config{Serve: func(x *Exchange) {
			after(x.Conn(), 3*time.Second)
			x.Upgrade([]byte(response), e)
		}}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			begin := time.Now()
			if got, err := io.ReadAll(c.br); err != nil || string(got) != response {
				t.Errorf("came %q, %v", got, err)
			}
			if d := time.Since(begin); d < 3*time.Second || d > 5*time.Second {
				t.Errorf("the deadline came after %v", d)
			}
			c.close()
			s.closed(engine.HandshakeTimeout)
		})
	})
}

func TestHandOver(t *testing.T) {
	t.Parallel()
	first := head("GET /first HTTP/1.1", "Host: a")
	second := post("hello")
	for _, later := range []bool{false, true} {
		for cut := len(first); cut <= len(first)+len(second); cut++ {
			var open *Exchange
			conns := make(chan net.Conn, 1)
			cfg := Config{
				Serve: func(x *Exchange) {
					open = x
					switch {
					case x.Request().URL.Path == "/first":
						x.Reply(204, nil, nil)
					case !later:
						x.HandOver()
					}
				},
				HandOver: func(nc net.Conn, _ *proxy.Peer) { conns <- nc },
			}
			bubble(t, cfg, func(t *testing.T, s *server) {
				c := s.dial()
				c.send((first + second)[:cut])
				c.want(204, "")
				synctest.Wait()
				if later && open.Request().URL.Path != "/first" {
					s.onLoop(func() { open.HandOver() })
				}
				c.send((first + second)[cut:] + "tail")
				synctest.Wait()
				if later && len(conns) == 0 {
					s.onLoop(func() { open.HandOver() })
				}
				if err := c.fin(); err != nil {
					t.Fatal(err)
				}
				nc := <-conns
				got, err := io.ReadAll(nc)
				if err != nil || string(got) != second+"tail" {
					t.Fatalf("cut at %d, later %v: the new owner reads %q, %v", cut, later, got, err)
				}
				if _, err := io.WriteString(nc, "answer"); err != nil {
					t.Fatal(err)
				}
				if err := nc.Close(); err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(c.br); err != nil || string(got) != "answer" {
					t.Fatalf("the client reads %q, %v", got, err)
				}
				s.onLoop(func() { open.Reply(200, nil, nil) })
				c.close()
				s.closed(engine.Detached)
				s.quiet()
			})
		}
	}
}

func TestHandOverFaults(t *testing.T) {
	t.Parallel()
	request := head("GET / HTTP/1.1", "Host: a")
	t.Run("no owner", func(t *testing.T) {
		t.Parallel()
		bubble(t, Config{Serve: (*Exchange).HandOver}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			c.want(500, "")
			c.close()
			if !strings.Contains(s.log.String(), "HandOver was called without Config.HandOver") {
				t.Errorf("log: %s", s.log)
			}
		})
	})
	t.Run("after ReadBody", func(t *testing.T) {
		t.Parallel()
		cfg := Config{
			Serve:    func(x *Exchange) { x.ReadBody(1, func([]byte, bool) { x.HandOver() }) },
			HandOver: func(net.Conn, *proxy.Peer) { t.Error("handed over without the body") },
		}
		bubble(t, cfg, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			c.want(500, "")
			c.close()
			if !strings.Contains(s.log.String(), "HandOver was called after ReadBody") {
				t.Errorf("log: %s", s.log)
			}
		})
	})
	t.Run("the connection has been closed", func(t *testing.T) {
		t.Parallel()
		gone := 0
		cfg := Config{
			Serve: func(x *Exchange) {
				x.OnGone(func() { gone++ })
				x.Conn().Close(engine.Aborted, nil)
				x.HandOver()
			},
			HandOver: func(net.Conn, *proxy.Peer) { t.Error("handed over") },
		}
		bubble(t, cfg, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			c.eof()
			c.close()
			s.closed(engine.Aborted)
			if gone != 1 {
				t.Errorf("OnGone ran %d times", gone)
			}
			s.quiet()
		})
	})
	t.Run("the owner panics", func(t *testing.T) {
		t.Parallel()
		cfg := Config{Serve: (*Exchange).HandOver, HandOver: func(net.Conn, *proxy.Peer) { panic("no") }}
		bubble(t, cfg, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(request)
			if _, err := io.ReadAll(c.br); err != nil && !lost(err) {
				t.Error(err)
			}
			c.close()
			if !strings.Contains(s.log.String(), "HandOver panicked") {
				t.Errorf("log: %s", s.log)
			}
		})
	})
}

// A fault of the code that serves costs its own exchange.
func TestPanics(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		serve func(x *Exchange)
	}{
		{"in Serve", func(*Exchange) { panic("secret") }},
		{"in the body's callback", func(x *Exchange) { x.ReadBody(10, func([]byte, bool) { panic("secret") }) }},
		{"in a posted function", func(x *Exchange) { go x.Later()(func() { panic("secret") }) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Serve: func(x *Exchange) {
				if x.Request().URL.Path == "/fine" {
					x.Reply(200, nil, nil)
					return
				}
				tt.serve(x)
			}}
			bubble(t, cfg, func(t *testing.T, s *server) {
				c, other := s.dial(), s.dial()
				c.send(post("hello"))
				c.want(500, "internal server error\n")
				c.eof()
				c.close()
				other.send(head("GET /fine HTTP/1.1", "Host: a"))
				other.want(200, "")
				other.close()
				s.closed(engine.InternalError, engine.PeerClosed)
				if log := s.log.String(); !strings.Contains(log, "panicked") || !strings.Contains(log, "secret") || !strings.Contains(log, "exchange_test.go") {
					t.Errorf("log: %s", log)
				}
			})
		})
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789"), 20_000)
	tests := []struct {
		name   string
		method string
		status int
		header http.Header
		body   []byte
		want   string // the answer's bytes, without the Date line
	}{
		{"plain", "GET", 200, nil, []byte("hello"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"empty", "GET", 200, nil, nil, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"headers, in order", "GET", 404, http.Header{"X-B": {"2", "3"}, "X-A": {"1"}, "Content-Type": {"text/plain"}}, nil,
			"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n"},
		{"ours win", "GET", 200, http.Header{"Content-Length": {"99"}, "transfer-encoding": {"chunked"}, "Date": {"now"}, "Connection": {"x"}}, []byte("a"),
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"},
		{"HEAD", "HEAD", 200, nil, []byte("hello"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"204", "GET", 204, nil, []byte("hello"), "HTTP/1.1 204 No Content\r\n\r\n"},
		{"304", "GET", 304, http.Header{"Etag": {`"x"`}}, []byte("hello"), "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n"},
		{"a status without text", "GET", 599, nil, nil, "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"},
		{"no header is injected", "GET", 200, http.Header{"X": {"a\r\nSet-Cookie: b", "\x00\x7f\tc "}}, nil,
			"HTTP/1.1 200 OK\r\nX: a  Set-Cookie: b\r\nX:   \tc\r\nContent-Length: 0\r\n\r\n"},
		{"large", "GET", 200, nil, large, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + string(large)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Serve: func(x *Exchange) {
				if x.Request().URL.Path == "/last" {
					x.Reply(200, http.Header{"Connection": {"close"}}, nil)
					return
				}
				x.Reply(tt.status, tt.header, tt.body)
				x.Reply(500, nil, []byte("a second answer"))
			}}, func(t *testing.T, s *server) {
				c := s.dial()
				c.send(head(tt.method+" / HTTP/1.1", "Host: a") + head("GET /last HTTP/1.1", "Host: a"))
				got, err := io.ReadAll(c.br)
				if err != nil {
					t.Fatal(err)
				}
				date := "Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
				want := tt.want + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
				if n := strings.Count(string(got), date); n != 2 {
					t.Errorf("%d Date lines", n)
				}
				if plain := strings.ReplaceAll(string(got), date, ""); plain != want {
					t.Errorf("came %.300q: want %.300q", plain, want)
				}
				c.close()
				s.quiet()
			})
		})
	}
	for _, status := range []int{-1, 0, 100, 101, 199, 1000} {
		bubble(t, Config{Serve: func(x *Exchange) { x.Reply(status, nil, []byte("body")) }}, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(head("GET / HTTP/1.1", "Host: a"))
			if r := c.want(500, ""); r.body != "" {
				t.Errorf("body %q", r.body)
			}
			c.close()
			if !strings.Contains(s.log.String(), "want 200 to 999") {
				t.Errorf("log: %s", s.log)
			}
		})
	}
	bubble(t, Config{Serve: func(x *Exchange) { x.Reply(200, http.Header{"A b": {"c"}, "": {"d"}, "E": {"f"}}, nil) }}, func(t *testing.T, s *server) {
		c := s.dial()
		c.send(head("GET / HTTP/1.1", "Host: a"))
		if r := c.want(200, ""); len(r.Header) != 3 || r.Header.Get("E") != "f" {
			t.Errorf("headers %v", r.Header)
		}
		c.close()
		if !strings.Contains(s.log.String(), "left out") {
			t.Errorf("log: %s", s.log)
		}
	})
	// The answer of one who does not wait for the body.
	bubble(t, Config{Serve: func(x *Exchange) {
		outcome := 0
		x.ReadBody(10, func(body []byte, ok bool) {
			if outcome++; ok || body != nil || outcome > 1 {
				t.Errorf("done(%q, %v), call %d", body, ok, outcome)
			}
		})
		x.Reply(403, nil, nil)
		if outcome != 1 {
			t.Error("the body's callback did not run")
		}
	}}, func(t *testing.T, s *server) {
		c := s.dial()
		c.send(post("hello") + post("hello"))
		c.want(403, "")
		c.want(403, "")
		c.close()
		s.quiet()
	})
}

func TestDateIsOfTheSecond(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *server) {
		c := s.dial()
		for range 5 {
			c.send(head("GET / HTTP/1.1", "Host: a"))
			r := c.want(200, "")
			if got, want := r.Header.Get("Date"), time.Now().UTC().Format(http.TimeFormat); got != want {
				t.Errorf("Date %s: want %s", got, want)
			}
			time.Sleep(1100 * time.Millisecond)
		}
		c.close()
	})
}

// The parts together: a hub's requests here, others to net/http, on one connection after the other.
func TestHandOverToNetHTTP(t *testing.T) {
	t.Parallel()
	ln := &listener{conns: make(chan net.Conn), end: make(chan struct{})}
	hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if _, err := io.WriteString(w, "net/http "+r.URL.Path+" "+string(body)); err != nil {
			t.Error(err)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(ln) }()
	cfg := Config{
		Serve: func(x *Exchange) {
			if x.Request().URL.Path == "/hub" {
				describe(x)
				return
			}
			x.HandOver()
		},
		HandOver: func(nc net.Conn, _ *proxy.Peer) { ln.conns <- nc },
	}
	s := start(t, cfg)
	c := s.dial()
	c.send(head("POST /hub HTTP/1.1", "Host: a", "Content-Length: 1") + "x" + post("hello")[:40])
	c.want(200, "POST /hub a x")
	c.send(post("hello")[40:])
	c.want(200, "net/http /p hello")
	c.send(head("GET /again HTTP/1.1", "Host: a"))
	c.want(200, "net/http /again ")
	c.close()
	s.stop()
	if err := hs.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

type listener struct {
	conns chan net.Conn
	end   chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.end:
		return nil, net.ErrClosed
	}
}
func (l *listener) Close() error   { close(l.end); return nil }
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }
