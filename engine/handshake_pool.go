package engine

import "sync"

// handshakePool says which handshakes are under way and which of these compute. // any goroutine
type handshakePool struct {
	max       int // constant: under way
	computing int // constant: that compute

	mu    sync.Mutex
	begun int // under mu: under way
	busy  int // under mu: that compute
	// A ring of those that wait for their turn, first come first served: one that ends while it waits leaves at once, so that the ring has no more than there are.
	queue handshake // under mu: next and prev only
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
}

// enter begins a handshake, now or when it is its turn; false: there are too many.
func (p *handshakePool) enter(h *handshake) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun >= p.max {
		return false
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
	last := p.queue.prev
	h.prev, h.next = last, &p.queue
	last.next, p.queue.prev = h, h
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

// unlink takes h out of the queue. Under mu.
func (p *handshakePool) unlink(h *handshake) {
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// pass gives a place that has become free to the first in the queue. Under mu.
func (p *handshakePool) pass() {
	if h := p.queue.next; h != &p.queue {
		p.unlink(h)
		p.grant(h)
		return
	}
	p.busy--
}

// await gives the place up of a handshake that waits for its client. Its own goroutine.
func (p *handshakePool) await(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.place = waiting
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
	case queued:
		p.unlink(h)
	case granted:
		p.pass()
	}
	h.place = outside
	p.begun--
}
