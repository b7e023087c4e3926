package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/spokehub/spoke/internal/certtest"
)

// bridgeTests run over each backend. connect makes a connection over which the loop has an end by a bridge.
var bridgeTests = []struct {
	name string
	cfg  Config
	run  func(t *testing.T, w *world, connect func(open func(c *Conn) Handler) peer)
}{
	{"both directions at once", Config{OwnedMax: 8 << 20}, testBridgeBoth},
	{"the peer's address and what was read before", Config{}, testBridgeBegin},
	{"the peer ends its direction, then the loop the connection", Config{}, testBridgePeerEnds},
	{"the peer closes", Config{}, testBridgePeerCloses},
	{"the loop closes", Config{}, testBridgeLoopCloses},
	{"the loop closes and the peer does not", Config{Linger: time.Second}, testBridgeLingers},
	{"the loop resets", Config{}, testBridgeLoopResets},
	{"a peer that does not read", Config{SendTimeout: time.Second, Outbound: 1 << 10}, testBridgeSlow},
	{"a loop that does not read", Config{}, testBridgePaused},
}

func TestBridge(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	server := &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil).Certificate(t)}}
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}
	for _, b := range []backend{memoryBackend, epollBackend, gnetBackend} {
		for _, tt := range bridgeTests {
			t.Run(b.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				w := start(t, tt.cfg, b)
				tt.run(t, w, func(open func(c *Conn) Handler) peer { return w.bridged(t, server, client, open) })
			})
		}
	}
}

