package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the gnet backend keeps in another way than the contract's tests can see: the bounds that Config.Backend states.

// gnetOf is the loop's gnet driver.
func gnetOf(l *Loop) *gnetDriver { return l.hosted.host.(*gnetDriver) }

// waitsFor is what the second poller tells of c.
func waitsFor(c *Conn) (x watched) {
	w := &gnetOf(c.loop).room
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.waiting[c.fd]; p != nil {
		x = *p
	}
	return x
}

// parked sends to a connection that pauses at its first byte until gnet has let go of it, and returns it and its peer.
func parked(t *testing.T, w *world, h *probe) (Ref, peer, []byte) {
	t.Helper()
	refs := make(chan Ref, 1)
	first := true
	data := h.data
	h.data = func(c *Conn, p []byte) int {
		if first {
			first = false
			c.PauseRead()
			refs <- c.Ref()
			return 0
		}
		return data(c, p)
	}
	p := w.connect(h.open)
	all := numbers(4 << 20)
	send(t, p, all[:4])
	r := await(t, refs, "the first bytes")
	sent := 4
	for {
		_ = p.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := p.Write(all[sent:min(len(all), sent+64<<10)])
		if sent += n; err != nil && n == 0 || sent == len(all) {
			break
		}
	}
	_ = p.SetWriteDeadline(time.Now().Add(patience))
	on(t, r.Loop(), func() {
		c := r.Conn()
		peer := &gnetOf(c.loop).peers[c.slot]
		if peer.gc != nil || peer.away == nil || peer.away.ended {
			t.Fatal("gnet still reads a connection that is paused and has bytes waiting")
		}
		if n := len(peer.away.kept); n > parkAt+readBudget {
			t.Errorf("%d bytes of a paused connection are kept, at most %d may be", n, parkAt+readBudget)
		}
	})
	return r, p, all[:sent]
}

// TestGnetPause: a paused connection leaves gnet, costs a bounded number of bytes, and comes back with nothing lost.
func TestGnetPause(t *testing.T) {
	t.Parallel()
	var got []byte
	done := make(chan struct{})
	h := &probe{
		data: func(_ *Conn, p []byte) int { got = append(got, p...); return len(p) },
		eof:  func(c *Conn) { close(done); c.Close(PeerClosed, nil) },
	}
	r, p, sent := parked(t, start(t, Config{Loops: 1}, gnetBackend), h)
	on(t, r.Loop(), func() { // as if there had been no descriptor at the first try
		d := gnetOf(r.Loop())
		d.notBack(&arrival{slot: r.Conn().slot, gen: r.Conn().gen}, syscall.EMFILE)
		r.Conn().ResumeRead()
	})
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await(t, done, "the end")
	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, or in another order than the %d sent", len(got), len(sent))
	}
}

// TestGnetNotBack: a connection that could not come back is tried again.
func TestGnetNotBack(t *testing.T) {
	t.Parallel()
	var got []byte
	done := make(chan struct{})
	h := &probe{
		data: func(_ *Conn, p []byte) int { got = append(got, p...); return len(p) },
		eof:  func(c *Conn) { close(done); c.Close(PeerClosed, nil) },
	}
	r, p, sent := parked(t, start(t, Config{Loops: 1}, gnetBackend), h)
	on(t, r.Loop(), func() {
		c := r.Conn()
		d := gnetOf(c.loop)
		a := d.peers[c.slot].away
		a.entering = true // nobody else brings it back
		c.ResumeRead()
		c.loop.runAgain()
		if len(a.kept) > 0 || d.peers[c.slot].gc != nil {
			t.Error("what was kept has not been read")
		}
		d.notBack(&arrival{slot: c.slot, gen: c.gen}, syscall.EMFILE)
	})
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await(t, done, "the end")
	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, or in another order than the %d sent", len(got), len(sent))
	}
}

