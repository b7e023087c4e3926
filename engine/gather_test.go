package engine

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gathering is a loop that the test runs, with connections to sinks that have bytes to read in the same look.
type gathering struct {
	*testing.T
	loop  *Loop
	conns []*Conn
	sinks []*Sink
	shown []string // what the handlers were shown, in order
}

func newGathering(t *testing.T, n int) *gathering {
	l, _, _ := idleLoop(t, &probe{})
	g := &gathering{T: t, loop: l}
	for i := range n {
		s := &Sink{}
		g.sinks = append(g.sinks, s)
		l.adopt(socket{fd: -1, peer: sinkPeer{s}}, nil, func(c *Conn) Handler {
			g.conns = append(g.conns, c)
			return &probe{data: func(_ *Conn, p []byte) int { return g.show(i, p) }}
		})
	}
	l.turn()
	return g
}

func (g *gathering) show(i int, p []byte) int {
	g.shown = append(g.shown, fmt.Sprint(i, ":", string(p)))
	return len(p)
}

// first has f run when the first connection is shown its bytes, while the bytes of the others have been read.
func (g *gathering) first(f func()) {
	g.conns[0].handler.(*probe).data = func(_ *Conn, p []byte) int { f(); return g.show(0, p) }
}

// feed gives each connection its number, with the sign behind it.
func (g *gathering) feed(sign string) {
	for i, s := range g.sinks {
		s.Feed([]byte(fmt.Sprint(i, sign)))
	}
}

func (g *gathering) want(what, shown string) {
	g.Helper()
	if got := strings.Join(g.shown, " "); got != shown {
		g.Fatalf("%s: shown %q, want %q", what, got, shown)
	}
	g.shown = nil
}

// TestGathered: what handlers do to connections whose bytes have been read and not shown.
func TestGathered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		first func(g *gathering)
		then  func(g *gathering)
		want  [3]string // shown in the first turn, after then, and after more has come
	}{
		{
			"nothing", func(*gathering) {}, nil,
			[3]string{"0:0a 1:1a 2:2a", "", "0:0b 1:1b 2:2b"},
		},
		{
			"pause, and resume later",
			func(g *gathering) { g.conns[1].PauseRead() }, func(g *gathering) { g.conns[1].ResumeRead() },
			[3]string{"0:0a 2:2a", "1:1a", "0:0b 1:1b 2:2b"},
		},
		{
			"pause and resume",
			func(g *gathering) { g.conns[1].PauseRead(); g.conns[1].ResumeRead() }, nil,
			[3]string{"0:0a 1:1a 2:2a", "", "0:0b 1:1b 2:2b"},
		},
		{
			"another handler",
			func(g *gathering) {
				g.conns[1].SetHandler(&probe{data: func(_ *Conn, p []byte) int { return g.show(10, p) }})
			}, nil,
			[3]string{"0:0a 10:1a 2:2a", "", "0:0b 10:1b 2:2b"},
		},
		{
			"reset", func(g *gathering) { g.conns[1].Reset(Aborted, nil) }, nil,
			[3]string{"0:0a 2:2a", "", "0:0b 2:2b"},
		},
		{
			"close", func(g *gathering) { g.conns[1].Close(Aborted, nil) }, nil,
			[3]string{"0:0a 2:2a", "", "0:0b 2:2b"},
		},
		{
			"the end of the first one itself", func(g *gathering) { g.conns[0].Reset(Aborted, nil) }, nil,
			[3]string{"0:0a 1:1a 2:2a", "", "1:1b 2:2b"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGathering(t, 3)
			g.first(func() { tt.first(g); g.first(func() {}) })
			g.feed("a")
			g.loop.turn()
			g.want("in the same look", tt.want[0])
			if tt.then != nil {
				tt.then(g)
			}
			g.loop.turn()
			g.want("afterwards", tt.want[1])
			g.feed("b")
			g.loop.turn()
			g.want("more", tt.want[2])
		})
	}
}

// TestGatheredEnd: the end that comes behind the bytes, in the same look as an event of its own.
func TestGatheredEnd(t *testing.T) {
	t.Parallel()
	g := newGathering(t, 2)
	g.conns[1].handler.(*probe).eof = func(*Conn) { g.shown = append(g.shown, "1 ends") }
	g.feed("a")
	g.sinks[1].CloseWrite()
	g.loop.turn()
	g.want("bytes and end", "0:0a 1:1a 1 ends")
}

// TestGatheredTwice: drivers other than epoll may report a connection twice in one look. What its handler leaves of the first bytes is shown again with the next.
func TestGatheredTwice(t *testing.T) {
	t.Parallel()
	g := newGathering(t, 2)
	g.conns[1].handler.(*probe).data = func(_ *Conn, p []byte) int { g.show(1, p); return 0 }
	g.feed("a")
	ready := event{slot: g.conns[1].slot, gen: g.conns[1].gen, bits: readyIn}
	g.loop.gather(&ready)
	g.want("read", "")
	g.sinks[1].Feed([]byte("b"))
	g.loop.gather(&ready)
	g.loop.turn()
	g.want("twice", "1:1a 1:1ab 0:0a")
}

