package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var outputClauses = []clause{
	{name: "output/frames and copies keep their order", tune: roomy, run: testOutputModel},
	{name: "output/random short writes against a model", tune: shortWrites, run: testOutputModel},
	{name: "output/one write per connection and iteration", tune: countWrites, run: testOneWrite},
	{name: "output/drain after being over the cap", run: testDrain},
	{name: "output/hard cap on bytes", tune: func(cfg *Config) { cfg.OutboundMax = 1 << 20 }, run: testHardCap(NewFrame(make([]byte, 1<<16), 0), nil)},
	{name: "output/hard cap on copied bytes", tune: func(cfg *Config) { cfg.OwnedMax = 1 << 20 }, run: testHardCap(nil, make([]byte, 1<<16))},
	{name: "output/hard cap on frames", tune: func(cfg *Config) { cfg.FramesMax = 1000 }, run: testHardCap(NewFrame(make([]byte, 2000), 0), nil)},
	{name: "output/a large piece passes the caps of an empty queue", tune: func(cfg *Config) {
		cfg.OwnedMax, cfg.OutboundMax, cfg.Outbound = 1<<16, 1<<16, 1<<16
	}, run: testLargePiece},
	{name: "output/behind large copies", tune: func(cfg *Config) { cfg.OwnedMax = 1 << 20 }, run: testBehindLarge},
	{name: "output/a healthy reader in a burst of 24 MB", run: testBurst},
	{name: "output/a healthy reader of small frames and copies in turn", run: testTurns},
	{name: "output/over the cap by the buffers of copies", tune: func(cfg *Config) { cfg.Outbound, cfg.OwnedMax = 8<<20, 1<<20 }, run: testCrowded(true)},
	{name: "output/over the cap by frames", tune: func(cfg *Config) { cfg.Outbound, cfg.FramesMax = 8<<20, 1000 }, run: testCrowded(false)},
	{name: "output/stalled readers cost their caps", tune: func(cfg *Config) { cfg.OutboundMax = 1 << 20 }, run: testStalledReaders},
	{name: "output/churn racing with broadcasts", run: testChurn},
}

// faulty is a driver whose writes are cut short or refused at random. What it refuses it announces as possible later.
type faulty struct {
	driver
	rnd  *rand.Rand
	late []event // to be reported by the next wait
}

// roomy takes what a model queues faster than its peer reads.
func roomy(cfg *Config) { cfg.OwnedMax = 16 << 20 }

func shortWrites(cfg *Config) {
	roomy(cfg)
	cfg.wrap = func(l *Loop, d driver) driver {
		return &faulty{driver: d, rnd: rand.New(rand.NewPCG(1, uint64(l.index)))}
	}
}

func (d *faulty) unwrap() driver { return d.driver }

func (d *faulty) cut(c *Conn, n int) (int, syscall.Errno) {
	switch d.rnd.IntN(4) {
	case 0:
		d.late = append(d.late, event{slot: c.slot, gen: c.gen, bits: readyOut})
		return 0, syscall.EAGAIN
	case 1:
		return 1 + d.rnd.IntN(min(n, 10)), 0
	case 2:
		return 1 + d.rnd.IntN(n), 0
	}
	return n, 0
}

func (d *faulty) write(c *Conn, p []byte) (int, syscall.Errno) {
	n, e := d.cut(c, len(p))
	if e != 0 {
		return 0, e
	}
	return d.driver.write(c, p[:n])
}

func (d *faulty) writev(c *Conn, v [][]byte) (int, syscall.Errno) {
	sum := 0
	for _, p := range v {
		sum += len(p)
	}
	n, e := d.cut(c, sum)
	if e != 0 {
		return 0, e
	}
	var w [][]byte
	for _, p := range v {
		p = p[:min(len(p), n)]
		if n -= len(p); len(p) > 0 {
			w = append(w, p)
		}
	}
	return d.driver.writev(c, w)
}

func (d *faulty) pending() bool { return len(d.late) > 0 || d.driver.pending() }

func (d *faulty) wait(events []event, dur time.Duration) (int, error) {
	n := copy(events, d.late)
	d.late = d.late[:copy(d.late, d.late[n:])]
	if n > 0 {
		dur = 0
	}
	m, err := d.driver.wait(events[n:], dur)
	return n + m, err
}

