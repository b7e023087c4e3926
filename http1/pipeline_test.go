package http1

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/spokehub/spoke/engine"
)

// The next request is served when the one before it has been answered, whoever answers and whenever.
func TestPipelineInOrder(t *testing.T) {
	t.Parallel()
	var posts []func(func())
	var open []*Exchange
	cfg := Config{Serve: func(x *Exchange) {
		open = append(open, x)
		posts = append(posts, x.Later())
	}}
	bubble(t, cfg, func(t *testing.T, s *server) {
		c := s.dial()
		var raw strings.Builder
		const n = 50
		for i := range n {
			raw.WriteString(head(fmt.Sprintf("GET /%d HTTP/1.1", i), "Host: a"))
		}
		c.send(raw.String())
		for i := range n {
			c.silent()
			if len(open) != i+1 {
				t.Fatalf("%d exchanges are open or over: want %d", len(open), i+1)
			}
			x := open[i]
			go posts[i](func() { x.Reply(200, nil, []byte(x.Request().RequestURI)) })
			c.want(200, fmt.Sprintf("/%d", i))
		}
		c.close()
		s.closed(engine.PeerClosed)
		s.quiet()
	})
}

func TestPipelineAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *server) {
		c := s.dial()
		const n = 1000
		go func() {
			for i := range n {
				if i%2 == 0 {
					c.send(post(fmt.Sprint(i)))
				} else {
					c.send(chunked(fmt.Sprintf("%x\r\n%d\r\n0\r\n\r\n", len(fmt.Sprint(i)), i)))
				}
			}
		}()
		for i := range n {
			c.want(200, fmt.Sprintf("POST /p a %d", i))
		}
		c.close()
		s.closed(engine.PeerClosed)
		s.quiet()
	})
}

// A client that sends requests and does not read answers costs a bounded amount; when it reads, all answers come, in order.
func TestPipelineOfOneWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	answer := strings.Repeat("x", 10_000)
	served := 0
	var ec *engine.Conn
	cfg := Config{Serve: func(x *Exchange) {
		ec = x.Conn()
		served++
		x.Reply(200, nil, []byte(answer))
	}}
	bubble(t, cfg, func(t *testing.T, s *server) {
		c := s.dial()
		const n = 200
		c.send(strings.Repeat(head("GET / HTTP/1.1", "Host: a"), n))
		time.Sleep(5 * time.Second)
		s.onLoop(func() {
			if b := ec.Buffered(); b > unsent+2*len(answer) {
				t.Errorf("%d bytes wait to go out", b)
			}
			if served == n {
				t.Error("all requests were served")
			}
		})
		for range n {
			c.want(200, answer)
		}
		synctest.Wait()
		if served != n {
			t.Errorf("%d requests served, and more answers", served)
		}
		c.close()
		s.closed(engine.PeerClosed)
	})
	// One who never reads is gone in the end.
	bubble(t, Config{Serve: cfg.Serve}, func(t *testing.T, s *server) {
		c := s.dial()
		c.send(strings.Repeat(head("GET / HTTP/1.1", "Host: a"), 200))
		time.Sleep(time.Minute)
		s.closed(engine.SendTimeout)
		c.close()
	})
	// One who leaves meanwhile leaves nothing behind that would look at the connection's slot later.
	bubble(t, Config{Serve: cfg.Serve}, func(t *testing.T, s *server) {
		c := s.dial()
		c.send(strings.Repeat(head("GET / HTTP/1.1", "Host: a"), 200))
		time.Sleep(time.Second)
		var h *conn
		s.onLoop(func() { h = ec.Handler().(*conn) })
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.onLoop(func() {
			if h.state != gone || h.turn != nil {
				t.Errorf("after its end the connection's state is %d, its timer %v", h.state, h.turn)
			}
		})
		s.closed(engine.PeerReset)
	})
}

// Large answers go out about as fast as the client reads, also when the loop has to wait for each.
func TestPipelineOfLargeAnswers(t *testing.T) {
	t.Parallel()
	answer := strings.Repeat("x", 300_000)
	bubble(t, Config{Serve: func(x *Exchange) { x.Reply(200, nil, []byte(answer)) }}, func(t *testing.T, s *server) {
		c := s.dial()
		const n = 20
		c.send(strings.Repeat(head("GET / HTTP/1.1", "Host: a"), n))
		begin := time.Now()
		for range n {
			c.want(200, answer)
		}
		if d := time.Since(begin); d > n*2*stallFirst {
			t.Errorf("took %v", d)
		}
		c.close()
		s.closed(engine.PeerClosed)
	})
}

