package ws

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

// closed is what OnClosed was told.
type closed struct {
	reason   engine.CloseReason
	graceful bool
	code     uint16
	err      error
}

// receiver is a Receiver made of functions, each of which may be nil. It checks what every Receiver may rely on.
type receiver struct {
	t        testing.TB
	payload  func(c *Conn, p []byte)
	deadline func(c *Conn, now uint32)
	drain    func(c *Conn)
	ended    chan closed // gets one value
	calls    int         // of OnClosed
	done     bool        // after Close or OnClosed
}

func newReceiver(t testing.TB) *receiver { return &receiver{t: t, ended: make(chan closed, 1)} }

// echo sends back every piece as a message of its own, of the kind it was part of.
func echo(t testing.TB) *receiver {
	r := newReceiver(t)
	r.payload = func(c *Conn, p []byte) { c.Write(!c.m.isText(), p) }
	return r
}

func (r *receiver) OnPayload(c *Conn, p []byte) {
	if r.done || c.phase != phaseOpen {
		r.t.Error("OnPayload after Close or OnClosed")
	}
	if len(p) == 0 {
		r.t.Error("OnPayload with an empty piece")
	}
	if r.payload != nil {
		r.payload(c, p)
	}
}

func (r *receiver) OnDrain(c *Conn) {
	if r.drain != nil {
		r.drain(c)
	}
}

func (r *receiver) OnDeadline(c *Conn, now uint32) {
	if r.calls != 0 {
		r.t.Error("OnDeadline after OnClosed")
	}
	if r.deadline != nil {
		r.deadline(c, now)
	}
}

func (r *receiver) OnClosed(_ *Conn, reason engine.CloseReason, graceful bool, code uint16, err error) {
	if r.calls++; r.calls > 1 {
		r.t.Errorf("OnClosed was called %d times", r.calls)
		return
	}
	r.done = true
	r.ended <- closed{reason, graceful, code, err}
}

// peer is the client's end of a connection.
type peer struct {
	t    testing.TB
	nc   net.Conn
	conn *Conn // loop
	buf  []byte
}

// newEngine is one on the memory backend, stopped when the test ends.
func newEngine(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	cfg.Backend = "memory"
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("the engine did not stop: %v", err)
		}
	})
	return e
}

func connect(t testing.TB, e *engine.Engine, cfg *Config, recv Receiver) *peer {
	t.Helper()
	p := &peer{t: t}
	made := make(chan *Conn, 1)
	nc, err := e.Dial(func(ec *engine.Conn) engine.Handler {
		c := NewConn(ec, cfg, recv)
		made <- c
		return c
	})
	if err != nil {
		t.Fatal(err)
	}
	p.nc, p.conn = nc, <-made
	t.Cleanup(func() { _ = nc.Close() })
	return p
}

// loop runs f on the connection's loop and waits for it.
func (p *peer) loop(f func(c *Conn)) {
	p.t.Helper()
	done := make(chan struct{})
	if !p.conn.ec.Loop().Post(engine.TaskFunc(func(*engine.Loop) { f(p.conn); close(done) })) {
		p.t.Fatal("the loop has stopped")
	}
	<-done
}

func (p *peer) send(pieces ...string) {
	p.t.Helper()
	for _, s := range pieces {
		if _, err := io.WriteString(p.nc, s); err != nil {
			p.t.Fatalf("write: %v", err)
		}
	}
}

// next is the next frame in words; "eof" or "reset" at the end.
func (p *peer) next() string {
	p.t.Helper()
	for {
		if h, payload, rest, ok := readServer(p.buf); ok {
			if h.Masked || h.Rsv != 0 || !h.Fin {
				p.t.Errorf("the server sent a frame with header %+v", h)
			}
			s := describe(byte(h.OpCode), payload)
			p.buf = rest
			return s
		}
		chunk := make([]byte, 4096)
		n, err := p.nc.Read(chunk)
		p.buf = append(p.buf, chunk[:n]...)
		switch {
		case n > 0:
		case errors.Is(err, io.EOF):
			if len(p.buf) > 0 {
				p.t.Errorf("the stream ends inside a frame: %x", p.buf)
			}
			return "eof"
		case err != nil:
			return "reset"
		}
	}
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next(); got != w {
			p.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// silent checks that nothing comes for a millisecond, which in a synctest bubble is until everything else waits. Only there.
func (p *peer) silent() {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(time.Millisecond)) // a deadline in the past would fail even if something were there
	defer func() { _ = p.nc.SetReadDeadline(time.Time{}) }()
	chunk := make([]byte, 4096)
	n, err := p.nc.Read(chunk)
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || len(p.buf) != 0 {
		p.t.Errorf("got %x, %v, want silence", append(p.buf, chunk[:n]...), err)
	}
}

// step is a task that shows a connection the bytes of a client and waits until it has run.
type step struct {
	conn     *Conn
	in, copy []byte
	ran      chan struct{}
}

func (s *step) Run(*engine.Loop) {
	copy(s.copy, s.in) // OnData unmasks in place
	if n := s.conn.OnData(s.conn.ec, s.copy); n != len(s.in) {
		panic("not everything was consumed")
	}
	s.ran <- struct{}{}
}

// steps is a connection whose far end takes what is sent and keeps nothing, for counting and timing what this side does.
func steps(t testing.TB, cfg engine.Config, recv Receiver, in string) (*engine.Sink, *step) {
	t.Helper()
	made := make(chan *Conn, 1)
	sink, err := newEngine(t, cfg).DialSink(func(ec *engine.Conn) engine.Handler {
		c := NewConn(ec, nil, recv)
		made <- c
		return c
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.CloseWrite)
	return sink, &step{conn: <-made, in: []byte(in), copy: make([]byte, len(in)), ran: make(chan struct{})}
}

// on runs f on the loop and waits for it.
func (s *step) on(f func(c *Conn)) {
	s.conn.ec.Loop().Post(engine.TaskFunc(func(*engine.Loop) {
		f(s.conn)
		s.ran <- struct{}{}
	}))
	<-s.ran
}

func (s *step) run() {
	s.conn.ec.Loop().Post(s)
	<-s.ran
}