// testOutputModel queues random frames and copies in random tasks; the peer must read them in order, however the kernel takes them.
func testOutputModel(t *testing.T, w *world) {
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		refs := make(chan Ref, 1)
		p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
		r := await(t, refs, "the connection")
		stream := numbers(3 << 20)
		var posted sync.WaitGroup
		posted.Go(func() {
			for rest := stream; len(rest) > 0; {
				var ops []func(c *Conn)
				for range 1 + rnd.IntN(30) {
					n := min(len(rest), rnd.IntN(1<<rnd.IntN(16)))
					piece := rest[:n]
					rest = rest[n:]
					if rnd.IntN(2) == 0 {
						f := NewFrame(slices.Clone(piece), 0)
						ops = append(ops, func(c *Conn) { c.Send(f) })
					} else {
						ops = append(ops, func(c *Conn) { c.Write(piece) })
					}
				}
				last := len(rest) == 0
				on(t, r.Loop(), func() {
					c := r.Conn()
					if c == nil {
						t.Error("the connection has gone")
						return
					}
					for _, op := range ops {
						before := c.Buffered()
						op(c)
						if c.Buffered() < 0 || before < 0 {
							t.Error("a negative number of bytes waits")
						}
					}
					if last {
						c.Close(ResponseEnd, nil)
					}
				})
			}
		})
		got, err := io.ReadAll(p)
		posted.Wait()
		if err != nil || !bytes.Equal(got, stream) {
			t.Fatalf("seed %d: got %d bytes, %v; want the %d that were queued, in order", seed, len(got), err, len(stream))
		}
		_ = p.Close()
	}
}

// counting is a driver that counts the calls that write.
type counting struct {
	driver
	writes *atomic.Int64
}

func (d *counting) unwrap() driver { return d.driver }

func (d *counting) write(c *Conn, p []byte) (int, syscall.Errno) {
	d.writes.Add(1)
	return d.driver.write(c, p)
}

func (d *counting) writev(c *Conn, v [][]byte) (int, syscall.Errno) {
	d.writes.Add(1)
	return d.driver.writev(c, v)
}

func countWrites(cfg *Config) {
	n := new(atomic.Int64)
	cfg.wrap = func(_ *Loop, d driver) driver { return &counting{d, n} }
}

func testOneWrite(t *testing.T, w *world) {
	refs := make(chan Ref, 1)
	p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
	r := await(t, refs, "the connection")
	n := r.Loop().drv.(*counting).writes
	for _, tc := range []struct {
		name string
		do   func(c *Conn)
		want string
	}{
		{"frames", func(c *Conn) { c.Send(NewFrame([]byte("ab"), 0)); c.Send(NewFrame([]byte("cd"), 1)) }, "abcd"},
		{"copies", func(c *Conn) { c.Write([]byte("ab")); c.Write([]byte("cd")); c.Write([]byte("ef")) }, "abcdef"},
		{"mixed", func(c *Conn) { c.Write([]byte("ab")); c.Send(NewFrame([]byte("cd"), 0)); c.Write([]byte("ef")) }, "abcdef"},
		{"one frame", func(c *Conn) { c.Send(NewFrame([]byte("xyz"), 0)) }, "xyz"},
		{"nothing", func(c *Conn) { c.Send(NewFrame(nil, 0)); c.Write(nil); c.Write([]byte("-")) }, "-"},
	} {
		before := n.Load()
		on(t, r.Loop(), func() { tc.do(r.Conn()) })
		receive(t, p, tc.want)
		if got := n.Load() - before; got != 1 {
			t.Errorf("%s: %d writes, want 1", tc.name, got)
		}
	}
}

func testDrain(t *testing.T, w *world) {
	drained := make(chan int, 10)
	refs := make(chan Ref, 1)
	h := &probe{drain: func(c *Conn) {
		if c.Over() {
			t.Error("over the cap in OnDrain")
		}
		drained <- c.Buffered()
	}}
	p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return h })
	r := await(t, refs, "the connection")
	const total = 8 << 20
	on(t, r.Loop(), func() {
		if r.Conn().Over() {
			t.Error("over the cap with nothing sent")
		}
		for range total >> 16 {
			r.Conn().Send(NewFrame(make([]byte, 1<<16), 0))
		}
		if !r.Conn().Over() {
			t.Error("not over the cap with 8 MB on their way")
		}
		if r.Conn().Buffered() == 0 {
			t.Error("8 MB are nowhere")
		}
	})
	for range 3 {
		on(t, r.Loop(), func() {})
	}
	if len(drained) > 0 {
		t.Fatal("OnDrain was called though nothing was read")
	}
	if _, err := io.CopyN(io.Discard, p, total); err != nil {
		t.Fatal(err)
	}
	// The frame that is being written does not count: up to one of them, and half the cap.
	if n := await(t, drained, "OnDrain"); n > defaultOutbound/2+1<<16 {
		t.Fatalf("OnDrain was called with %d bytes waiting", n)
	}
	on(t, r.Loop(), func() {})
	if len(drained) > 0 {
		t.Fatal("OnDrain was called twice")
	}
}