// Behind an open exchange only so much is read.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	var open []*Exchange
	bubble(t, Config{Serve: func(x *Exchange) { open = append(open, x) }}, func(t *testing.T, s *server) {
		c := s.dial()
		request := head("GET / HTTP/1.1", "Host: a")
		const n = 8000
		sent := make(chan int)
		go func() {
			for range n {
				c.send(request)
			}
			sent <- n
		}()
		synctest.Wait()
		select {
		case <-sent:
			t.Error("a client sends without end while its exchange is open")
		default:
		}
		if p := s.e.Stats().Pauses; p == 0 {
			t.Error("reading was not paused")
		}
		if in := s.e.Stats().BytesIn; in > 100<<10 {
			t.Errorf("%d bytes were read behind an open exchange", in)
		}
		go func() {
			for i := range n {
				s.onLoop(func() { open[i].Reply(204, nil, nil) })
			}
		}()
		for range n {
			c.want(204, "")
		}
		<-sent
		c.close()
		s.closed(engine.PeerClosed)
	})
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		lines []string
		reply http.Header
		kept  bool
		said  string // the answer's Connection header
	}{
		{"1.1", []string{"GET / HTTP/1.1", "Host: a"}, nil, true, ""},
		{"1.1, close", []string{"GET / HTTP/1.1", "Host: a", "Connection: close"}, nil, false, "close"},
		{"1.1, close in a list", []string{"GET / HTTP/1.1", "Host: a", "Connection: x, CLOSE"}, nil, false, "close"},
		{"1.1, keep-alive", []string{"GET / HTTP/1.1", "Host: a", "Connection: keep-alive"}, nil, true, ""},
		{"1.0", []string{"GET / HTTP/1.0"}, nil, false, "close"},
		{"1.0, keep-alive", []string{"GET / HTTP/1.0", "Connection: Keep-Alive"}, nil, true, "keep-alive"},
		{"1.0, both", []string{"GET / HTTP/1.0", "Connection: keep-alive, close"}, nil, false, "close"},
		{"the answer wants to close", []string{"GET / HTTP/1.1", "Host: a"}, http.Header{"connection": {"x, Close"}}, false, "close"},
		{"the answer wants something else", []string{"GET / HTTP/1.1", "Host: a"}, http.Header{"Connection": {"keep-alive"}}, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Serve: func(x *Exchange) { x.Reply(200, tt.reply, nil) }}, func(t *testing.T, s *server) {
				c := s.dial()
				for range 2 {
					c.send(head(tt.lines...))
					r := c.want(200, "")
					if got := strings.Join(r.Header["Connection"], "|"); got != tt.said && !(r.Close && tt.said == "close") {
						t.Errorf("Connection: %q: want %q", got, tt.said)
					}
					if r.Close == tt.kept {
						t.Errorf("closes: %v", r.Close)
					}
					if !tt.kept {
						c.eof()
						c.close()
						s.closed(engine.ResponseEnd)
						return
					}
				}
				c.close()
				s.closed(engine.PeerClosed)
			})
		})
	}
}

// Between two requests nothing is held.
// TestIdleHoldsNoStop: a client that keeps its connection for later does not hold the server's stop up.
func TestIdleHoldsNoStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		for range 3 {
			c := s.dial()
			c.send(head("GET / HTTP/1.1", "Host: a"))
			c.want(200, "")
		}
		begun := time.Now()
		s.stop()
		if d := time.Since(begun); d > 0 {
			t.Errorf("the stop has taken %v", d)
		}
	})
}

func TestIdleHoldsNothing(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(conn{}); n > 80 {
		t.Errorf("a connection has %d bytes: want 80 at most", n)
	}
	if n := unsafe.Sizeof(Exchange{}); n > 80 {
		t.Errorf("an exchange has %d bytes: want 80 at most, since each waiting poll is one", n)
	}
	var x1 *Exchange
	cfg := Config{Serve: func(x *Exchange) { x1 = x; describe(x) }}
	bubble(t, cfg, func(t *testing.T, s *server) {
		c := s.dial()
		raw := post(strings.Repeat("x", 10_000))
		c.send(raw[:5000])
		synctest.Wait()
		c.send(raw[5000:])
		c.want(200, "")
		s.onLoop(func() {
			h := x1.Conn().Handler().(*conn)
			if h.x != nil || h.view != nil || h.turn != nil || h.left != 0 || h.state != waiting || h.scan != (headScan{}) {
				t.Errorf("an idle connection holds %+v", h)
			}
			if x1.head != nil || x1.in.collected != nil || x1.in.done != nil || x1.h != nil || x1.Head() != nil {
				t.Errorf("an answered exchange holds %+v", x1)
			}
		})
		c.close()
	})
}
