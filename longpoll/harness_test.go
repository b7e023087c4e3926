package longpoll

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spokehub/spoke/engine"
)

// rig is a loop of the memory backend with its clock, in a synctest bubble, where time moves when everybody waits.
type rig struct {
	t     *testing.T
	e     *engine.Engine
	loop  *engine.Loop
	clock *Clock
}

func bubble(t *testing.T, f func(r *rig)) { bubbleWith(t, engine.Config{}, f) }

func bubbleWith(t *testing.T, cfg engine.Config, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Backend, cfg.Loops = "memory", 1
		e, err := engine.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, e: e, loop: e.Loops()[0]}
		r.clock = NewClock(r.loop)
		defer func() {
			if err := e.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		f(r)
		synctest.Wait()
		r.do(func() {
			if n := len(r.clock.entries); n != 0 {
				t.Errorf("%d entries are left in the clock", n)
			}
		})
	})
}

// do runs f on the loop, and waits until everybody waits.
func (r *rig) do(f func()) {
	r.t.Helper()
	done := make(chan struct{})
	r.loop.Post(engine.TaskFunc(func(*engine.Loop) {
		defer close(done) // a test's t.Fatal ends the loop's goroutine otherwise unseen
		f()
	}))
	<-done
	synctest.Wait()
}

// log is what has happened to a connection, in order. On the loop, and read by the test while that waits.
type log struct {
	t     testing.TB
	lines []string
}

func (l *log) add(format string, a ...any) { l.lines = append(l.lines, fmt.Sprintf(format, a...)) }

// want compares what has happened since the last want.
func (l *log) want(lines ...string) {
	l.t.Helper()
	synctest.Wait()
	if got, want := strings.Join(l.lines, "\n"), strings.Join(lines, "\n"); got != want {
		l.t.Errorf("happened:\n%s\nwant:\n%s", got, want)
	}
	l.lines = nil
}

// receiver is a Receiver that writes down what it is told; the functions may be nil.
type receiver struct {
	log
	payload func(p []byte)
	drain   func()
	due     func(now uint32)
	paused  func() bool
	closed  int
}

func (v *receiver) OnPayload(p []byte) {
	if len(p) == 0 {
		v.t.Error("OnPayload with an empty piece")
	}
	if v.closed > 0 {
		v.t.Error("OnPayload after OnClosed")
	}
	if v.paused != nil && v.paused() {
		v.t.Error("OnPayload while reading is paused")
	}
	v.add("payload %s", p)
	if v.payload != nil {
		v.payload(p)
	}
}

func (v *receiver) OnDrain() {
	v.add("drain")
	if v.drain != nil {
		v.drain()
	}
}

func (v *receiver) OnDeadline(now uint32) {
	v.add("deadline")
	if v.due != nil {
		v.due(now)
	}
}

func (v *receiver) OnClosed(r engine.CloseReason, err error) {
	if v.closed++; v.closed > 1 {
		v.t.Errorf("OnClosed was called %d times", v.closed)
	}
	if err != nil {
		v.add("closed %v: %v", r, err)
		return
	}
	v.add("closed %v", r)
}

func defaults() *Limits {
	l := Limits{}.Defaults()
	return &l
}

func frame(s string) *engine.Frame { return engine.NewFrame([]byte(s), 0) }

// newConn is what streams and polled connections have in common, alone.
func newConn(r *rig, recv Receiver) *conn {
	c := &conn{loop: r.loop, recv: recv, limits: defaults(), clock: r.clock}
	c.timed = bare{c}
	return c
}

type bare struct{ c *conn }

func (b bare) due(uint32)                            {}
func (b bare) Close(r engine.CloseReason, err error) { b.c.end(r, err) }
