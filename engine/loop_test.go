package engine

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var loopClauses = []clause{
	{name: "loop/tasks of a goroutine run in order", run: testPostOrder},
	{name: "loop/deadline", run: testDeadline},
	{name: "loop/counters", run: testCounters},
	{name: "loop/last bytes", run: testLastBytes},
}

func testPostOrder(t *testing.T, w *world) {
	const posters, each = 4, 5000
	for _, l := range w.Loops() {
		var got [posters][]int
		var wg sync.WaitGroup
		for p := range posters {
			wg.Go(func() {
				for i := range each {
					if !l.Post(TaskFunc(func(on *Loop) {
						if on != l {
							t.Error("a task ran on another loop")
						}
						got[p] = append(got[p], i)
					})) {
						t.Error("a running loop did not take a task")
					}
				}
			})
		}
		wg.Wait()
		on(t, l, func() {})
		for p := range got {
			if len(got[p]) != each || !slices.IsSorted(got[p]) {
				t.Errorf("poster %d: %d tasks ran, or out of order", p, len(got[p]))
			}
		}
	}
}

func testDeadline(t *testing.T, w *world) {
	fired := make(chan uint32, 1)
	at := uint32(0)
	w.connect(func(c *Conn) Handler {
		at = c.Loop().Now() + 1
		c.SetDeadline(at)
		return &probe{deadline: func(_ *Conn, now uint32) { fired <- now }}
	})
	if now := await(t, fired, "the deadline"); now < at {
		t.Fatalf("second %d came at %d", at, now)
	}
}

func testCounters(t *testing.T, w *world) {
	closed, ends := endings()
	h := echo()
	h.close = closed
	p := w.connect(h.open)
	for range 10 {
		send(t, p, []byte("0123456789"))
		receive(t, p, "0123456789")
	}
	if n := w.Stats().Open; n != 1 {
		t.Errorf("%d connections are open, want 1", n)
	}
	_ = p.Close()
	await(t, ends, "the close")
	s := w.Stats()
	if s.Open != 0 || s.Accepted != 1 || s.BytesIn != 100 || s.BytesOut != 100 || s.Closed[PeerClosed] != 1 {
		t.Errorf("counted: %+v", s)
	}
}

// testLastBytes looks at the counters as soon as a connection is not open any more: its bytes and its end are in them.
func testLastBytes(t *testing.T, w *world) {
	seen := make(chan Stats, 1)
	h := &probe{data: func(c *Conn, p []byte) int {
		c.Reset(Refused, nil)
		seen <- w.Stats()
		return len(p)
	}}
	send(t, w.connect(h.open), []byte("0123456789"))
	if s := await(t, seen, "the end"); s.Open != 0 || s.BytesIn != 10 || s.Closed[Refused] != 1 {
		t.Errorf("counted: %+v", s)
	}
}

// TestDeadlines sets, moves and clears the deadlines of many connections, by a clock of its own.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Loops: 1}, memoryBackend)
		l := w.Loops()[0]
		const n = 1500 // several pages
		conns := make(chan *Conn, n)
		fired := map[*Conn][]uint32{} // loop
		h := &probe{deadline: func(c *Conn, now uint32) { fired[c] = append(fired[c], now) }}
		for range n {
			if _, err := w.DialSink(func(c *Conn) Handler { conns <- c; return h }); err != nil {
				t.Fatal(err)
			}
		}
		want := map[*Conn][]uint32{}
		on(t, l, func() {
			now := l.Now()
			for i := range n {
				c := <-conns
				switch i % 5 {
				case 0:
					c.SetDeadline(now + uint32(i%7) + 1)
					want[c] = []uint32{now + uint32(i%7) + 1}
				case 1:
					c.SetDeadline(now + 3)
					c.SetDeadline(0)
				case 2:
					c.SetDeadline(now + 3)
					c.SetDeadline(now + 9)
					want[c] = []uint32{now + 9}
				case 3:
					c.SetDeadline(now + 2)
					c.Reset(Aborted, nil)
				}
			}
		})
		time.Sleep(20 * time.Second)
		on(t, l, func() {
			for c, w := range want {
				if !slices.Equal(fired[c], w) {
					t.Errorf("fired at %v, want %v", fired[c], w)
				}
				delete(fired, c)
			}
			if len(fired) > 0 {
				t.Errorf("%d deadlines fired that were cleared or of connections that have gone", len(fired))
			}
		})
	})
}

