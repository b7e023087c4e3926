package hubrt

import "math/bits"

// place names a connection of a hub in four bytes: its loop in the upper bits, its number in that loop's roster in the lower. The tables that find
// connections hold places instead of pointers (package roster says why). A place is good as long as its connection is
// on the roster.
type place uint32 // 0: none

// makeShards makes a shard for each loop.
func (h *Hub) makeShards(n int) {
	h.shards = make([]shard, n)
	h.numberBits = 32 - bits.Len(uint(n-1))
	h.registry.hub, h.users.hub = h, h
	for i := range h.shards {
		h.shards[i].hub = h
		h.shards[i].index = uint32(i)
		h.shards[i].conns.SetMost(1<<h.numberBits - 1)
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
	return s.conns.At(uint32(p) & s.conns.Most())
}
