package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

var inputClauses = []clause{
	{name: "input/echo of a large stream", run: testEcho},
	{name: "input/random consumption of random chunks", run: testRandomConsumption},
	{name: "input/what is left is shown with more", run: testLeftovers},
	{name: "input/a paused connection slows its peer and loses nothing", run: testPauseUnderLoad},
	{name: "input/pause inside OnData keeps what is not consumed", run: testPauseInside},
	{name: "input/resume without progress does not hold the loop", run: testResumeWithoutProgress},
	{name: "input/another handler gets the rest", run: testSetHandler},
	{name: "input/another handler hears of an end that was before it", run: testSetHandlerAfterEOF},
	{name: "input/too much left", tune: func(cfg *Config) { cfg.InputMax = 100_000 }, run: testInputMax},
	{name: "input/nonsense consumed", run: testNonsenseConsumed},
	{name: "input/one busy peer does not starve another", tune: func(cfg *Config) { cfg.Loops = 1 }, run: testFairReads},
}

func testEcho(t *testing.T, w *world) {
	want := numbers(1 << 20)
	p := w.connect(echo().open)
	var wg sync.WaitGroup
	wg.Go(func() {
		send(t, p, want)
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

// testRandomConsumption sends a stream in pieces of random size to a handler that consumes random amounts, pauses and resumes at
// random; what it consumes must be the stream.
func testRandomConsumption(t *testing.T, w *world) {
	for seed := range uint64(8) {
		want := numbers(200_000)
		rnd := rand.New(rand.NewPCG(seed, 1)) // the loop's
		var got []byte
		done := make(chan struct{})
		h := &probe{}
		h.data = func(c *Conn, p []byte) int {
			n := rnd.IntN(len(p) + 1)
			switch rnd.IntN(10) {
			case 0:
				n = len(p)
			case 1, 2:
				n = min(n, 3)
			case 3:
				n = 0
			case 4:
				c.PauseRead()
				r := c.Ref()
				if rnd.IntN(2) == 0 {
					c.ResumeRead()
				} else {
					c.Loop().AfterFunc(time.Duration(rnd.IntN(300))*time.Microsecond, func() {
						if c := r.Conn(); c != nil {
							c.ResumeRead()
						}
					})
				}
			case 5:
				c.SetHandler(&probe{data: h.data, eof: h.eof})
			}
			got = append(got, p[:n]...)
			return n
		}
		h.eof = func(c *Conn) {
			// The end may come while bytes are left: they have been shown, and are shown to a handler that takes over.
			c.SetHandler(&probe{
				data: func(_ *Conn, p []byte) int { got = append(got, p...); return len(p) },
				eof:  func(c *Conn) { c.Close(PeerClosed, nil); close(done) },
			})
		}
		p := w.connect(h.open)
		wrnd := rand.New(rand.NewPCG(seed, 2))
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+wrnd.IntN(1<<wrnd.IntN(17)))
			send(t, p, rest[:n])
			rest = rest[n:]
		}
		if err := p.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		await(t, done, fmt.Sprintf("the end of the stream of seed %d", seed))
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes were consumed, or in another order than the %d sent", seed, len(got), len(want))
		}
	}
}

func testLeftovers(t *testing.T, w *world) {
	shown := make(chan string, 10)
	p := w.connect((&probe{data: func(_ *Conn, b []byte) int {
		shown <- string(b)
		return bytes.LastIndexByte(b, '.') + 1
	}}).open)
	for _, step := range []struct{ in, want string }{
		{"abc", "abc"}, {"d", "abcd"}, {"e.f", "abcde.f"}, {"g.", "fg."}, {"h", "h"},
	} {
		send(t, p, []byte(step.in))
		if got := await(t, shown, step.in); got != step.want {
			t.Fatalf("after %q the handler was shown %q, want %q", step.in, got, step.want)
		}
	}
}