// TestGnetParkedEnds: the ways in which a connection that gnet does not have can end.
func TestGnetParkedEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(t *testing.T, r Ref, p peer)
		want CloseReason
	}{
		{"reset by the peer", func(_ *testing.T, _ Ref, p peer) { reset(p) }, PeerReset},
		{"reset by the peer while more waits to go out than there is room for", func(t *testing.T, r Ref, p peer) {
			on(t, r.Loop(), func() {
				c := r.Conn()
				for range 100 {
					c.Send(NewFrame(make([]byte, 64<<10), 0))
				}
			})
			on(t, r.Loop(), func() {
				c := r.Conn()
				if x := waitsFor(c); c.flags&flagBlocked == 0 || !x.room || x.ends == 0 {
					t.Errorf("waits for %+v", x)
				}
			})
			reset(p)
		}, PeerReset},
		{"closed by us", func(t *testing.T, r Ref, p peer) {
			on(t, r.Loop(), func() { r.Conn().Write([]byte("bye")); r.Conn().Close(Aborted, nil) })
			receive(t, p, "bye")
			_ = p.Close()
		}, Aborted},
		{"reset by us", func(t *testing.T, r Ref, p peer) {
			on(t, r.Loop(), func() { r.Conn().Reset(Aborted, nil) })
			if _, err := p.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer sees %v", err)
			}
		}, Aborted},
		{"reset by us on its way back", func(t *testing.T, r Ref, p peer) {
			on(t, r.Loop(), func() {
				c := r.Conn()
				c.ResumeRead()
				c.loop.runAgain()
				c.Reset(Aborted, nil)
			})
			if _, err := p.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer sees %v", err)
			}
		}, Aborted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			closed, ends := endings()
			r, p, _ := parked(t, start(t, Config{Loops: 1}, gnetBackend), &probe{
				data: func(_ *Conn, p []byte) int { return len(p) }, close: closed,
			})
			tc.end(t, r, p)
			if e := await(t, ends, "the close"); e.reason != tc.want {
				t.Errorf("closed with %v, %v", e.reason, e.err)
			}
		})
	}
}

// TestGnetDetachParked: a connection leaves the engine while gnet does not have it, with what gnet has read.
func TestGnetDetachParked(t *testing.T) {
	t.Parallel()
	r, p, sent := parked(t, start(t, Config{Loops: 1}, gnetBackend), &probe{})
	out := make(chan net.Conn, 1)
	on(t, r.Loop(), func() {
		nc, err := r.Conn().Detach(nil)
		if err != nil {
			t.Error(err)
		}
		out <- nc
	})
	nc := await(t, out, "the connection")
	defer nc.Close()
	receive(t, nc, string(sent))
	send(t, nc, []byte("hello"))
	receive(t, p, "hello")
}

// TestGnetBuffersNothing: what a peer does not take waits in our queue, which has caps, and not in gnet's buffer, which has none.
func TestGnetBuffersNothing(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Loops: 1}, gnetBackend)
	refs := make(chan Ref, 1)
	w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
	r := await(t, refs, "the connection")
	f := NewFrame(make([]byte, 64<<10), 0)
	for range 20 {
		on(t, r.Loop(), func() {
			for range 20 {
				r.Conn().Send(f)
			}
		})
	}
	on(t, r.Loop(), func() {
		c := r.Conn()
		if n := gnetOf(c.loop).peers[c.slot].gc.OutboundBuffered(); n != 0 {
			t.Errorf("gnet has %d bytes to write", n)
		}
		if n := c.Buffered(); n < 20<<20 {
			t.Errorf("%d bytes wait of 25 MiB, of which the kernel takes less than one", n)
		}
		if c.flags&flagBlocked == 0 || !waitsFor(c).room {
			t.Error("the connection does not wait for room")
		}
		c.Reset(Aborted, nil)
		w := &gnetOf(c.loop).room
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := len(w.waiting); n != 0 {
			t.Errorf("%d connections wait for room after the end", n)
		}
	})
}