// bridged is a TLS connection over TCP whose server's end is on the loops by a bridge.
func (w *world) bridged(t *testing.T, server, client *tls.Config, open func(c *Conn) Handler) peer {
	t.Helper()
	far, near := tcpPair(t)
	s, c := tls.Server(near, server), tls.Client(far, client)
	var hands sync.WaitGroup
	hands.Go(func() {
		if err := s.Handshake(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	hands.Wait()
	if err := w.Attach(s, nil, open); w.Backend() != backendMemory && !errors.Is(err, ErrNotPlain) {
		t.Fatalf("attached: %v", err)
	}
	if err := w.Bridge(s, []byte("he"), open); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a = dialAt(t, "tcp", ln.Addr().String())
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func testBridgeBoth(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	want := numbers(4 << 20)
	p := connect(echo().open)
	var writer sync.WaitGroup
	writer.Go(func() {
		for piece := range piecesOf(want, 1, 100, 5000, 70_000) {
			send(t, p, piece)
		}
		if err := p.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(got, append([]byte("he"), want...)) {
		t.Errorf("%d bytes came back, %v; want %d, the same", len(got), err, len(want)+2)
	}
	writer.Wait()
}

// piecesOf cuts p into pieces of these sizes, in turn.
func piecesOf(p []byte, sizes ...int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := 0; len(p) > 0; i++ {
			n := min(sizes[i%len(sizes)], len(p))
			if !yield(p[:n]) {
				return
			}
			p = p[n:]
		}
	}
}

func testBridgeBegin(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	remote := make(chan netip.AddrPort, 1)
	p := connect(func(c *Conn) Handler {
		remote <- c.Remote()
		return echo()
	})
	send(t, p, []byte("llo"))
	receive(t, p, "hello")
	if r := await(t, remote, "the connection"); r.String() != p.LocalAddr().String() {
		t.Errorf("the remote address is %v, want %v", r, p.LocalAddr())
	}
}

func testBridgePeerEnds(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	closed, ends := endings()
	p := connect((&probe{
		eof: func(c *Conn) {
			c.Write([]byte("the last of it"))
			c.Close(PeerClosed, nil)
		},
		close: closed,
	}).open)
	if err := p.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(p); err != nil || string(got) != "the last of it" {
		t.Errorf("got %q, %v", got, err)
	}
	if e := await(t, ends, "the close"); e.reason != PeerClosed {
		t.Errorf("closed with %v", e.reason)
	}
	w.noBridges(t)
}

func testBridgePeerCloses(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	closed, ends := endings()
	h := echo()
	h.close = closed
	p := connect(h.open)
	receive(t, p, "he")
	_ = p.Close()
	if e := await(t, ends, "the close"); e.reason != PeerClosed {
		t.Errorf("closed with %v", e.reason)
	}
	w.noBridges(t)
}

func testBridgeLoopCloses(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	want := numbers(1 << 20)
	closed, ends := endings()
	p := connect((&probe{
		data: func(c *Conn, p []byte) int {
			c.Write(want)
			c.Close(ResponseEnd, nil)
			return len(p)
		},
		close: closed,
	}).open)
	if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	_ = p.Close()
	if e := await(t, ends, "the close"); e.reason != ResponseEnd {
		t.Errorf("closed with %v", e.reason)
	}
	w.noBridges(t)
}

func testBridgeLingers(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	closed, ends := endings()
	p := connect((&probe{
		data:  func(c *Conn, p []byte) int { c.Close(ResponseEnd, nil); return len(p) },
		close: closed,
	}).open)
	if got, err := io.ReadAll(p); err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
	if e := await(t, ends, "the close"); e.reason != ResponseEnd {
		t.Errorf("closed with %v", e.reason)
	}
	w.noBridges(t) // while the peer holds on to its connection
}

func testBridgeLoopResets(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	p := connect((&probe{data: func(c *Conn, p []byte) int { c.Reset(ProtocolError, nil); return len(p) }}).open)
	if got, err := io.ReadAll(p); len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
	w.noBridges(t)
}

func testBridgeSlow(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	closed, ends := endings()
	connect((&probe{
		data: func(c *Conn, p []byte) int {
			for range 16 {
				c.Send(NewFrame(numbers(1<<20), 0))
			}
			return len(p)
		},
		close: closed,
	}).open)
	if e := await(t, ends, "the close"); e.reason != SendTimeout {
		t.Errorf("closed with %v", e.reason)
	}
	w.noBridges(t)
}

// A loop that has paused is felt by the peer, and gets what was held when it goes on.
func testBridgePaused(t *testing.T, w *world, connect func(func(c *Conn) Handler) peer) {
	const total = 64 << 20
	refs := make(chan Ref, 1)
	ended := make(chan int, 1)
	sum := 0
	p := connect((&probe{
		data: func(c *Conn, p []byte) int {
			if sum += len(p); sum == len(p) {
				c.PauseRead()
				refs <- c.Ref()
			}
			return len(p)
		},
		close: func(*Conn, CloseReason, error) { ended <- sum },
	}).open)
	r := await(t, refs, "the pause")
	_ = p.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	wrote := 0
	for wrote < total {
		n, err := p.Write(make([]byte, 16<<10))
		if wrote += n; err != nil {
			break
		}
	}
	if wrote == total {
		t.Errorf("%d bytes have gone to a loop that has paused", wrote)
	}
	on(t, r.Loop(), func() { r.Conn().ResumeRead() })
	_ = p.Close() // a write was broken off, so there is no more
	if n := await(t, ended, "the close"); n < wrote {
		t.Errorf("the loop has seen %d bytes of at least %d", n, wrote)
	}
}

// noBridges waits for the end of all.
func (w *world) noBridges(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		n := len(w.bridges)
		w.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d bridges are left", n)
		}
	}
}

// Shutdown ends bridges whose peers do not read, when its time is over.
func TestBridgeShutdown(t *testing.T) {
	overBoth(t, func(t *testing.T, b backend) {
		e, err := New(b.cfg)
		if err != nil {
			t.Fatal(err)
		}
		far, near := tcpPair(t)
		sent := make(chan struct{})
		if err := e.Bridge(struct{ net.Conn }{near}, []byte("x"), func(*Conn) Handler {
			return &probe{data: func(c *Conn, p []byte) int {
				c.Write(numbers(16 << 20))
				close(sent)
				return len(p)
			}}
		}); err != nil {
			t.Fatal(err)
		}
		await(t, sent, "the bytes")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if err := e.Bridge(far, nil, echo().open); !errors.Is(err, ErrStopped) {
			t.Errorf("bridged after the end: %v", err)
		}
	})
}