// testPauseUnderLoad sends to a paused connection until nothing more goes in, which must be at a few buffers; then all that was
// sent, and the end behind it, must come in order.
func testPauseUnderLoad(t *testing.T, w *world) {
	var got []byte
	refs, done := make(chan Ref, 1), make(chan struct{})
	h := &probe{
		data: func(c *Conn, p []byte) int {
			if len(got) == 0 && len(p) > 0 {
				c.PauseRead()
				refs <- c.Ref()
			}
			got = append(got, p...)
			return len(p)
		},
		eof: func(c *Conn) { close(done); c.Close(PeerClosed, nil) },
	}
	p := w.connect(h.open)
	all := numbers(64 << 20)
	send(t, p, all[:4])
	r := await(t, refs, "the first bytes")
	sent := 4
	for {
		_ = p.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := p.Write(all[sent:])
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if n == 0 {
				break
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if sent == len(all) {
			t.Fatalf("the peer of a paused connection could send %d bytes", sent)
		}
	}
	on(t, r.Loop(), func() {
		if len(got) != 4 {
			t.Errorf("a paused handler was shown %d bytes", len(got))
		}
		r.Conn().ResumeRead()
	})
	_ = p.SetWriteDeadline(time.Now().Add(patience))
	end := min(sent+1<<20, len(all))
	send(t, p, all[sent:end])
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await(t, done, "the end of the stream")
	if !bytes.Equal(got, all[:end]) {
		t.Fatalf("got %d bytes, or in another order than the %d sent", len(got), end)
	}
	if n := w.Stats().Pauses; n != 1 {
		t.Errorf("%d pauses were counted, want 1", n)
	}
}

func testPauseInside(t *testing.T, w *world) {
	shown, refs, eof := make(chan string, 10), make(chan Ref, 1), make(chan struct{})
	paused := false
	p := w.connect((&probe{
		data: func(c *Conn, p []byte) int {
			shown <- string(p)
			if !paused {
				paused = true
				c.PauseRead()
				refs <- c.Ref()
				return 2
			}
			return len(p)
		},
		eof: func(c *Conn) { close(eof); c.Close(PeerClosed, nil) },
	}).open)
	send(t, p, []byte("abcd"))
	r := await(t, refs, "the pause")
	if got := await(t, shown, "the bytes"); got != "abcd" {
		t.Fatalf("shown %q", got)
	}
	send(t, p, []byte("ef"))
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // whole iterations, in which nothing must be shown
		on(t, r.Loop(), func() {})
	}
	select {
	case got := <-shown:
		t.Fatalf("a paused handler was shown %q", got)
	case <-eof:
		t.Fatal("a paused handler was told of the end")
	default:
	}
	on(t, r.Loop(), func() { r.Conn().ResumeRead() })
	var rest string
	for rest != "cdef" {
		rest += await(t, shown, "the rest")
		if len(rest) > 4 || rest != "cdef"[:len(rest)] {
			t.Fatalf("after the pause the handler was shown %q", rest)
		}
	}
	await(t, eof, "the end")
}

func testResumeWithoutProgress(t *testing.T, w *world) {
	calls := make(chan Ref, 1)
	n := 0
	p := w.connect((&probe{data: func(c *Conn, _ []byte) int {
		c.PauseRead()
		c.ResumeRead()
		if n++; n == 3 {
			calls <- c.Ref()
		}
		return 0
	}}).open)
	send(t, p, []byte("x"))
	r := await(t, calls, "being shown again")
	on(t, r.Loop(), func() { r.Conn().Close(Aborted, nil) })
}

func testSetHandler(t *testing.T, w *world) {
	inside, shown := make(chan bool, 1), make(chan string, 10)
	refs := make(chan Ref, 1)
	third := &probe{data: func(_ *Conn, p []byte) int { shown <- "third:" + string(p); return len(p) }}
	second := &probe{data: func(c *Conn, p []byte) int { shown <- "second:" + string(p); refs <- c.Ref(); return 1 }}
	first := &probe{data: func(c *Conn, p []byte) int {
		c.SetHandler(second)
		inside <- len(shown) == 0 // not from within the call
		return 4
	}}
	p := w.connect(first.open)
	send(t, p, []byte("headrest"))
	if !await(t, inside, "the first handler") {
		t.Fatal("the second handler was called inside the first")
	}
	if got := await(t, shown, "the second handler"); got != "second:rest" {
		t.Fatalf("shown %q", got)
	}
	r := await(t, refs, "the second handler")
	on(t, r.Loop(), func() { r.Conn().SetHandler(third) })
	if got := await(t, shown, "the third handler"); got != "third:est" {
		t.Fatalf("shown %q", got)
	}
}

func testSetHandlerAfterEOF(t *testing.T, w *world) {
	refs := make(chan Ref, 2)
	p := w.connect((&probe{eof: func(c *Conn) { refs <- c.Ref() }}).open)
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r := await(t, refs, "the first handler")
	on(t, r.Loop(), func() {
		r.Conn().SetHandler(&probe{eof: func(c *Conn) {
			c.Write([]byte("bye"))
			c.Close(PeerClosed, nil)
		}})
	})
	receive(t, p, "bye")
}

func testInputMax(t *testing.T, w *world) {
	closed, ends := endings()
	p := w.connect((&probe{data: func(*Conn, []byte) int { return 0 }, close: closed}).open)
	go func() { _, _ = p.Write(make([]byte, 300_000)) }() // fails when the connection is reset
	if e := await(t, ends, "the close"); e.reason != InputOverflow || e.err == nil {
		t.Fatalf("closed with %v, %v", e.reason, e.err)
	}
}

func testNonsenseConsumed(t *testing.T, w *world) {
	for _, n := range []int{-1, 2, 1 << 40} {
		closed, ends := endings()
		p := w.connect((&probe{data: func(*Conn, []byte) int { return n }, close: closed}).open)
		send(t, p, []byte("x"))
		if e := await(t, ends, "the close"); e.reason != InternalError || e.err == nil {
			t.Fatalf("%d of 1 bytes consumed: closed with %v, %v", n, e.reason, e.err)
		}
	}
}

// testFairReads has one peer send without end; another on the same loop must be answered nevertheless.
func testFairReads(t *testing.T, w *world) {
	flood := w.connect((&probe{}).open)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		p := make([]byte, 1<<20)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := flood.Write(p); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
					return
				}
			}
		}
	})
	p := w.connect(echo().open)
	for range 100 {
		send(t, p, []byte("ping"))
		receive(t, p, "ping")
	}
	close(stop)
	wg.Wait()
}
