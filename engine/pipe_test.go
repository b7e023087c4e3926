package engine

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestPipe: a memory connection behaves like TCP for both of its ends.
func TestPipe(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, a, b *MemoryConn)
	}{
		{"order and back-pressure", func(t *testing.T, a, b *MemoryConn) {
			want := numbers(1 << 20)
			var wg sync.WaitGroup
			wg.Go(func() { send(t, a, want); _ = a.Close() })
			synctest.Wait()
			if n := b.in().waiting(); n != pipeBuffer {
				t.Errorf("%d bytes are under way, want %d", n, pipeBuffer)
			}
			if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			wg.Wait()
		}},
		{"uneven reads and writes", func(t *testing.T, a, b *MemoryConn) {
			rnd := rand.New(rand.NewPCG(5, 5))
			want := numbers(1 << 20)
			var wg sync.WaitGroup
			wg.Go(func() {
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+rnd.IntN(9000))
					send(t, a, rest[:n])
					rest = rest[n:]
				}
				_ = a.Close()
			})
			var got []byte
			for i := 0; ; i++ {
				p := make([]byte, 1+i%5000)
				n, err := b.Read(p)
				got = append(got, p[:n]...)
				if err != nil {
					break
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, or in another order than the %d sent", len(got), len(want))
			}
			wg.Wait()
		}},
		{"read deadline", func(t *testing.T, a, _ *MemoryConn) {
			from := time.Now()
			_ = a.SetReadDeadline(from.Add(3 * time.Second))
			_, err := a.Read(make([]byte, 1))
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() || time.Since(from) != 3*time.Second {
				t.Errorf("%v after %v", err, time.Since(from))
			}
			_ = a.SetReadDeadline(time.Time{})
			go func() { time.Sleep(time.Hour); _ = a.SetReadDeadline(time.Now()) }()
			if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a deadline set during the read: %v", err)
			}
		}},
		{"write deadline", func(t *testing.T, a, b *MemoryConn) {
			_ = a.SetDeadline(time.Now().Add(time.Second))
			n, err := a.Write(make([]byte, 2*pipeBuffer))
			if n != pipeBuffer || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("wrote %d, %v", n, err)
			}
			if n, err := io.ReadFull(b, make([]byte, pipeBuffer)); err != nil {
				t.Errorf("read %d, %v", n, err)
			}
		}},
		{"half-close", func(t *testing.T, a, b *MemoryConn) {
			send(t, a, []byte("ask"))
			_ = a.CloseWrite()
			if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("write after half-close: %v", err)
			}
			if got, err := io.ReadAll(b); string(got) != "ask" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			send(t, b, []byte("answer"))
			_ = b.Close()
			if got, err := io.ReadAll(a); string(got) != "answer" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}},
		{"close with unread bytes resets", func(t *testing.T, a, b *MemoryConn) {
			send(t, a, []byte("unread"))
			_ = b.Close()
			if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read: %v", err)
			}
			if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v", err)
			}
		}},
		{"write to a closed end", func(t *testing.T, a, b *MemoryConn) {
			_ = b.Close()
			if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("write: %v", err)
			}
		}},
		{"reset wakes a reader and a writer", func(t *testing.T, a, b *MemoryConn) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("read: %v", err)
				}
			})
			wg.Go(func() {
				if _, err := a.Write(make([]byte, 2*pipeBuffer)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("write: %v", err)
				}
			})
			synctest.Wait()
			_ = b.Reset()
			wg.Wait()
		}},
		{"close wakes its own reader", func(t *testing.T, a, _ *MemoryConn) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("read: %v", err)
				}
			})
			synctest.Wait()
			_ = a.Close()
			wg.Wait()
			if err := a.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second close: %v", err)
			}
			if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("deadline after close: %v", err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, b := Pipe()
				tc.run(t, a, b)
				_ = a.Close()
				_ = b.Close()
			})
		})
	}
}

// TestOwnedEnd: the end that an engine has cannot be used beside it.
func TestOwnedEnd(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Loops: 1}, memoryBackend)
	a, b := Pipe()
	opened := make(chan struct{})
	if err := w.Attach(b, nil, func(*Conn) Handler { close(opened); return echo() }); err != nil {
		t.Fatal(err)
	}
	await(t, opened, "the connection")
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("an engine's end was read")
	}
	if _, err := b.Write([]byte("x")); err == nil {
		t.Error("an engine's end was written")
	}
	if b.Close() == nil {
		t.Error("an engine's end was closed")
	}
	send(t, a, []byte("hello"))
	receive(t, a, "hello")
	_ = a.Close()
}

// TestSink: connections without a goroutine at their far end.
func TestSink(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Loops: 2}, memoryBackend)
	closed, ends := endings()
	refs := make(chan Ref, 1)
	h := echo()
	h.close = closed
	open := func(c *Conn) Handler { refs <- c.Ref(); return h }
	dial := func() (*Sink, Ref) {
		s, err := w.DialSink(open)
		if err != nil {
			t.Fatal(err)
		}
		return s, await(t, refs, "the connection")
	}
	settle := func(r Ref) {
		for range 2 {
			on(t, r.Loop(), func() {})
		}
	}

	s, r := dial()
	s.Feed([]byte("hello"))
	settle(r)
	if n := s.Bytes(); n != 5 {
		t.Errorf("the sink got %d bytes, want 5", n)
	}
	s.Stall(true)
	s.Feed([]byte("more"))
	settle(r)
	if n := s.Bytes(); n != 5 {
		t.Errorf("a stalled sink got %d bytes, want 5", n)
	}
	s.Stall(false)
	settle(r)
	if n := s.Bytes(); n != 9 {
		t.Errorf("the sink got %d bytes, want 9", n)
	}
	s.CloseWrite()
	if e := await(t, ends, "the close"); e.reason != PeerClosed || !s.Closed() {
		t.Errorf("closed with %v", e.reason)
	}

	s, _ = dial()
	s.Reset()
	if e := await(t, ends, "the close"); e.reason != PeerReset || !s.Closed() {
		t.Errorf("closed with %v", e.reason)
	}

	_, r = dial()
	on(t, r.Loop(), func() {
		if _, err := r.Conn().Detach(nil); err == nil {
			t.Error("a sink was detached")
		}
		r.Conn().Close(Aborted, nil)
	})
	if e := await(t, ends, "the close"); e.reason != Aborted {
		t.Errorf("closed with %v", e.reason)
	}
}