// testHardCap sends to a peer that does not read until the connection is reset.
func testHardCap(f *Frame, p []byte) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		closed, ends := endings()
		refs := make(chan Ref, 1)
		c := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{close: closed} })
		r := await(t, refs, "the connection")
		most := 0
		for i := 0; len(ends) == 0; i++ {
			if i == 100_000 {
				t.Fatal("the cap was never reached")
			}
			on(t, r.Loop(), func() {
				if c := r.Conn(); c != nil {
					if f != nil {
						c.Send(f)
					} else {
						c.Write(p)
					}
					most = max(most, c.Buffered())
				}
			})
		}
		if e := <-ends; e.reason != OutboundOverflow || e.err == nil {
			t.Fatalf("closed with %v, %v", e.reason, e.err)
		}
		cfg := w.cfg
		if limit := min(cfg.OutboundMax, cfg.FramesMax*2000, cfg.OwnedMax+cfg.FramesMax*2000) + 1<<17; most > limit {
			t.Errorf("%d bytes waited, at most %d may", most, limit)
		}
		if _, err := io.Copy(io.Discard, c); err == nil && c.LocalAddr().Network() != "unix" {
			t.Error("the peer sees an ordinary end, as if it had got everything")
		}
	}
}

// testBehindLarge: a peer that takes large copies is not cut off by what comes behind them, unless that is more of the kind.
func testBehindLarge(t *testing.T, w *world) {
	for _, size := range []int{8 << 20, 900 << 10, 300 << 10} {
		closed, ends := endings()
		refs := make(chan Ref, 1)
		p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{close: closed} })
		r := await(t, refs, "the connection")
		want := numbers(2*size + 100)
		on(t, r.Loop(), func() {
			c := r.Conn()
			c.Write(want[:size])
			c.Write(want[size : 2*size])
		})
		for rest := want[2*size:]; len(rest) > 0; rest = rest[10:] { // one iteration each
			on(t, r.Loop(), func() {
				c := r.Conn()
				if c == nil {
					t.Fatalf("two copies of %d bytes wait, and %d bytes behind them end the connection: %v", size, len(want)-2*size-len(rest), (<-ends).err)
				}
				c.Send(NewFrame(rest[:5:5], 0))
				c.Write(rest[5:10])
			})
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("copies of %d bytes: %v", size, err)
		}
		if size == 8<<20 { // of smaller ones the kernel takes some
			on(t, r.Loop(), func() {
				c := r.Conn()
				for range largeMax + 4 {
					c.Write(want[:size])
				}
			})
			if e := await(t, ends, "the end"); e.reason != OutboundOverflow || e.err == nil {
				t.Fatalf("closed with %v, %v", e.reason, e.err)
			}
		}
		_ = p.Close()
	}
}

func testLargePiece(t *testing.T, w *world) {
	want := numbers(4 << 20)
	p := w.connect(func(c *Conn) Handler {
		c.Write(want[:2<<20])
		c.Close(ResponseEnd, nil)
		return &probe{}
	})
	if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, want[:2<<20]) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
}

func testBurst(t *testing.T, w *world) {
	refs := make(chan Ref, 1)
	p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
	r := await(t, refs, "the connection")
	f := NewFrame(make([]byte, 60_000), 0)
	on(t, r.Loop(), func() {
		for range 400 {
			r.Conn().Send(f)
		}
	})
	if _, err := io.CopyN(io.Discard, p, 400*60_000); err != nil {
		t.Fatal(err)
	}
}

// testTurns queues what takes little room in the kernel and much more of our own: each copy behind a frame has a buffer.
func testTurns(t *testing.T, w *world) {
	const turns = 1900 // under flushAt bytes together, so that nothing but the number of buffers has them leave early
	frame, small := NewFrame(make([]byte, 20), 0), make([]byte, 10)
	p := w.connect(func(c *Conn) Handler {
		for range turns {
			c.Send(frame)
			c.Write(small)
		}
		return &probe{}
	})
	if _, err := io.CopyN(io.Discard, p, turns*30); err != nil {
		t.Fatal(err)
	}
}

