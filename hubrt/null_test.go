package hubrt

import (
	"sync/atomic"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// nullLink is a transport that counts.
type nullLink struct {
	ref  engine.Ref
	sent int    // loop
	out  []byte // loop: what was written, when keep is set
	keep bool   // loop

	written func(p []byte) // loop; nil: nobody wants to know

	writes atomic.Int64 // any goroutine
	ended  engine.CloseReason
}

func (l *nullLink) Loop() *engine.Loop { return l.ref.Loop() }
func (l *nullLink) Format(bool)        {}
func (l *nullLink) Send(f *engine.Frame) {
	l.sent++
	if l.keep {
		l.out = append(l.out, f.Payload()...)
	}
}

func (l *nullLink) Write(p []byte) {
	if l.keep {
		l.out = append(l.out, p...)
	}
	if l.written != nil {
		l.written(p)
	}
	l.writes.Add(1)
}
func (l *nullLink) Room() bool                          { return true }
func (l *nullLink) PauseRead()                          {}
func (l *nullLink) ResumeRead()                         {}
func (l *nullLink) SetDeadline(uint32)                  {}
func (l *nullLink) End(r engine.CloseReason, err error) { l.ended = r }
func (l *nullLink) Fail(error)                          { l.ended = engine.InternalError }

// anchor is a connection whose Ref lends nullLinks a loop.
func (r *rig) anchor() engine.Ref {
	r.t.Helper()
	refs := make(chan engine.Ref, 1)
	_, err := r.eng.DialSink(func(c *engine.Conn) engine.Handler {
		refs <- c.Ref()
		return &idleHandler{}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return <-refs
}

type idleHandler struct{}

func (*idleHandler) OnData(_ *engine.Conn, p []byte) int             { return len(p) }
func (*idleHandler) OnEOF(*engine.Conn)                              {}
func (*idleHandler) OnDrain(*engine.Conn)                            {}
func (*idleHandler) OnDeadline(*engine.Conn, uint32)                 {}
func (*idleHandler) OnClose(*engine.Conn, engine.CloseReason, error) {}

// loopTask runs f on a loop and waits for it, again and again without an allocation.
type loopTask struct {
	f    func()
	done chan struct{}
	loop *engine.Loop
}

func newLoopTask(l *engine.Loop, f func()) *loopTask {
	return &loopTask{f: f, done: make(chan struct{}), loop: l}
}

func (t *loopTask) Run(*engine.Loop) { t.f(); t.done <- struct{}{} }

func (t *loopTask) run() {
	t.loop.Post(t)
	<-t.done
}

// openNull opens n connections with the handshake done, all on one loop.
func (r *rig) openNull(h *Hub, n int) (links []*nullLink, conns []*Conn, loop *engine.Loop) {
	ref := r.anchor()
	loop = ref.Loop()
	newLoopTask(loop, func() {
		for i := range n {
			l := &nullLink{ref: ref}
			c := h.Open(l, Peer{ID: ID{byte(i), byte(i >> 8), byte(i >> 16), 1}, Binary: true, Transport: WebSockets})
			c.Receive([]byte(shake + "\x1e"))
			links, conns = append(links, l), append(conns, c)
		}
	}).run()
	return links, conns, loop
}

func (r *rig) closeNull(conns []*Conn) {
	if len(conns) == 0 {
		return
	}
	newLoopTask(conns[0].shard.loop, func() {
		for _, c := range conns {
			c.Closed(engine.PeerClosed, nil)
		}
	}).run()
}

// allocs is testing.AllocsPerRun after some runs that fill the pools.
func allocs(f func()) float64 {
	for range 50 {
		f()
	}
	return testing.AllocsPerRun(200, f)
}
