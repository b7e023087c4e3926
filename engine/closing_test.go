package engine

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

var closeClauses = []clause{
	{name: "close/half-close, then an answer", run: testHalfClose},
	{name: "close/flushes all, then FIN", run: testCloseFlushes},
	{name: "close/discards what the peer still sends", run: testCloseDiscards},
	{name: "close/peer resets", run: testPeerReset},
	{name: "close/peer resets a paused connection", run: testPeerResetPaused},
	{name: "close/peer resets a half-closed connection", run: testPeerResetHalfClosed},
	{name: "close/in every callback", run: testEndInCallbacks},
	{name: "close/refused", run: testRefused},
	{name: "close/the first reason stands", run: testFirstReason},
	{name: "close/a reference names nobody afterwards", run: testRef},
	{name: "close/OnClose may end others", run: testCloseOthers},
	{name: "close/nothing happens after the end", run: testAfterTheEnd},
}

func testHalfClose(t *testing.T, w *world) {
	closed, ends := endings()
	var got []byte
	p := w.connect((&probe{
		data: func(_ *Conn, p []byte) int { got = append(got, p...); return len(p) },
		eof: func(c *Conn) {
			c.Write(got)
			c.Loop().AfterFunc(time.Millisecond, func() { c.Write([]byte("!")); c.Close(PeerClosed, nil) })
		},
		close: closed,
	}).open)
	send(t, p, []byte("hello"))
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(p); string(got) != "hello!" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if e := await(t, ends, "the close"); e.reason != PeerClosed {
		t.Fatalf("closed with %v", e.reason)
	}
}

func testCloseFlushes(t *testing.T, w *world) {
	want := numbers(8 << 20)
	closed, ends := endings()
	reason := errors.New("enough")
	p := w.connect(func(c *Conn) Handler {
		for i := 0; i < len(want); i += 1 << 16 {
			c.Send(NewFrame(want[i:i+1<<16], 0))
		}
		c.Close(ResponseEnd, reason)
		c.Write([]byte("not any more"))
		c.Send(NewFrame([]byte("nor this"), 0))
		return &probe{close: closed}
	})
	got, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, %v; want the %d that were queued", len(got), err, len(want))
	}
	select {
	case e := <-ends:
		t.Fatalf("the connection ended with %v before the peer did", e)
	default:
	}
	_ = p.Close()
	if e := await(t, ends, "the close"); e.reason != ResponseEnd || e.err != reason {
		t.Fatalf("closed with %v, %v", e.reason, e.err)
	}
}