// testCrowded queues small pieces for a peer that does not read, as long as there is room: there must be none any more before a hard cap is reached,
// and again once the peer has read.
func testCrowded(copies bool) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		drained := make(chan struct{}, 10)
		refs := make(chan Ref, 1)
		p := w.connect(func(c *Conn) Handler {
			refs <- c.Ref()
			return &probe{drain: func(*Conn) { drained <- struct{}{} }}
		})
		r := await(t, refs, "the connection")
		frame, small := NewFrame(make([]byte, 20), 0), make([]byte, 10)
		const first = 4 << 20 // more than the kernel takes
		sent := first
		on(t, r.Loop(), func() {
			c := r.Conn()
			c.Send(NewFrame(make([]byte, first), 0))
			for i := 0; i < 10_000 && !c.Over(); i++ {
				c.Send(frame)
				if sent += 20; copies {
					c.Write(small)
					sent += 10
				}
			}
			switch {
			case c.Closed():
				t.Error("the connection was reset while there seemed to be room")
			case !c.Over():
				t.Error("there is room for 10,000 pieces and more")
			}
		})
		if t.Failed() {
			return
		}
		if _, err := io.CopyN(io.Discard, p, int64(sent)); err != nil {
			t.Fatal(err)
		}
		await(t, drained, "OnDrain")
		on(t, r.Loop(), func() {
			if r.Conn().Over() {
				t.Error("over the cap when all has been read")
			}
		})
	}
}

// roomOf is one loop's list; its methods run on that loop.
type roomOf struct {
	list []*Conn
	most int // bytes that a member had waiting
}

func (r *roomOf) add(c *Conn) { r.list = append(r.list, c) }
func (r *roomOf) remove(c *Conn) {
	if i := slices.Index(r.list, c); i >= 0 {
		r.list = slices.Delete(r.list, i, i+1)
	}
}

// broadcast is a task that sends a frame to all in a room.
type broadcast struct {
	room *roomOf
	f    *Frame
}

func (b *broadcast) Run(*Loop) {
	for _, c := range b.room.list {
		c.Send(b.f)
		b.room.most = max(b.room.most, c.Buffered())
	}
}

func roomsOf(e *Engine) []*roomOf {
	rooms := make([]*roomOf, len(e.Loops()))
	for i := range rooms {
		rooms[i] = &roomOf{}
	}
	return rooms
}

// testStalledReaders: of many readers some do not read. They are reset at their cap, and the others get everything, in order.
func testStalledReaders(t *testing.T, w *world) {
	const readers, stalled, frames, size = 60, 12, 240, 16 << 10
	rooms := roomsOf(w.Engine)
	var overflows atomic.Int64
	joined := make(chan struct{}, readers+stalled)
	dial := w.serve(func(c *Conn) Handler {
		room := rooms[c.Loop().Index()]
		room.add(c)
		joined <- struct{}{}
		return &probe{close: func(c *Conn, r CloseReason, _ error) {
			room.remove(c)
			if r == OutboundOverflow {
				overflows.Add(1)
			}
		}}
	})
	var wg sync.WaitGroup
	var late atomic.Int64
	var turns []chan struct{} // of the readers
	for i := range readers + stalled {
		p := dial()
		defer p.Close()
		await(t, joined, "the connection")
		if i < stalled {
			continue
		}
		turn := make(chan struct{}, frames)
		turns = append(turns, turn)
		wg.Go(func() {
			buf := make([]byte, size)
			for k := range frames {
				_ = p.SetDeadline(time.Now().Add(patience))
				if _, err := io.ReadFull(p, buf); err != nil {
					t.Errorf("a healthy reader got %v after %d frames", err, k)
					return
				}
				if got := binary.BigEndian.Uint32(buf); got != uint32(k) {
					t.Errorf("a healthy reader got frame %d, want %d", got, k)
					late.Add(1)
					return
				}
				turn <- struct{}{}
			}
		})
	}
	for k := range frames {
		buf := make([]byte, size)
		binary.BigEndian.PutUint32(buf, uint32(k))
		f := NewFrame(buf, 0)
		for i, l := range w.Loops() {
			l.Post(&broadcast{room: rooms[i], f: f})
		}
		if k >= 8 { // eight frames under way: slower than the readers, so that being stalled is what makes the difference
			for _, turn := range turns {
				await(t, turn, "a healthy reader")
			}
		}
	}
	wg.Wait()
	for i, l := range w.Loops() {
		on(t, l, func() {
			if most := rooms[i].most; most > w.cfg.OutboundMax+2*size {
				t.Errorf("%d bytes waited for one reader, at most the cap of %d and a frame may", most, w.cfg.OutboundMax)
			}
		})
	}
	if n := overflows.Load(); n != stalled {
		t.Errorf("%d connections were reset at the cap, want the %d stalled ones", n, stalled)
	}
}

