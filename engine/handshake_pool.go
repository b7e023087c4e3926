package engine

import (
	"sync"
	"time"
)

// handshakeGrace is how long a handshake that waits for its client keeps its place when others want it. The next part of an ordinary client comes after one round trip.
const handshakeGrace = time.Second

// handshakePool says which handshakes are under way and which of these compute. // any goroutine
type handshakePool struct {
	max       int // constant: under way
	computing int // constant: that compute

	mu    sync.Mutex
	begun int // under mu: under way
	busy  int // under mu: that compute
	// Rings, of which next and prev alone are used. One that ends leaves its ring at once, so that they have no more than there are.
	queue   handshake // under mu: those that wait for their turn, first come first served
	clients handshake // under mu: those that wait for their client, the longest first
}

// place is where a handshake is in its pool. // under handshakePool.mu
type place uint8

const (
	outside place = iota
	queued        // to begin or to go on
	granted       // computes, or has been told to
	waiting       // for its client
)

func (p *handshakePool) init(limit, computing int) {
	p.max, p.computing = limit, computing
	p.queue.next, p.queue.prev = &p.queue, &p.queue
	p.clients.next, p.clients.prev = &p.clients, &p.clients
}

// enter begins a handshake, now or when it is its turn; false: there are too many. One that has waited for its client for longer than handshakeGrace makes room, so
// that clients that stop in the middle do not keep others out until their time is over.
func (p *handshakePool) enter(h *handshake) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun >= p.max {
		slow := p.clients.next
		if slow == &p.clients || time.Since(slow.since) < handshakeGrace {
			return false
		}
		p.left(slow)
		slow.displace()
	}
	p.begun++
	p.ready(h)
	return true
}

// resume has a handshake go on that was waiting for its client.
func (p *handshakePool) resume(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.place == waiting {
		unlink(h)
		p.ready(h)
	}
}

// ready lets h compute, or puts it in the queue. Under mu.
func (p *handshakePool) ready(h *handshake) {
	if p.busy < p.computing {
		p.busy++
		p.grant(h)
		return
	}
	h.place = queued
	link(&p.queue, h)
}

// link puts h at the end of a ring. Under mu.
func link(ring, h *handshake) {
	last := ring.prev
	h.prev, h.next = last, ring
	last.next, ring.prev = h, h
}

// grant lets h compute. Under mu.
func (p *handshakePool) grant(h *handshake) {
	h.place = granted
	if h.started {
		h.turn <- struct{}{} // there is room for one, and one only is given
		return
	}
	h.started = true
	go h.run()
}

// unlink takes h out of its ring. Under mu.
func unlink(h *handshake) {
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// pass gives a place that has become free to the first in the queue. Under mu.
func (p *handshakePool) pass() {
	if h := p.queue.next; h != &p.queue {
		unlink(h)
		p.grant(h)
		return
	}
	p.busy--
}

// await gives the place up of a handshake that waits for its client. Its own goroutine.
func (p *handshakePool) await(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.place, h.since = waiting, time.Now()
	link(&p.clients, h)
	p.pass()
}

// leave ends a handshake, wherever it is. Its own goroutine.
func (p *handshakePool) leave(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left(h)
}

// abandon ends a handshake unless it has a goroutine, which does so. Its loop.
func (p *handshakePool) abandon(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.started {
		p.left(h)
	}
}

// left counts h out. Under mu.
func (p *handshakePool) left(h *handshake) {
	switch h.place {
	case outside:
		return
	case queued, waiting:
		unlink(h)
	case granted:
		p.pass()
	}
	h.place = outside
	p.begun--
}