// testCloseDiscards: a peer that is still sending must get all that was queued; a reset because of its unread bytes could destroy it.
func testCloseDiscards(t *testing.T, w *world) {
	closed, ends := endings()
	shown := 0
	p := w.connect((&probe{
		data: func(c *Conn, p []byte) int {
			shown++
			c.Write([]byte("no more"))
			c.Close(BadRequest, nil)
			return 0
		},
		close: closed,
	}).open)
	var wg sync.WaitGroup
	wg.Go(func() {
		send(t, p, make([]byte, 4<<20))
		if err := p.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	if got, err := io.ReadAll(p); string(got) != "no more" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	wg.Wait()
	if e := await(t, ends, "the close"); e.reason != BadRequest || shown != 1 {
		t.Fatalf("closed with %v, after OnData was called %d times", e.reason, shown)
	}
}

func testPeerReset(t *testing.T, w *world) {
	closed, ends := endings()
	ready := make(chan struct{})
	h := &probe{close: closed, data: func(_ *Conn, p []byte) int { close(ready); return len(p) }}
	p := w.connect(h.open)
	send(t, p, []byte("x"))
	await(t, ready, "the connection")
	want := PeerReset
	if p.LocalAddr().Network() == "unix" { // has no reset, but for unread bytes
		want = PeerClosed
	}
	reset(p)
	if e := await(t, ends, "the close"); e.reason != want {
		t.Fatalf("closed with %v, %v", e.reason, e.err)
	}
}

func testPeerResetPaused(t *testing.T, w *world) {
	closed, ends := endings()
	refs := make(chan Ref, 1)
	p := w.connect((&probe{close: closed, data: func(c *Conn, p []byte) int {
		c.PauseRead()
		refs <- c.Ref()
		return 0
	}}).open)
	send(t, p, []byte("x"))
	r := await(t, refs, "the pause")
	reset(p)
	if p.LocalAddr().Network() == "unix" { // an ordinary end, which waits for the handler
		on(t, r.Loop(), func() { r.Conn().SetHandler(&probe{close: closed}); r.Conn().ResumeRead() })
		if e := await(t, ends, "the close"); e.reason != PeerClosed {
			t.Fatalf("closed with %v, %v", e.reason, e.err)
		}
		return
	}
	if e := await(t, ends, "the close"); e.reason != PeerReset {
		t.Fatalf("closed with %v, %v", e.reason, e.err)
	}
}

// testPeerResetHalfClosed: the end of a connection of which there is nothing to read is seen without a write.
func testPeerResetHalfClosed(t *testing.T, w *world) {
	closed, ends := endings()
	eof := make(chan struct{})
	p := w.connect((&probe{close: closed, eof: func(*Conn) { close(eof) }}).open)
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await(t, eof, "the end of the peer's direction")
	want := PeerReset
	if p.LocalAddr().Network() == "unix" {
		want = PeerClosed
	}
	reset(p)
	if e := await(t, ends, "the close"); e.reason != want {
		t.Fatalf("closed with %v, %v", e.reason, e.err)
	}
}

// testEndInCallbacks ends a connection in each way in each callback. OnClose must run once, or never after Detach, and not inside.
func testEndInCallbacks(t *testing.T, w *world) {
	ways := map[string]func(c *Conn) error{
		"close":           func(c *Conn) error { c.Close(Aborted, nil); return nil },
		"reset":           func(c *Conn) error { c.Reset(Aborted, nil); return nil },
		"close and reset": func(c *Conn) error { c.Close(Aborted, nil); c.Reset(IOError, nil); return nil },
		"reset and close": func(c *Conn) error { c.Reset(Aborted, nil); c.Close(IOError, nil); return nil },
		"detach": func(c *Conn) error {
			nc, err := c.Detach([]byte("x"))
			if err != nil {
				return err
			}
			return nc.Close()
		},
	}
	places := map[string]func(h *probe, end func(c *Conn) int) (open func(c *Conn) Handler){
		"open": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			return func(c *Conn) Handler { end(c); return h }
		},
		"OnData": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.data = func(c *Conn, _ []byte) int { return end(c) }
			return h.open
		},
		"OnData with bytes left": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.data = func(c *Conn, p []byte) int {
				if len(p) < 100 {
					h.opened <- struct{}{} // now the rest may come: not in the same read
					return 0
				}
				n := end(c)
				if len(bytes.Trim(p, "\x00")) > 0 {
					panic("the bytes that OnData is looking at were given back")
				}
				return n
			}
			return h.open
		},
		"OnEOF": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.eof = func(c *Conn) { end(c) }
			return h.open
		},
		"OnDrain": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.drain = func(c *Conn) { end(c) }
			h.eof = func(*Conn) {}
			return func(c *Conn) Handler {
				for range 128 {
					c.Send(NewFrame(make([]byte, 1<<16), 0))
				}
				h.opened <- struct{}{}
				return h
			}
		},
		"OnDeadline": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.deadline = func(c *Conn, _ uint32) { end(c) }
			h.eof = func(*Conn) {}
			return func(c *Conn) Handler { c.SetDeadline(c.Loop().Now() + 1); return h }
		},
		"a timer": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.eof = func(*Conn) {}
			return func(c *Conn) Handler { c.Loop().AfterFunc(0, func() { end(c) }); return h }
		},
		"a task": func(h *probe, end func(c *Conn) int) func(c *Conn) Handler {
			h.eof = func(*Conn) {}
			return func(c *Conn) Handler { c.Loop().Post(TaskFunc(func(*Loop) { end(c) })); return h }
		},
	}
	for place, arrange := range places {
		for way, end := range ways {
			t.Run(place+"/"+way, func(t *testing.T) {
				t.Parallel()
				inside, tried, ends := false, make(chan error, 1), make(chan ended, 10)
				opened := make(chan struct{}, 1)
				h := &probe{opened: opened, close: func(_ *Conn, r CloseReason, err error) {
					if inside {
						t.Error("OnClose was called inside another callback")
					}
					ends <- ended{r, err}
				}}
				dial := w.serve(arrange(h, func(c *Conn) int {
					inside = true
					err := end(c)
					if !c.Closed() {
						t.Error("the connection does not count as closed")
					}
					c.Write([]byte("x"))
					c.Send(NewFrame([]byte("x"), 0))
					c.PauseRead()
					c.ResumeRead()
					c.SetDeadline(1)
					c.Close(IOError, nil)
					if _, e := c.Detach(nil); e == nil {
						t.Error("a closed connection was detached")
					}
					inside = false
					tried <- err
					return 1 << 20 // ignored
				}))
				p := dial()
				defer p.Close()
				_ = p.SetDeadline(time.Now().Add(patience))
				go func() { // fails when the connection is reset first
					_, _ = p.Write(make([]byte, 60))
					if place == "OnData with bytes left" {
						<-opened
					}
					_, _ = p.Write(make([]byte, 60))
					_ = p.CloseWrite()
				}()
				if place == "OnDrain" {
					await(t, opened, "the queue to be over the cap") // before anything is read
				}
				go func() { _, _ = io.Copy(io.Discard, p) }()
				if err := await(t, tried, "the callback"); err != nil {
					t.Fatal(err)
				}
				if way == "detach" {
					for _, l := range w.Loops() {
						for range 3 {
							on(t, l, func() {})
						}
					}
					if len(ends) > 0 {
						t.Fatalf("OnClose was called after Detach, with %v", <-ends)
					}
					return
				}
				if e := await(t, ends, "OnClose"); e.reason != Aborted {
					t.Fatalf("closed with %v", e.reason)
				}
				for _, l := range w.Loops() {
					on(t, l, func() {})
				}
				if len(ends) > 0 {
					t.Fatalf("OnClose was called again, with %v", <-ends)
				}
			})
		}
	}
}

