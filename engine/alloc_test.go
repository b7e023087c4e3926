package engine

import (
	"syscall"
	"testing"
	"time"
)

// The loops of these tests do not run: the test is the loop, so that AllocsPerRun counts this and nothing else.

// idleLoop returns a loop over a memory driver that nobody runs, and a connection on it whose peer is a sink.
func idleLoop(t testing.TB, h Handler) (*Loop, *Conn, *Sink) {
	t.Helper()
	var cfg Config
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	l := newLoop(&Engine{cfg: cfg}, 0, 1)
	l.drv = newMemory(l)
	s := &Sink{}
	var conn *Conn
	l.adopt(socket{fd: -1, peer: sinkPeer{s}}, nil, func(c *Conn) Handler { conn = c; return h })
	return l, conn, s
}

// turn is an iteration of the loop without waiting.
func (l *Loop) turn() {
	l.setTime(l.elapsed)
	n, _ := l.drv.wait(l.events, 0)
	l.iterate(n)
}

func TestAllocations(t *testing.T) {
	// Not parallel: AllocsPerRun counts the whole process.
	frame := NewFrame(make([]byte, 100), 2)
	small := make([]byte, 60)
	t.Run("send to each recipient", func(t *testing.T) {
		l, _, _ := idleLoop(t, &probe{})
		var conns []*Conn
		for range 1000 {
			l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}}, nil, func(c *Conn) Handler { conns = append(conns, c); return &probe{} })
		}
		noAllocs(t, func() {
			for _, c := range conns {
				c.Send(frame)
			}
			l.turn()
		})
		noAllocs(t, func() { // runs, with copies between
			for _, c := range conns[:200] {
				c.Send(frame)
				c.Write(small)
				c.Send(frame)
			}
			l.turn()
		})
	})
	t.Run("write", func(t *testing.T) {
		l, c, _ := idleLoop(t, &probe{})
		noAllocs(t, func() {
			c.Write(small)
			c.Write(small)
			l.turn()
		})
	})
	t.Run("read and answer", func(t *testing.T) {
		l, c, s := idleLoop(t, echo())
		fed := make([]byte, 0, 64)
		noAllocs(t, func() {
			s.mu.Lock()
			s.in = append(fed, small...)
			s.mu.Unlock()
			l.read(c)
			l.turn()
		})
	})
	t.Run("read and answer over a pipe", func(t *testing.T) {
		client, server := Pipe()
		l, _, _ := idleLoop(t, &probe{})
		l.adopt(socket{fd: -1, peer: server}, nil, func(*Conn) Handler { return echo() })
		got := make([]byte, 100)
		noAllocs(t, func() {
			_, _ = client.Write(small)
			l.turn()
			if n, err := client.Read(got); n != len(small) || err != nil {
				t.Fatalf("read %d, %v", n, err)
			}
		})
	})
	t.Run("read and leave a part", func(t *testing.T) {
		l, c, s := idleLoop(t, &probe{data: func(_ *Conn, p []byte) int {
			if len(p) < 100 {
				return 0
			}
			return len(p)
		}})
		fed := make([]byte, 0, 64)
		noAllocs(t, func() {
			for range 2 {
				s.mu.Lock()
				s.in = append(fed, small...)
				s.mu.Unlock()
				l.read(c)
			}
			l.turn()
		})
	})
	t.Run("pause and resume", func(t *testing.T) {
		l, c, _ := idleLoop(t, &probe{})
		noAllocs(t, func() {
			c.PauseRead()
			c.ResumeRead()
			l.turn()
		})
	})
	t.Run("deadline", func(t *testing.T) {
		l, c, _ := idleLoop(t, &probe{})
		noAllocs(t, func() {
			c.SetDeadline(l.now + 10)
			l.scanned = 0
			l.turn()
		})
	})
	t.Run("post", func(t *testing.T) {
		l, _, _ := idleLoop(t, &probe{})
		task := &count{}
		noAllocs(t, func() {
			for range 100 {
				l.Post(task)
			}
			l.turn()
		})
		if task.n == 0 {
			t.Error("the task never ran")
		}
	})
}

type count struct{ n int }

func (c *count) Run(*Loop) { c.n++ }

// noAllocs runs f often enough for all pools to fill, then counts.
func noAllocs(t *testing.T, f func()) {
	t.Helper()
	for range 10 {
		f()
	}
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// fixed is a driver that always has the same bytes to read and takes all that is written: what is left is the engine's own time.
type fixed struct {
	driver
	in []byte
}

func (d *fixed) read(_ *Conn, p []byte) (int, syscall.Errno)  { return copy(p, d.in), 0 }
func (d *fixed) write(_ *Conn, p []byte) (int, syscall.Errno) { return len(p), 0 }
func (d *fixed) wait([]event, time.Duration) (int, error)     { return 0, nil }
func (d *fixed) writev(_ *Conn, v [][]byte) (n int, _ syscall.Errno) {
	for _, p := range v {
		n += len(p)
	}
	return n, 0
}

// unpoisoned measures without the poison of test builds.
func unpoisoned(b *testing.B) {
	poisonFreed = false
	b.Cleanup(func() { poisonFreed = true })
}

// BenchmarkEcho is the user time of reading 60 bytes, calling the handler, and writing its answer at the end of the iteration.
func BenchmarkEcho(b *testing.B) {
	unpoisoned(b)
	l, c, _ := idleLoop(b, echo())
	l.drv = &fixed{l.drv, make([]byte, 60)}
	ev := event{slot: c.slot, gen: c.gen, bits: readyIn}
	b.ReportAllocs()
	for b.Loop() {
		l.event(&ev)
		l.turn()
	}
}

// BenchmarkFanOut is the user time per recipient of one frame to a thousand.
func BenchmarkFanOut(b *testing.B) {
	unpoisoned(b)
	l, _, _ := idleLoop(b, &probe{})
	var conns []*Conn
	for range 1000 {
		l.adopt(socket{fd: -1, peer: sinkPeer{&Sink{}}}, nil, func(c *Conn) Handler { conns = append(conns, c); return &probe{} })
	}
	benchmarkFanOut(b, l, conns)
}

func benchmarkFanOut(b *testing.B, l *Loop, conns []*Conn) {
	l.drv = &fixed{l.drv, nil}
	f := NewFrame(make([]byte, 60), 0)
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range conns {
			c.Send(f)
		}
		l.turn()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(conns)), "ns/recipient")
}

// BenchmarkPost is the time of posting a task to an awake loop and running it.
func BenchmarkPost(b *testing.B) {
	unpoisoned(b)
	l, _, _ := idleLoop(b, &probe{})
	task := &count{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Post(task)
		if i&63 == 63 {
			l.runTasks()
		}
	}
}

// BenchmarkDeadlines is the scan of the deadlines of a million connections.
func BenchmarkDeadlines(b *testing.B) {
	unpoisoned(b)
	l, _, _ := idleLoop(b, &probe{})
	l.deadlines = make([]uint32, 1<<20)
	for i := range l.deadlines {
		l.deadlines[i] = 1 << 30
	}
	for b.Loop() {
		l.runDeadlines()
	}
}