// testChurn has connections come and go in every way while broadcasts run; the poison finds what touches a freed slot.
func testChurn(t *testing.T, w *world) {
	rooms := roomsOf(w.Engine)
	dial := w.serve(func(c *Conn) Handler {
		room := rooms[c.Loop().Index()]
		room.add(c)
		return &probe{
			data: func(c *Conn, p []byte) int {
				switch p[0] {
				case 'c':
					c.Close(Aborted, nil)
				case 'r':
					c.Reset(Aborted, nil)
				case 'p':
					c.PauseRead()
					r := c.Ref()
					c.Loop().AfterFunc(0, func() {
						if c := r.Conn(); c != nil {
							c.ResumeRead()
						}
					})
				case 'd':
					room.remove(c)
					if nc, err := c.Detach(nil); err == nil {
						_ = nc.Close()
					}
				default:
					c.Write(p)
				}
				return len(p)
			},
			close: func(c *Conn, _ CloseReason, _ error) { room.remove(c) },
		}
	})
	stop := make(chan struct{})
	var storm, clients sync.WaitGroup
	storm.Go(func() {
		f := NewFrame(bytes.Repeat([]byte("b"), 3000), 0)
		under := make(chan struct{}, 16)
		for {
			for i, l := range w.Loops() {
				select {
				case <-stop:
					return
				case under <- struct{}{}:
				}
				l.Post(&broadcast{room: rooms[i], f: f})
				l.Post(TaskFunc(func(*Loop) { <-under }))
			}
		}
	})
	for i := range 6 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 4))
			for range 60 {
				p := dial()
				if p == nil {
					return
				}
				_ = p.SetDeadline(time.Now().Add(patience))
				for range rnd.IntN(4) {
					_, _ = p.Write([]byte{"crpdxxxx"[rnd.IntN(8)]}) // may have been closed
					_, _ = p.Read(make([]byte, 1+rnd.IntN(5000)))
				}
				if rnd.IntN(2) == 0 {
					reset(p)
				}
				_ = p.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	storm.Wait()
}

// TestSendTimeout: a peer that has stopped reading is reset when the time is over, one that reads slowly is not.
func TestSendTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Loops: 1, SendTimeout: 7 * time.Second}, memoryBackend)
		closed, ends := endings()
		refs := make(chan Ref, 1)
		sink, err := w.DialSink(func(c *Conn) Handler { refs <- c.Ref(); return &probe{close: closed} })
		if err != nil {
			t.Fatal(err)
		}
		r := <-refs
		sink.Stall(true)
		put := func(n int) { on(t, r.Loop(), func() { r.Conn().Write(make([]byte, n)) }) }
		put(1000)
		put(1000) // below the cap: may wait for ever
		time.Sleep(time.Hour)
		if len(ends) > 0 {
			t.Fatalf("a peer below the cap was closed: %v", <-ends)
		}
		put(200_000)
		for range 10 { // progress within the time keeps it alive
			time.Sleep(6 * time.Second)
			sink.Stall(false)
			synctest.Wait()
			sink.Stall(true)
			put(200_000)
			put(200_000)
			if len(ends) > 0 {
				t.Fatalf("a peer that reads was closed: %v", <-ends)
			}
		}
		from := time.Now()
		e := <-ends
		if e.reason != SendTimeout || e.err == nil || !strings.Contains(e.err.Error(), "7s") {
			t.Fatalf("closed with %v, %v", e.reason, e.err)
		}
		if d := time.Since(from); d < 7*time.Second || d > 8*time.Second {
			t.Fatalf("closed after %v, want 7 to 8 s", d)
		}
	})
}

// TestLinger: Close waits for the peer's FIN, or for bytes to leave, so long and no longer.
func TestLinger(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		size int
		rst  bool
	}{{"peer sends no FIN", 10, false}, {"peer does not read", 1 << 20, true}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, Config{Linger: 3 * time.Second}, memoryBackend)
				closed, ends := endings()
				p := w.connect(func(c *Conn) Handler {
					c.Write(make([]byte, tc.size))
					c.Close(ResponseEnd, nil)
					return &probe{close: closed}
				})
				from := time.Now()
				if e := <-ends; e.reason != ResponseEnd {
					t.Fatalf("closed with %v, %v", e.reason, e.err)
				}
				if d := time.Since(from); d < 3*time.Second || d > 4*time.Second {
					t.Fatalf("closed after %v, want 3 to 4 s", d)
				}
				_ = p.SetDeadline(time.Time{})
				_, err := io.Copy(io.Discard, p)
				if tc.rst != errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("the peer's reading ended with %v", err)
				}
			})
		})
	}
}
