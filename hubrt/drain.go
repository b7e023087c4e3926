package hubrt

import (
	"context"
	"errors"
	"time"

	"github.com/spokehub/spoke/engine"
)

var (
	errDraining = errors.New("the server is shutting down")
	errGivenUp  = errors.New("the server has stopped before the event could run")
)

// drainStep is how often a loop drains some more of its connections.
const drainStep = 20 * time.Millisecond

// Drain ends all connections, spread evenly over spread. A connection whose turn has come refuses new calls, finishes those that it has, sends their
// replies, and then a Close with permission to reconnect. New connections are ended at once. Drain returns when all connections, calls and hooks have
// ended, or with ctx's error when that has; then calls and events that have not begun do not begin any more.
func (rt *Runtime) Drain(ctx context.Context, spread time.Duration) error {
	rt.draining.Store(true)
	for i := range rt.locals {
		rt.locals[i].loop.Post(&drainer{rt: rt, loop: rt.locals[i].loop, spread: spread})
	}
	for rt.busy.Load() > 0 {
		select {
		case <-rt.idle:
		case <-ctx.Done():
			rt.pool.giveUp()
			return ctx.Err()
		}
	}
	rt.signalIdle() // others may wait, too
	return nil
}

// drainer drains a loop's connections. Loop only.
type drainer struct {
	rt     *Runtime
	loop   *engine.Loop
	spread time.Duration
	begun  time.Time
	conns  []*Conn // those that were there when it began; later ones are refused
	done   int
}

// Run begins.
func (d *drainer) Run(l *engine.Loop) {
	d.rt.mu.Lock()
	for _, h := range d.rt.hubs {
		h.shards[l.Index()].conns.Each(func(c *Conn) { d.conns = append(d.conns, c) })
	}
	d.rt.mu.Unlock()
	d.begun = l.Time()
	d.step()
}

func (d *drainer) step() {
	n := len(d.conns)
	if elapsed := d.loop.Time().Sub(d.begun); elapsed < d.spread {
		n = int(float64(n) * (float64(elapsed) / float64(d.spread)))
	}
	for ; d.done < n; d.done++ {
		d.conns[d.done].drain()
		d.conns[d.done] = nil
	}
	if n < len(d.conns) {
		d.loop.AfterFunc(min(drainStep, d.spread), d.step)
	}
}

// drain ends the connection as soon as its calls have.
func (c *Conn) drain() {
	switch c.state {
	case stateHandshake:
		c.refuse(engine.Shutdown, nil)
	case stateOpen:
		c.flags |= flagDraining
		c.stopStreams(errStreamsDrain)
		c.settle()
	}
}