func TestTimers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Loops: 1}, memoryBackend)
		l := w.Loops()[0]
		began := time.Now()
		type firing struct {
			want, got time.Duration
		}
		fired := make(chan firing, 100)
		stopped := 0
		on(t, l, func() {
			for _, ms := range []int{30, 5, 1, 999, 5, 1500, 0, 250, 70_000} {
				d := time.Duration(ms) * time.Millisecond
				l.AfterFunc(d, func() { fired <- firing{d, time.Since(began)} })
				x := l.AfterFunc(d+time.Millisecond/2, func() { t.Error("a stopped timer has run") })
				if x.Stop() {
					stopped++
				}
				if x.Stop() {
					t.Error("a timer was stopped twice")
				}
			}
		})
		if stopped != 9 {
			t.Errorf("%d of 9 timers could be stopped", stopped)
		}
		last := time.Duration(-1)
		for range 9 {
			f := <-fired
			if f.got < f.want || f.got > f.want+time.Millisecond || f.want < last {
				t.Errorf("a timer of %v has run after %v", f.want, f.got)
			}
			last = f.want
		}
		on(t, l, func() { // one that runs forever does not hold the loop
			var again func()
			n := 0
			again = func() {
				if n++; n < 1000 {
					l.AfterFunc(0, again)
				}
			}
			again()
		})
		x := make(chan *Timer, 1)
		on(t, l, func() {
			var tm *Timer
			tm = l.AfterFunc(0, func() {
				if tm.Stop() {
					t.Error("a timer that runs could be stopped")
				}
				x <- tm
			})
		})
		<-x
	})
}

// TestClock: whole seconds since the engine began, never 0, and the wall clock.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Loops: 1}, memoryBackend)
		l := w.Loops()[0]
		for i := range 100 {
			on(t, l, func() {
				if want := uint32(i*700/1000 + 1); l.Now() != want {
					t.Errorf("after %d ms it is second %d, want %d", i*700, l.Now(), want)
				}
				if d := time.Since(l.Time()); d < 0 || d > 10*time.Millisecond {
					t.Errorf("the iteration's time is %v off", d)
				}
			})
			time.Sleep(700 * time.Millisecond)
		}
	})
}

func TestLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Config{Loops: 1}, memoryBackend)
		l := w.Loops()[0]
		time.Sleep(3 * time.Second)
		if lag := w.Stats().LagMax; lag != 0 {
			t.Errorf("an idle loop lags by %v", lag)
		}
		on(t, l, func() { time.Sleep(300 * time.Millisecond) })
		time.Sleep(3 * time.Second)
		if lag := w.Stats().LagMax; lag != 300*time.Millisecond {
			t.Errorf("lag is %v, want 300ms", lag)
		}
		if lag := w.Stats().LagMax; lag != 0 {
			t.Errorf("lag is %v after it was read", lag)
		}
	})
}

// sum is a task that takes over the ones of its kind behind it.
type sum struct {
	n, limit int
	out      *[]int
}

func (s *sum) Run(*Loop) { *s.out = append(*s.out, s.n) }

