package engine

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// world is an engine of some backend and a way to reach it.
type world struct {
	*Engine
	t    testing.TB
	dial func(open func(c *Conn) Handler) peer
}

// peer is the client's end.
type peer interface {
	net.Conn
	CloseWrite() error
}

// reset breaks p off.
func reset(p peer) {
	switch t := p.(type) {
	case *MemoryConn:
		_ = t.Reset()
	case *net.TCPConn:
		_ = t.SetLinger(0)
		_ = t.Close()
	}
}

// probe is a handler made of functions; nil ones do the least.
type probe struct {
	data     func(c *Conn, p []byte) int
	eof      func(c *Conn)
	drain    func(c *Conn)
	deadline func(c *Conn, now uint32)
	close    func(c *Conn, r CloseReason, err error)
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

// backends are the ways to run the contract.
var backends = []struct {
	name string
	cfg  Config
	make func(t testing.TB, e *Engine) func(open func(c *Conn) Handler) peer
}{
	{"memory", Config{Backend: "memory", Loops: 2}, func(t testing.TB, e *Engine) func(open func(c *Conn) Handler) peer {
		return func(open func(c *Conn) Handler) peer {
			nc, err := e.Dial(open)
			if err != nil {
				t.Fatal(err)
			}
			return nc.(peer)
		}
	}},
}

// start makes an engine that ends with the test, which then has no connection left.
func start(t testing.TB, cfg Config, dial func(t testing.TB, e *Engine) func(open func(c *Conn) Handler) peer) *world {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		s := e.Stats()
		var closed int64
		for _, n := range s.Closed {
			closed += n
		}
		if s.Open != 0 || closed != s.Accepted {
			t.Errorf("%d connections were accepted, %d closed with a reason, %d are open", s.Accepted, closed, s.Open)
		}
	})
	w := &world{Engine: e, t: t}
	if dial != nil {
		w.dial = dial(t, e)
	}
	return w
}

// connect dials and closes with the test.
func (w *world) connect(open func(c *Conn) Handler) peer {
	p := w.dial(open)
	_ = p.SetDeadline(time.Now().Add(30 * time.Second))
	w.t.Cleanup(func() { _ = p.Close() })
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
					tc.run(t, start(t, cfg, b.make))
				})
			}
		})
	}
}

var contract = []struct {
	name string
	tune func(cfg *Config)
	run  func(t *testing.T, w *world)
}{
	{name: "echo", run: testEcho},
}

func testEcho(t *testing.T, w *world) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	p := w.connect(echo().open)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.Write(want); err != nil {
			t.Error(err)
		}
		if err := p.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, %v; want the %d that were sent", len(got), err, len(want))
	}
	wg.Wait()
}
