package main

import (
	"context"
	"time"

	"github.com/spokehub/spoke/engine"
)

// The open loop: calls are due at fixed times whatever the server does, and latency counts from there. The times lie on a grid
// of ticks: calls that would be due between two ticks are due at the later one. So nothing is measured that is only the
// coarseness of the client's clock, and the lag says how much later than due a call was made.
const (
	tickMin = 500 * time.Microsecond
	tickMax = 5 * time.Millisecond
)

// pace is a shard's part of the open loop. The zero value sends nothing.
type pace struct {
	start int64
	tick  int64
	gap   float64 // nanoseconds between two calls; 0: none
	shift float64 // of the first call, so that the shards take turns
	done  int64   // calls that were made or counted as not made
	turn  int
}

// newPace is the pace of s, whose rate is that of its senders.
func newPace(w *worker, s *shard, start int64) pace {
	o := w.opts
	p := pace{start: start, tick: int64(w.tick())}
	rate := o.rate
	switch o.scenario {
	case churn:
		from, to := w.from, w.to
		rate *= float64(to-from) / float64(o.n)
		if s.index > 0 {
			return p // one shard calls for all: the dialers do the work
		}
	case echo, negotiate:
		rate *= float64(len(s.senders)) / float64(o.n)
	default:
		rate *= float64(len(s.senders)) / float64(o.publishers)
	}
	if rate > 0 {
		p.gap = float64(time.Second) / rate
		p.shift = p.gap * float64(s.index) / float64(len(w.shards))
	}
	return p
}

// due is when call n is due.
func (p *pace) due(n int64) int64 {
	t := int64(p.shift + float64(n)*p.gap)
	return p.start + (t+p.tick-1)/p.tick*p.tick
}

// tick is the grid of this run.
func (w *worker) tick() time.Duration {
	return min(max(time.Duration(float64(time.Second)/w.opts.rate), tickMin), tickMax)
}

// onTick makes the calls that are due.
func (s *shard) onTick() {
	s.ticking.Store(false)
	p := &s.pace
	if !s.running || p.gap == 0 {
		return
	}
	if s.worker.opts.scenario == negotiate {
		s.negotiateDue()
		return
	}
	now := s.worker.clock.now()
	for ; ; p.done++ {
		at := p.due(p.done)
		if at > now || at >= s.until {
			return
		}
		if at >= s.from {
			s.tally.Lag.record(now - at)
		}
		s.call(at)
	}
}

// unsentMax is how many bytes may wait on a sender's connection before its calls count as not made.
const unsentMax = 256 << 10

// call makes the call that is due at at, on the next sender.
func (s *shard) call(at int64) {
	o := s.worker.opts
	if o.scenario == churn {
		s.arrive(at)
		return
	}
	if len(s.senders) == 0 {
		s.tally.Errors.add("not sent: the sender's connection is gone", "a call was due on a connection that has ended", 1)
		return
	}
	s.pace.turn++
	c := s.senders[s.pace.turn%len(s.senders)]
	if c.unsent() > unsentMax {
		s.tally.Errors.add("not sent: the server does not read", "a call was due while 256 KiB of earlier ones waited on its connection", 1)
		return
	}
	if o.scenario == echo {
		s.callEcho(c, at)
		return
	}
	s.publish(c, at)
}

// runPacer wakes each shard when it has a call to make, until ctx ends. paces are copies of the shards'.
func (w *worker) runPacer(ctx context.Context, paces []pace) {
	precise()
	for ctx.Err() == nil {
		now := w.clock.now()
		next := now + int64(napMax)
		for i := range paces {
			p := &paces[i]
			if p.gap == 0 {
				continue
			}
			at := p.due(p.done)
			if at <= now {
				for ; at <= now; at = p.due(p.done) {
					p.done++
				}
				w.shards[i].wake()
			}
			next = min(next, at)
		}
		nap(time.Duration(next - w.clock.now()))
	}
}

// napMax is how long the pacer sleeps at most before it looks whether it shall end.
const napMax = 20 * time.Millisecond

// wake has the calls made that are due. Any goroutine.
func (s *shard) wake() {
	if s.ticking.CompareAndSwap(false, true) {
		s.loop.Post(engine.TaskFunc(func(*engine.Loop) { s.onTick() }))
	}
}