func (s *sum) Merge(next Task) bool {
	o, ok := next.(*sum)
	if !ok || s.n+o.n > s.limit {
		return false
	}
	s.n += o.n
	return true
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Loops: 1}, memoryBackend)
	l := w.Loops()[0]
	var got []int
	held, release := make(chan struct{}), make(chan struct{})
	l.Post(TaskFunc(func(*Loop) { close(held); <-release }))
	await(t, held, "the loop")
	for range 10 {
		l.Post(&sum{1, 4, &got})
	}
	l.Post(TaskFunc(func(*Loop) { got = append(got, -1) }))
	l.Post(&sum{1, 4, &got})
	l.Post(&sum{9, 4, &got})
	close(release)
	on(t, l, func() {})
	if want := []int{4, 4, 2, -1, 1, 9}; !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
}

// TestTaskBudget: tasks that post themselves again do not keep a connection from being served.
func TestTaskBudget(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Loops: 1}, memoryBackend)
	l := w.Loops()[0]
	stop := false // loop
	var again TaskFunc
	again = func(l *Loop) {
		if !stop {
			l.Post(again)
		}
	}
	for range 3 * taskBudget {
		l.Post(again)
	}
	p := w.connect(echo().open)
	for range 20 {
		send(t, p, []byte("ping"))
		receive(t, p, "ping")
	}
	on(t, l, func() { stop = true })
}

// TestShutdownRunsTasks: a task that was taken is run, though the engine ends.
func TestShutdownRunsTasks(t *testing.T) {
	t.Parallel()
	for range 50 {
		e, err := New(Config{Backend: "memory", Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, l := range e.Loops() {
			wg.Go(func() {
				ran := make(chan struct{}, 1)
				for l.Post(TaskFunc(func(*Loop) { ran <- struct{}{} })) {
					await(t, ran, "a task that was taken")
				}
			})
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Backend: "iouring", Loops: 5000, Outbound: -1, OutboundMax: -2, OwnedMax: -3, FramesMax: -4, SendTimeout: -5,
		SendBuffer: -6, InputMax: -7, Linger: 48 * time.Hour,
	})
	if err == nil {
		t.Fatal("nonsense was taken")
	}
	for _, field := range []string{
		`backend "iouring"`, "Loops is 5000", "Outbound is -1", "OutboundMax is -2", "OwnedMax is -3", "FramesMax is -4", "SendTimeout is",
		"SendBuffer is -6", "InputMax is -7", "Linger is 48h",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not say %q:\n%v", field, err)
		}
	}
	if _, err := New(Config{Outbound: 1000, OutboundMax: 999}); err == nil || !strings.Contains(err.Error(), "OutboundMax is 999") {
		t.Errorf("a hard cap below the soft one: %v", err)
	}
}

func TestReasonNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := range reasonCount {
		s := r.String()
		if s == "" || seen[s] {
			t.Errorf("reason %d has the name %q", r, s)
		}
		seen[s] = true
	}
	if reasonCount.String() != "unknown" {
		t.Error("a reason out of range has a name")
	}
}

// waking is a driver that counts how often the loop is woken.
type waking struct {
	driver
	n int
}

func (d *waking) wake() { d.n++ }

// TestOneWakeUp: many posts to a loop that sleeps wake it once, posts to one that is awake never.
func TestOneWakeUp(t *testing.T) {
	t.Parallel()
	l, _, _ := idleLoop(t, &probe{})
	d := &waking{driver: l.drv}
	l.drv = d
	task := &count{}
	for range 100 {
		l.Post(task)
	}
	if d.n != 0 {
		t.Errorf("a loop that is awake was woken %d times", d.n)
	}
	for range 3 {
		d.n = 0
		l.asleep.Store(true)
		for range 100 {
			l.Post(task)
		}
		if d.n != 1 {
			t.Errorf("a loop that sleeps was woken %d times", d.n)
		}
	}
	l.runTasks()
	if task.n != 400 {
		t.Errorf("%d tasks ran, want 400", task.n)
	}
}

// TestLateWake: a wake-up that comes after the loop has given its descriptors back does nothing.
func TestLateWake(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		e, err := New(Config{Backend: b.cfg.Backend, Loops: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.loops[0].drv.wake()
	}
}