// TestGatheredDetach: a connection that leaves the loop takes along what has been read.
func TestGatheredDetach(t *testing.T) {
	t.Parallel()
	g := newGathering(t, 1)
	client, server := Pipe()
	var leaving *Conn
	g.loop.adopt(socket{fd: -1, peer: server}, nil, func(c *Conn) Handler {
		leaving = c
		return &probe{data: func(_ *Conn, p []byte) int { return g.show(1, p) }}
	})
	var nc net.Conn
	g.first(func() {
		var err error
		if nc, err = leaving.Detach([]byte("before ")); err != nil {
			t.Error(err)
		}
	})
	g.feed("a")
	send(t, client, []byte("gathered"))
	g.loop.turn()
	g.want("in the same look", "0:0a")
	if nc == nil {
		t.Fatal("nothing was detached")
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	receive(t, nc, "before gathered")
	send(t, client, []byte(" behind"))
	receive(t, nc, " behind")
	_ = client.Close()
	_ = nc.Close()
}

// TestGatheredStays: if it cannot leave, it is shown what has been read.
func TestGatheredStays(t *testing.T) {
	t.Parallel()
	g := newGathering(t, 2)
	g.first(func() {
		g.loop.drv = stuck{g.loop.drv}
		if _, err := g.conns[1].Detach(nil); err == nil {
			t.Error("a driver that cannot detach has detached")
		}
		g.loop.drv = g.loop.drv.(stuck).driver
	})
	g.feed("a")
	g.loop.turn()
	g.want("in the same look", "0:0a 1:1a")
}

// stuck is a driver that cannot detach.
type stuck struct{ driver }

func (stuck) detach(*Conn) (net.Conn, []byte, error) { return nil, nil, syscall.EBADF }

// TestGatheredRoom: more than the read buffer holds, from connections of which some have more than they may bring in one iteration.
func TestGatheredRoom(t *testing.T) {
	t.Parallel()
	g := newGathering(t, 40)
	got, want := make([]bytes.Buffer, len(g.conns)), make([][]byte, len(g.conns))
	for i, c := range g.conns {
		c.handler = &probe{data: func(_ *Conn, p []byte) int {
			n := max(1, len(p)*3/4) // the rest is kept
			got[i].Write(p[:n])
			return n
		}}
		want[i] = numbers((i*i*i*97 + 64) % (3 * readBudget))
		g.sinks[i].Feed(want[i])
	}
	for range 40 {
		g.loop.turn()
		for _, c := range g.conns { // what is kept is shown only with more, or to another handler
			c.SetHandler(c.Handler())
		}
	}
	for i := range want {
		if !bytes.Equal(got[i].Bytes(), want[i]) {
			t.Errorf("connection %d consumed %d bytes, or others, of %d", i, got[i].Len(), len(want[i]))
		}
	}
}

// counted is a driver that notes the order of reads, looks and writes.
type counted struct {
	driver
	log *strings.Builder
}

func (d counted) wait(ev []event, dur time.Duration) (int, error) {
	d.log.WriteByte('|')
	return d.driver.wait(ev, dur)
}

func (d counted) read(c *Conn, p []byte) (int, syscall.Errno) {
	d.log.WriteByte('r')
	return d.driver.read(c, p)
}

func (d counted) write(c *Conn, p []byte) (int, syscall.Errno) {
	d.log.WriteByte('w')
	return d.driver.write(c, p)
}

// TestLooks: what one look finds is read, then handled, then written, before the next look; but not while a task waits, which may have more for the same
// connections.
func TestLooks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		task bool
		want string
	}{
		{"answers", false, "|64r64w|64r64w|2r2w"},
		{"answers and a task", true, "|64r|64r|2r130w"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGathering(t, 2*eventBatch+2)
			log := &strings.Builder{}
			g.loop.drv = counted{g.loop.drv, log}
			for _, c := range g.conns {
				c.handler = echo()
			}
			if tt.task {
				g.first(func() { g.loop.Post(TaskFunc(func(*Loop) {})) })
				echoes := g.conns[0].handler.(*probe).data
				g.conns[0].handler = &probe{data: func(c *Conn, p []byte) int { c.Write(p); return echoes(c, p) }}
			}
			g.feed("a")
			g.loop.turn()
			if got := runs(log.String()); got != tt.want {
				t.Errorf("the order was %s, want %s", got, tt.want)
			}
			for i, s := range g.sinks {
				if n := int(s.Bytes()); n != len(fmt.Sprint(i, "a")) {
					t.Errorf("connection %d was answered with %d bytes", i, n)
				}
			}
		})
	}
}

// runs writes runs of a letter as its number and the letter.
func runs(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := len(s) - len(strings.TrimLeft(s, s[:1]))
		if s[0] != '|' {
			fmt.Fprint(&b, n)
		}
		b.WriteByte(s[0])
		s = s[n:]
	}
	return b.String()
}
