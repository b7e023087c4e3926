package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/logtest"
)

func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

// server is an engine of the memory backend, with one loop if not said otherwise.
type server struct {
	t   *testing.T
	e   *engine.Engine
	cfg *Config
	log *logtest.Buffer
}

// bubble runs f with a server whose clock is that of testing/synctest. Goroutines that are left at the end fail the test.
func bubble(t *testing.T, cfg Config, f func(t *testing.T, s *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, cfg)
		defer s.stop()
		f(t, s)
	})
}

func start(t testing.TB, cfg Config) *server {
	t.Helper()
	return startLoops(t, cfg, 1)
}

func startLoops(t testing.TB, cfg Config, loops int) *server {
	t.Helper()
	if cfg.Serve == nil {
		cfg.Serve = describe
	}
	s := &server{cfg: &cfg, log: new(logtest.Buffer)}
	s.t, _ = t.(*testing.T)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Backend: "memory", Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	s.e = e
	return s
}

func (s *server) stop() {
	s.t.Helper()
	if err := s.e.Shutdown(context.Background()); err != nil {
		s.t.Error(err)
	}
}

// quiet checks that nothing was logged, and only engines' reasons say what happened.
func (s *server) quiet() {
	s.t.Helper()
	if text := s.log.String(); text != "" {
		s.t.Errorf("logged: %s", text)
	}
}

// closed checks that the connections so far ended with the reasons, one each.
func (s *server) closed(want ...engine.CloseReason) {
	s.t.Helper()
	synctest.Wait()
	got := s.e.Stats().Closed
	for _, r := range want {
		got[r]--
	}
	for r, n := range got {
		if n != 0 {
			s.t.Errorf("%d connections more than expected ended with %v", n, engine.CloseReason(r))
		}
	}
}

// onLoop runs f on the loop and waits for it.
func (s *server) onLoop(f func()) {
	s.t.Helper()
	done := make(chan struct{})
	if !s.e.Loops()[0].Post(engine.TaskFunc(func(*engine.Loop) { f(); close(done) })) {
		s.t.Fatal("the loop has stopped")
	}
	<-done
}

func (s *server) dial() *client {
	s.t.Helper()
	nc, err := s.e.Dial(s.cfg.Open)
	if err != nil {
		s.t.Fatal(err)
	}
	return &client{s.t, nc.(*engine.MemoryConn), bufio.NewReader(nc)}
}

// client is the peer's end.
type client struct {
	t  *testing.T
	nc *engine.MemoryConn
	br *bufio.Reader
}

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, raw); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// try sends, and does not mind that the server has closed.
func (c *client) try(raw string) error {
	_, err := io.WriteString(c.nc, raw)
	return err
}

// reply is what one response says.
type reply struct {
	*http.Response
	body string
}

// answer reads one response to a request of that method.
func (c *client) answer(method string) reply {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		c.t.Fatalf("body of the answer: %v", err)
	}
	return reply{resp, string(body)}
}

// want reads one response and checks status and, unless empty, body.
func (c *client) want(status int, body string) reply {
	c.t.Helper()
	r := c.answer(http.MethodGet)
	if r.StatusCode != status || body != "" && r.body != body {
		c.t.Fatalf("answer %d %q: want %d %q", r.StatusCode, r.body, status, body)
	}
	return r
}

// eof checks that nothing more comes.
func (c *client) eof() {
	c.t.Helper()
	rest, err := io.ReadAll(c.br)
	if err != nil || len(rest) > 0 {
		c.t.Fatalf("at the end: %q, %v", rest, err)
	}
	synctest.Wait()
}

// silent checks that nothing has come and the connection is open.
func (c *client) silent() {
	c.t.Helper()
	if err := c.nc.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.br.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
		b, _ := c.br.Peek(c.br.Buffered())
		c.t.Fatalf("came: %q, %v", b, err)
	}
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait() // what the loop wrote to a test's variables may now be read
}

func (c *client) close() {
	c.t.Helper()
	if err := c.nc.Close(); err != nil {
		c.t.Error(err)
	}
}

// describe answers with what came: "METHOD TARGET HOST BODY".
func describe(x *Exchange) {
	x.ReadBody(1<<20, func(body []byte, ok bool) {
		if ok {
			r := x.Request()
			x.Reply(200, nil, fmt.Appendf(nil, "%s %s %s %s", r.Method, r.RequestURI, r.Host, body))
		}
	})
}

// lost reports whether err says that the peer has closed.
func lost(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
