package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

var handoverClauses = []clause{
	{name: "handover/detach inside OnData, and attach again", run: testDetachAttach},
	{name: "handover/detach outside OnData keeps what was left", run: testDetachOutside},
	{name: "handover/detach takes queued output along", run: testDetachQueued},
	{name: "handover/attach of something else", run: testAttachOther},
	{name: "handover/attach shows the prefix without more", run: testAttachPrefix},
}

func testDetachAttach(t *testing.T, w *world) {
	out := make(chan net.Conn, 1)
	p := w.connect((&probe{data: func(c *Conn, p []byte) int {
		nc, err := c.Detach(p)
		if err != nil {
			t.Error(err)
		}
		out <- nc
		return 0
	}}).open)
	for round := range 3 {
		send(t, p, []byte("hello"))
		nc := await(t, out, "the detached connection")
		_ = nc.SetDeadline(time.Now().Add(patience))
		receive(t, nc, "hel")
		send(t, nc, []byte("from a goroutine"))
		receive(t, p, "from a goroutine")
		send(t, p, []byte(" world"))
		shown := make(chan string, 10)
		var got []byte
		if err := w.Attach(nc, []byte("HEL"), func(c *Conn) Handler {
			return &probe{data: func(c *Conn, p []byte) int {
				got = append(got, p...)
				if len(got) >= len("HELlo world") {
					shown <- string(got)
					c.SetHandler(&probe{data: func(c *Conn, p []byte) int {
						nc, err := c.Detach(p)
						if err != nil {
							t.Error(err)
						}
						out <- nc
						return 0
					}})
				}
				return len(p)
			}}
		}); err != nil {
			t.Fatal(err)
		}
		if s := await(t, shown, "the attached connection's bytes"); s != "HELlo world" {
			t.Fatalf("round %d: shown %q", round, s)
		}
	}
	send(t, p, []byte("end"))
	nc := await(t, out, "the detached connection")
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(nc)
	if err != nil || string(got) != "end" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(p); err != nil || len(got) != 0 {
		t.Fatalf("got %q, %v", got, err)
	}
	_ = nc.Close()
	if n := w.Stats().Closed[Detached]; n != 4 {
		t.Errorf("%d detached connections were counted, want 4", n)
	}
}

func testDetachOutside(t *testing.T, w *world) {
	refs := make(chan Ref, 1)
	p := w.connect((&probe{data: func(c *Conn, p []byte) int {
		c.PauseRead()
		refs <- c.Ref()
		return 2
	}}).open)
	send(t, p, []byte("abcd"))
	r := await(t, refs, "the bytes")
	send(t, p, []byte("ef"))
	out := make(chan net.Conn, 1)
	on(t, r.Loop(), func() {
		nc, err := r.Conn().Detach([]byte("AB"))
		if err != nil {
			t.Error(err)
		}
		out <- nc
	})
	nc := await(t, out, "the detached connection")
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	receive(t, nc, "ABcdef")
}

func testDetachQueued(t *testing.T, w *world) {
	want := numbers(6 << 20)
	out := make(chan net.Conn, 1)
	p := w.connect((&probe{data: func(c *Conn, p []byte) int {
		for i := 0; i < len(want); i += 3 << 16 {
			c.Send(NewFrame(want[i:i+1<<16], 0))
			c.Send(NewFrame(want[i+1<<16:i+3<<16], 0))
		}
		nc, err := c.Detach(nil)
		if err != nil {
			t.Error(err)
		}
		out <- nc
		return 0
	}}).open)
	send(t, p, []byte("x"))
	nc := await(t, out, "the detached connection")
	go func() {
		send(t, nc, []byte("tail"))
		_ = nc.Close()
	}()
	got, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(got, append(want, "tail"...)) {
		t.Fatalf("got %d bytes, %v; want the %d queued ones and 4", len(got), err, len(want))
	}
}

func testAttachOther(t *testing.T, w *world) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := w.Attach(a, nil, echo().open); err == nil {
		t.Fatal("a net.Pipe was attached")
	}
	go func() { _, _ = b.Write([]byte("x")) }()
	receive(t, a, "x") // still usable
}

func testAttachPrefix(t *testing.T, w *world) {
	out := make(chan net.Conn, 1)
	p := w.connect((&probe{data: func(c *Conn, p []byte) int {
		nc, err := c.Detach(nil)
		if err != nil {
			t.Error(err)
		}
		out <- nc
		return 0
	}}).open)
	send(t, p, []byte("x"))
	nc := await(t, out, "the detached connection")
	prefix := []byte("prefix")
	if err := w.Attach(nc, prefix, echo().open); err != nil {
		t.Fatal(err)
	}
	clear(prefix) // was copied
	receive(t, p, "prefix")
	if err := w.Attach(nc, nil, echo().open); err == nil {
		t.Fatal("a connection was attached twice")
	}
}

// TestShutdown: the ways in which an engine ends.
func TestShutdown(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			for _, tc := range []struct {
				name  string
				read  bool
				limit time.Duration
			}{{"peers read", true, patience}, {"peers do not read", false, 50 * time.Millisecond}} {
				t.Run(tc.name, func(t *testing.T) {
					t.Parallel()
					e, err := New(Config{Backend: b.cfg.Backend, Loops: 2})
					if err != nil {
						t.Fatal(err)
					}
					const n, size = 10, 4 << 20
					closed, ends := endings()
					opened := make(chan struct{}, n)
					dial := b.make(t, e)(func(c *Conn) Handler {
						for range size >> 16 {
							c.Send(NewFrame(make([]byte, 1<<16), 0))
						}
						opened <- struct{}{}
						return &probe{close: closed}
					})
					got := make(chan int64, n)
					for range n {
						p := dial()
						defer p.Close()
						await(t, opened, "the connection")
						if tc.read {
							go func() {
								n, _ := io.Copy(io.Discard, p)
								_ = p.Close()
								got <- n
							}()
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), tc.limit)
					defer cancel()
					err = e.Shutdown(ctx)
					if tc.read != (err == nil) || !tc.read && !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("shutdown: %v", err)
					}
					for range n {
						if r := await(t, ends, "the closes"); r.reason != Shutdown {
							t.Errorf("closed with %v", r.reason)
						}
						if tc.read {
							if n := await(t, got, "the readers"); n != size {
								t.Errorf("a reader got %d of %d queued bytes", n, size)
							}
						}
					}
					e.settled(t)
					for _, l := range e.Loops() {
						if l.Post(TaskFunc(func(*Loop) { t.Error("a task ran after the end") })) {
							t.Error("a loop that has stopped took a task")
						}
					}
					if _, err := e.Listen("tcp", "127.0.0.1:0", echo().open); !errors.Is(err, ErrStopped) {
						t.Errorf("listen after the end: %v", err)
					}
					if err := e.Shutdown(t.Context()); err != nil {
						t.Errorf("shutdown after shutdown: %v", err)
					}
				})
			}
		})
	}
}