func testRefused(t *testing.T, w *world) {
	p := w.connect(func(*Conn) Handler { return nil })
	if _, err := io.ReadAll(p); err == nil && p.LocalAddr().Network() != "unix" {
		t.Fatal("a refused connection ended in the ordinary way")
	}
	for _, l := range w.Loops() {
		on(t, l, func() {})
	}
	if n := w.Stats().Closed[Refused]; n != 1 {
		t.Fatalf("%d refused connections were counted", n)
	}
}

func testFirstReason(t *testing.T, w *world) {
	closed, ends := endings()
	first := errors.New("first")
	p := w.connect(func(c *Conn) Handler {
		c.Close(AuthExpired, first)
		c.Close(IOError, errors.New("second"))
		c.Reset(IOError, errors.New("third"))
		return &probe{close: closed}
	})
	if e := await(t, ends, "the close"); e.reason != AuthExpired || e.err != first {
		t.Fatalf("closed with %v, %v", e.reason, e.err)
	}
	_, _ = io.ReadAll(p)
	if s := w.Stats(); s.Closed[AuthExpired] != 1 {
		t.Fatalf("counted: %v", s.Closed)
	}
}

func testRef(t *testing.T, w *world) {
	refs := make(chan Ref, 1)
	closed, ends := endings()
	dial := w.serve(func(c *Conn) Handler { refs <- c.Ref(); return &probe{close: closed} })
	old := make(map[Ref]bool)
	for range 20 {
		p := dial()
		r := await(t, refs, "the connection")
		if old[r] {
			t.Fatal("two connections have the same Ref")
		}
		old[r] = true
		on(t, r.Loop(), func() {
			if c := r.Conn(); c == nil || c.Ref() != r {
				t.Error("the Ref does not name its connection")
			}
		})
		_ = p.Close()
		await(t, ends, "the close")
		on(t, r.Loop(), func() {}) // the iteration in which the slot becomes free
		for o := range old {
			on(t, o.Loop(), func() {
				if o.Conn() != nil {
					t.Error("the Ref of a gone connection names somebody")
				}
			})
		}
	}
	if (Ref{}).Conn() != nil || (Ref{}).Loop() != nil {
		t.Error("the zero Ref names somebody")
	}
}

