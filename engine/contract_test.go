package engine

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// world is an engine of some backend and a way to reach it.
type world struct {
	*Engine
	t     testing.TB
	serve serve
}

// serve takes connections for open and returns how to make them.
type serve func(open func(c *Conn) Handler) (dial func() peer)

// peer is the client's end.
type peer interface {
	net.Conn
	CloseWrite() error
}

// reset breaks p off.
func reset(p peer) {
	switch t := p.(type) {
	case tlsPeer:
		reset(t.raw)
	case *MemoryConn:
		_ = t.Reset()
	case *net.TCPConn:
		_ = t.SetLinger(0)
		_ = t.Close()
	default: // unix sockets have no reset
		_ = p.Close()
	}
}

// probe is a handler made of functions; nil ones do the least.
type probe struct {
	data     func(c *Conn, p []byte) int
	eof      func(c *Conn)
	drain    func(c *Conn)
	deadline func(c *Conn, now uint32)
	close    func(c *Conn, r CloseReason, err error)
	opened   chan struct{}
}

func (h *probe) OnData(c *Conn, p []byte) int {
	if h.data == nil {
		return len(p)
	}
	return h.data(c, p)
}

func (h *probe) OnEOF(c *Conn) {
	if h.eof == nil {
		c.Close(PeerClosed, nil)
		return
	}
	h.eof(c)
}

func (h *probe) OnDrain(c *Conn) {
	if h.drain != nil {
		h.drain(c)
	}
}

func (h *probe) OnDeadline(c *Conn, now uint32) {
	if h.deadline != nil {
		h.deadline(c, now)
	}
}

func (h *probe) OnClose(c *Conn, r CloseReason, err error) {
	if h.close != nil {
		h.close(c, r, err)
	}
}

// open returns an open function that gives each connection h.
func (h *probe) open(*Conn) Handler { return h }

// echo answers with what it gets.
func echo() *probe {
	return &probe{data: func(c *Conn, p []byte) int { c.Write(p); return len(p) }}
}

// backend is a way to run the contract.
type backend struct {
	name string
	cfg  Config
	make func(t testing.TB, e *Engine) serve
}

var memoryBackend = backend{"memory", Config{Backend: "memory", Loops: 2}, func(t testing.TB, e *Engine) serve {
	return func(open func(c *Conn) Handler) func() peer {
		return func() peer {
			nc, err := e.Dial(open)
			if err != nil {
				t.Error(err)
				return nil
			}
			return nc.(peer)
		}
	}
}}

var backends = []backend{memoryBackend}

// start makes an engine that ends with the test, which then has no connection left.
func start(t testing.TB, cfg Config, b backend) *world {
	t.Helper()
	cfg.Backend = b.cfg.Backend
	if cfg.Loops == 0 {
		cfg.Loops = b.cfg.Loops
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		e.settled(t)
	})
	return &world{Engine: e, t: t, serve: b.make(t, e)}
}

// settled checks the books of an engine that has stopped.
func (e *Engine) settled(t testing.TB) {
	t.Helper()
	s := e.Stats()
	var closed int64
	for _, n := range s.Closed {
		closed += n
	}
	if s.Open != 0 || closed != s.Accepted || s.Closed[ReasonNone] != 0 {
		t.Errorf("%d connections were accepted, %d closed with a reason, %d without, %d are open", s.Accepted, closed, s.Closed[ReasonNone], s.Open)
	}
	for _, l := range e.loops {
		if n := int(l.dirty.first) + len(l.ready) + len(l.again) + len(l.dead) + len(l.stalled); n != 0 {
			t.Errorf("loop %d has stopped with %d connections on its lists", l.index, n)
		}
	}
}

// connect makes one connection, which is closed with the test.
func (w *world) connect(open func(c *Conn) Handler) peer {
	w.t.Helper()
	p := w.serve(open)()
	if p == nil {
		w.t.FailNow()
	}
	w.t.Cleanup(func() { _ = p.Close() })
	_ = p.SetDeadline(time.Now().Add(patience))
	return p
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// await waits for a value.
func await[T any](t testing.TB, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("waited %v in vain for %s", patience, what)
	}
	return v
}

// on runs f on the loop and waits for it.
func on(t testing.TB, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	if !l.Post(TaskFunc(func(*Loop) { f(); close(done) })) {
		t.Fatal("the loop has stopped")
	}
	await(t, done, "a task")
}

// send writes p, or fails the test. For any goroutine.
func send(t testing.TB, w io.Writer, p []byte) {
	if n, err := w.Write(p); err != nil {
		t.Errorf("wrote %d of %d bytes: %v", n, len(p), err)
	}
}

// receive reads exactly what is wanted.
func receive(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(r, got)
	if string(got[:n]) != want {
		t.Fatalf("got %q, %v; want %q", got[:n], err, want)
	}
}

// ended says how a connection ended.
type ended struct {
	reason CloseReason
	err    error
}

// endings returns a close function and the channel on which each call of it is reported.
func endings() (func(*Conn, CloseReason, error), chan ended) {
	ch := make(chan ended, 4096)
	return func(_ *Conn, r CloseReason, err error) { ch <- ended{r, err} }, ch
}

// numbers is a stream in which every piece is recognisable: consecutive 32-bit numbers.
func numbers(bytes int) []byte {
	p := make([]byte, bytes&^3)
	for i := 0; i < len(p); i += 4 {
		binary.BigEndian.PutUint32(p[i:], uint32(i/4))
	}
	return p
}

func TestContract(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			for _, tc := range contract {
				t.Run(tc.name, func(t *testing.T) {
					t.Parallel()
					cfg := b.cfg
					if tc.tune != nil {
						tc.tune(&cfg)
					}
					tc.run(t, start(t, cfg, b))
				})
			}
		})
	}
}

// contract is what each backend keeps. The tables are in the files of their subjects.
type clause struct {
	name string
	tune func(cfg *Config)
	run  func(t *testing.T, w *world)
}

var contract = slices.Concat(inputClauses, closeClauses, outputClauses, messageClauses, handoverClauses, loopClauses, guardClauses)