// runGnetChild runs a child process and returns what it writes to standard output.
func runGnetChild(t *testing.T, name string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SPOKE_ENGINE_TEST_CHILD="+name)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return out.String()
}

// TestGnetQuiet: gnet writes nothing to standard output; what it says is in the engine's log, at level debug.
func TestGnetQuiet(t *testing.T) {
	t.Parallel()
	if out := runGnetChild(t, "gnet quiet"); out != "" {
		t.Errorf("written to standard output:\n%s", out)
	}
}

// TestGnetWithoutDescriptors: what Config.Backend says of connections that need a second descriptor when there is none.
func TestGnetWithoutDescriptors(t *testing.T) {
	t.Parallel()
	runGnetChild(t, "gnet without descriptors")
}

func init() {
	children["gnet quiet"] = func() error {
		var mu sync.Mutex
		var log bytes.Buffer
		h := slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return log.Write(p)
		}), &slog.HandlerOptions{Level: slog.LevelDebug})
		e, err := New(Config{Backend: backendGnet, Loops: 2, Logger: slog.New(h)})
		if err != nil {
			return err
		}
		at, err := e.Listen("tcp", "127.0.0.1:0", echo().open)
		if err != nil {
			return err
		}
		for range 10 {
			nc, err := net.Dial("tcp", at.String())
			if err != nil {
				return err
			}
			if _, err := nc.Write([]byte("x")); err != nil {
				return err
			}
			if _, err := nc.Read(make([]byte, 1)); err != nil {
				return err
			}
			_ = nc.(*net.TCPConn).SetLinger(0)
			_ = nc.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for line := range strings.Lines(log.String()) {
			if !strings.Contains(line, "level=DEBUG") {
				return fmt.Errorf("logged: %s", line)
			}
		}
		if !strings.Contains(log.String(), "gnet: ") {
			return fmt.Errorf("gnet's lines are not in the engine's log:\n%s", log.String())
		}
		return nil
	}

	children["gnet without descriptors"] = func() error {
		e, err := New(Config{Backend: backendGnet, Loops: 1})
		if err != nil {
			return err
		}
		closed, ends := endings()
		opened := make(chan Ref, 3)
		at, err := e.Listen("tcp", "127.0.0.1:0", func(c *Conn) Handler {
			opened <- c.Ref()
			return &probe{
				data: func(c *Conn, p []byte) int {
					if bytes.HasPrefix(p, []byte("pause")) {
						c.PauseRead()
						return 0
					}
					c.Write(p)
					return len(p)
				},
				eof:   func(c *Conn) { c.Write([]byte("into nothing")) },
				close: closed,
			}
		})
		if err != nil {
			return err
		}
		var conns []net.Conn
		for range 3 {
			nc, err := net.Dial("tcp", at.String())
			if err != nil {
				return err
			}
			<-opened
			conns = append(conns, nc)
		}
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		none := limit
		none.Cur = 3
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
			return err
		}
		next := func(want CloseReason) error {
			select {
			case e := <-ends:
				if e.reason != want {
					return fmt.Errorf("closed with %v, %v; want %v", e.reason, e.err, want)
				}
				return nil
			case <-time.After(patience):
				return fmt.Errorf("no close with %v", want)
			}
		}
		if err := conns[0].(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
		if err := next(PeerClosed); err != nil {
			return err
		}
		if _, err := conns[1].Write([]byte("pause")); err != nil {
			return err
		}
		for { // until the reset
			if _, err := conns[1].Write(make([]byte, 64<<10)); err != nil {
				break
			}
		}
		if err := next(InputOverflow); err != nil {
			return err
		}
		if _, err := conns[2].Write([]byte("x")); err != nil {
			return err
		}
		if _, err := conns[2].Read(make([]byte, 1)); err != nil {
			return fmt.Errorf("a bystander: %w", err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		_ = conns[2].Close()
		if err := next(PeerReset); err != nil { // what it is sent after its end is answered so
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return e.Shutdown(ctx)
	}
}