func testCloseOthers(t *testing.T, w *world) {
	const n = 50
	byLoop := map[*Loop][]*Conn{} // by the loops, one at a time: see below
	var mu sync.Mutex
	opened, ends := make(chan struct{}, n), make(chan ended, n)
	dial := w.serve(func(c *Conn) Handler {
		mu.Lock()
		byLoop[c.Loop()] = append(byLoop[c.Loop()], c)
		mu.Unlock()
		opened <- struct{}{}
		return &probe{close: func(c *Conn, r CloseReason, err error) {
			mu.Lock()
			others := byLoop[c.Loop()]
			byLoop[c.Loop()] = nil
			mu.Unlock()
			for _, o := range others {
				if o != c {
					o.Reset(Aborted, nil)
				}
			}
			ends <- ended{r, err}
		}}
	})
	for range n {
		p := dial()
		defer p.Close()
		await(t, opened, "the connection")
	}
	for _, l := range w.Loops() {
		on(t, l, func() {
			mu.Lock()
			first := byLoop[l]
			mu.Unlock()
			if len(first) > 0 {
				first[0].Reset(Aborted, nil)
			}
		})
	}
	for range n {
		await(t, ends, "the closes")
	}
}

func testAfterTheEnd(t *testing.T, w *world) {
	var kept *Conn
	done := make(chan *Loop, 1)
	p := w.connect(func(c *Conn) Handler {
		kept = c
		return &probe{close: func(c *Conn, _ CloseReason, _ error) {
			c.Write([]byte("x"))
			c.Send(NewFrame([]byte("x"), 0))
			c.SetHandler(&probe{})
			c.SetDeadline(1)
			c.PauseRead()
			c.ResumeRead()
			c.Reset(Aborted, nil)
			c.Close(Aborted, nil)
			if _, err := c.Detach(nil); !errors.Is(err, ErrClosed) {
				t.Errorf("detached after the end: %v", err)
			}
			if c.Buffered() != 0 || c.Local() != nil || !c.Closed() {
				t.Error("the connection is not at its end in OnClose")
			}
			done <- c.Loop()
		}}
	})
	_ = p.Close()
	l := await(t, done, "the close")
	on(t, l, func() {})
	on(t, l, func() {
		defer func() {
			if recover() == nil {
				t.Error("the handler of a freed slot could be called")
			}
		}()
		kept.handler.OnEOF(kept)
	})
}

// TestCloseLog: each close makes one line with its reason, at level debug.
func TestCloseLog(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var log bytes.Buffer
	handler := slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug})
	w := start(t, Config{Loops: 1, Logger: slog.New(handler)}, memoryBackend)
	closed, ends := endings()
	w.connect(func(c *Conn) Handler {
		c.Reset(RateLimited, errors.New("too much"))
		return &probe{close: closed}
	})
	await(t, ends, "the close")
	mu.Lock()
	defer mu.Unlock()
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "reason=rate-limited") || !strings.Contains(got, `error="too much"`) {
		t.Errorf("logged:\n%s", got)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
