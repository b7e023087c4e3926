package main

import (
	"math/rand/v2"
	"sync"
	"time"
)

// retryAfter is how long a client waits after a failed attempt before the next.
const retryAfter = 100 * time.Millisecond

// pool holds the clients of an open-loop churn that are not in use. Any goroutine.
type pool struct {
	mu   sync.Mutex
	free []*client // under mu
}

func (p *pool) take() *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := len(p.free) - 1
	if k < 0 {
		return nil
	}
	c := p.free[k]
	p.free = p.free[:k]
	return c
}

func (p *pool) put(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c)
}

// live lets a connection of churn live for a while. When the load has ended it leaves at once.
func (s *shard) live(c *client) {
	reset := s.worker.opts.reset
	if d := s.worker.opts.hold; d > 0 && s.worker.load.Load() {
		c.timer = s.loop.AfterFunc(d, func() { c.timer = nil; c.leave(reset) })
		return
	}
	c.leave(reset)
}

// comeAgain has a client of churn connect anew: at once in a closed loop, when it is its turn in an open one.
func (s *shard) comeAgain(c *client, failed bool) {
	w := s.worker
	switch {
	case !w.load.Load():
	case w.opts.rate > 0:
		w.pool.put(c)
	case failed:
		s.loop.AfterFunc(retryAfter, func() {
			if w.load.Load() {
				w.connect(c, w.clock.now())
			}
		})
	default:
		w.connect(c, w.clock.now())
	}
}

// arrive connects a client of an open-loop churn, which was due at at.
func (s *shard) arrive(at int64) {
	c := s.worker.pool.take()
	if c == nil {
		s.tally.Errors.add("not connected: -n are in use", "a connection was due while -n others were open or being made; raise -n, or the server is too slow for this rate", 1)
		return
	}
	s.worker.connect(c, at)
}

// drop ends the connections of this shard at once: the storm. They come back as soon as their end is known.
func (s *shard) drop(at int64) {
	list := s.clients
	s.clients = nil
	for _, c := range list {
		if c.step != stepReady {
			s.worker.returned() // it was lost before the storm, and has been counted
			continue
		}
		c.began = at
		c.leave(s.worker.opts.reset)
	}
}

// comeBack has a client return in a storm; after a failure a little later, spread so that failures do not stay a herd.
func (s *shard) comeBack(c *client, failed bool) {
	w := s.worker
	if !w.load.Load() {
		return
	}
	if !failed {
		w.connect(c, c.began)
		return
	}
	s.loop.AfterFunc(retryAfter+rand.N(retryAfter), func() { w.connect(c, c.began) })
}
