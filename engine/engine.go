package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// ErrStopped is the answer of an engine that has been shut down.
var ErrStopped = errors.New("engine: shut down")

// Engine owns the loops and listeners. Its methods may be called on any goroutine; Shutdown not on a loop's.
type Engine struct {
	cfg      Config
	loops    []*Loop
	next     atomic.Uint32 // round robin of connections that no listener has tied to a loop
	running  sync.WaitGroup
	stopping atomic.Bool

	mu        sync.Mutex
	listeners []listener           // under mu
	bridges   map[*bridge]struct{} // under mu
}

// listener is what Listen opens; close may be called more than once.
type listener interface{ close() }

// New checks cfg, makes the loops and starts them. The error names every field that is wrong.
func New(cfg Config) (*Engine, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg}
	yields := 1
	if runtime.GOMAXPROCS(0) == 1 {
		// With one processor a single yield may come back before the workers ran, and the blocking wait would then hold
		// the processor until the runtime takes it away: three yields were 2.1 ms instead of 20 ms at the 99th percentile.
		yields = 3
	}
	for i := range cfg.Loops {
		l := newLoop(e, i, yields)
		d, err := newDriver(l)
		if err != nil {
			for _, l := range e.loops {
				l.drv.stop()
			}
			return nil, fmt.Errorf("engine: loop %d of %d: %w", i, cfg.Loops, err)
		}
		if cfg.wrap != nil {
			d = cfg.wrap(l, d)
		}
		l.drv = d
		e.loops = append(e.loops, l)
	}
	for _, l := range e.loops {
		if l.hosted != nil {
			l.drv.wake() // for its first turn
		}
		e.running.Go(l.run)
	}
	return e, nil
}

// newDriver makes the driver of a loop for the configured backend.
func newDriver(l *Loop) (driver, error) {
	if l.engine.cfg.Backend == backendMemory {
		return newMemory(l), nil
	}
	return newSocketDriver(l)
}

// Loops returns the loops, in the order of their Index. The slice is the engine's; do not change it.
func (e *Engine) Loops() []*Loop { return e.loops }

// Backend is the name of the backend in use.
func (e *Engine) Backend() string { return e.cfg.Backend }

// pick is the loop of the next connection that no listener has tied to one.
func (e *Engine) pick() *Loop {
	return e.loops[int(e.next.Add(1)-1)%len(e.loops)]
}

// Listen opens a listener per loop (tcp, tcp4, tcp6, with SO_REUSEPORT) or one for all (unix). open runs on the loop for each
// accepted connection and returns its handler; nil refuses the connection.
//
// Network tcp with an empty host or [::] takes IPv4 and IPv6. A port of 0 is one free port for all loops; the address that is
// returned says which. A port that somebody listens on already is an error, though SO_REUSEPORT would allow to share it. A
// unix socket's file is removed when the listener closes; one left behind by a dead process is replaced, a living one is an
// error. The memory backend has no listeners: see Dial.
func (e *Engine) Listen(network, addr string, open func(c *Conn) Handler) (net.Addr, error) {
	if e.stopping.Load() {
		return nil, ErrStopped
	}
	if e.cfg.Backend == backendMemory {
		return nil, fmt.Errorf("engine: listen %s %s: the memory backend has no listeners; connections are made with Engine.Dial", network, addr)
	}
	ln, at, err := e.listen(network, addr, open)
	if err != nil {
		return nil, fmt.Errorf("engine: listen %s %s: %w", network, addr, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping.Load() {
		ln.close()
		return nil, ErrStopped
	}
	e.listeners = append(e.listeners, ln)
	if s, ok := ln.(interface{ serve() }); ok { // it accepts on a goroutine of its own
		e.running.Go(s.serve)
	}
	return at, nil
}

// StopListening closes the listeners; connections live on. When it returns, the kernel refuses new connections.
func (e *Engine) StopListening() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ln := range e.listeners {
		ln.close()
	}
	e.listeners = nil
}

// Shutdown stops listening, closes what is left with reason Shutdown and stops the loops; ctx bounds the wait for queued bytes
// and for the peers' FINs (as Linger does): when it ends, what is left is reset. The error is then that of ctx. Tasks posted
// before a loop has stopped are run. Not on a loop's goroutine.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	e.stopping.Store(true)
	e.mu.Unlock()
	e.StopListening()
	for _, l := range e.loops {
		l.Post(TaskFunc((*Loop).closeAll))
	}
	done := make(chan struct{})
	go func() { // ends with the loops, which end below at the latest
		e.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, l := range e.loops {
		l.Post(TaskFunc((*Loop).resetAll))
	}
	e.cutBridges()
	<-done
	return context.Cause(ctx)
}

// closeAll begins the end of the loop: it stops when the last connection has gone.
func (l *Loop) closeAll() {
	l.stopping = true
	l.slab.each(func(c *Conn) {
		if h, ok := c.handler.(Idler); ok && c.flags&(flagDead|flagClosing) == 0 && c.Buffered() == 0 && h.Idle() && l.notify(c) {
			c.kill(Shutdown, nil, false)
			return
		}
		c.Close(Shutdown, nil)
	})
}

func (l *Loop) resetAll() {
	l.stopping = true
	l.slab.each(func(c *Conn) { c.Reset(Shutdown, nil) })
}
