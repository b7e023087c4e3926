package hubrt

import (
	"math/bits"
	"sync/atomic"
)

// place names a connection of a hub in four bytes: its loop in the upper bits, its number in that loop's roster in the lower. The tables that find
// connections hold places instead of pointers, which is half the memory, and nothing that the collector looks into: with a million connections,
// following the pointers of three tables in the order of their hashes was most of a full collection. A place is good as long as its connection is
// on the roster.
type place uint32 // 0: none

// roster is a loop's list of a hub's connections, each under a number from 1 that it keeps until it leaves. The loop alone changes it; who has got a
// number under a lock that its connection must take before it leaves may look it up on any goroutine.
type roster struct {
	// pages is replaced when it grows or shrinks, and its elements are changed only while nobody has a number of that page.
	pages atomic.Pointer[[]*rosterPage] // any goroutine (atomic); an element is nil when its page is empty
	room  int                           // loop: no page before this one has a free number
	n     int                           // loop: connections
	most  uint32                        // constant: the highest number
}

const (
	rosterBits = 8
	rosterSize = 1 << rosterBits
)

type rosterPage struct {
	conns [rosterSize]*Conn // loop, and who has a number that is in use
	used  int               // loop
}

func (r *roster) list() []*rosterPage {
	if p := r.pages.Load(); p != nil {
		return *p
	}
	return nil
}

// at is the connection of a number that is in use.
func (r *roster) at(number uint32) *Conn {
	i := number - 1
	return (*r.pages.Load())[i>>rosterBits].conns[i%rosterSize]
}

// add gives c a number, the lowest that it finds, so that pages at the end become empty again. 0: there is none left. Loop only, as all that follows.
func (r *roster) add(c *Conn) uint32 {
	list := r.list()
	for r.room < len(list) && list[r.room] != nil && list[r.room].used == rosterSize {
		r.room++
	}
	if uint64(r.room+1)<<rosterBits > uint64(r.most) {
		return 0
	}
	if r.room == len(list) {
		list = append(list, nil)
		r.pages.Store(&list)
	}
	p := list[r.room]
	if p == nil {
		p = new(rosterPage)
		list[r.room] = p
	}
	i := 0
	if p.used > 0 {
		for p.conns[i] != nil {
			i++
		}
	}
	p.conns[i] = c
	p.used++
	r.n++
	return uint32(r.room)<<rosterBits + uint32(i) + 1
}

// remove frees a number.
func (r *roster) remove(number uint32) {
	list := r.list()
	i := int(number-1) >> rosterBits
	p := list[i]
	p.conns[(number-1)%rosterSize] = nil
	p.used--
	r.n--
	r.room = min(r.room, i)
	if p.used > 0 {
		return
	}
	list[i] = nil
	last := len(list)
	for last > 0 && list[last-1] == nil {
		last--
	}
	if last < len(list) {
		list = shrink(list[:last])
		r.pages.Store(&list)
	}
}

// each calls f for all connections; f may end any of them.
func (r *roster) each(f func(c *Conn)) {
	for _, p := range r.list() {
		if p == nil {
			continue
		}
		for i := range p.conns {
			if c := p.conns[i]; c != nil {
				f(c)
			}
		}
	}
}

// makeShards makes a shard for each loop.
func (h *Hub) makeShards(n int) {
	h.shards = make([]shard, n)
	h.numberBits = 32 - bits.Len(uint(n-1))
	h.registry.hub, h.users.hub = h, h
	for i := range h.shards {
		h.shards[i].hub = h
		h.shards[i].index = uint32(i)
		h.shards[i].conns.most = uint32(1<<h.numberBits - 1)
	}
}

// place is c's. Any goroutine.
func (c *Conn) place() place {
	return place(uint64(c.shard.index)<<c.shard.hub.numberBits | uint64(c.number))
}

// at is the connection of a place, for who holds the lock of the table that the place is in; nil for 0.
func (h *Hub) at(p place) *Conn {
	if p == 0 {
		return nil
	}
	s := &h.shards[uint64(p)>>h.numberBits]
	return s.conns.at(uint32(p) & s.conns.most)
}
