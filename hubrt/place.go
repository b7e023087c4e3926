package hubrt

import "math/bits"

// Place names a connection of a hub in four bytes: its loop in the upper bits, its number in that loop's roster in the lower. The tables that find
// connections hold places instead of pointers (package roster says why). A place is good until Conn.Closed: by then the connection must have left all
// tables. 0: none.
type Place uint32

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

// Place is the connection's, from Begin on; 0 for one that is refused as there is no place left. Any goroutine, once the connection can be found by others.
func (c *Conn) Place() Place {
	if c.number == 0 {
		return 0
	}
	return Place(uint64(c.shard.index)<<c.shard.hub.numberBits | uint64(c.number))
}

// At is the connection of a place, for who holds the lock of the table that the place is in; nil for 0.
func (h *Hub) At(p Place) *Conn {
	if p == 0 {
		return nil
	}
	s := &h.shards[uint64(p)>>h.numberBits]
	return s.conns.At(uint32(p) & s.conns.Most())
}
