package endpoint

import (
	"encoding/binary"
	"math/bits"

	"github.com/spokehub/spoke/hubrt"
)

// index finds connections of an endpoint by their tokens. It holds nothing but the places that they have on the hub, 6 bytes a connection on average, where a map,
// which holds the tokens too and is half empty, takes 38 to 56, and where pointers would be one more for each connection that the collector has to follow. Open addressing with linear probing: tokens are our own random numbers, so nobody
// can make them meet. Without an entry it is empty. Under the shard's mu.
type index struct {
	places places        // constant
	slots  []hubrt.Place // 0: free; between n and 8/5 n
	n      int
}

// places says whose a place is, as long as its connection is in the index.
type places interface {
	at(p hubrt.Place) *connection
}

// at is the connection in slot i; nil: the slot is free.
func (x *index) at(i int) *connection {
	if p := x.slots[i]; p != 0 {
		return x.places.at(p)
	}
	return nil
}

const minSlots = 8

// home is where the search for t begins. The registry's shards go by another part of the token.
func (x *index) home(t *token) int {
	hi, _ := bits.Mul64(binary.BigEndian.Uint64(t[8:]), uint64(len(x.slots)))
	return int(hi)
}

// next is the slot behind i.
func (x *index) next(i int) int {
	if i++; i == len(x.slots) {
		return 0
	}
	return i
}

// find returns nil for an unknown token.
func (x *index) find(t token) *connection {
	if x.n == 0 {
		return nil
	}
	return x.at(x.seek(&t))
}

// seek is the slot of a token, or the free one where it would go. There always is a free one.
func (x *index) seek(t *token) int {
	i := x.home(t)
	for c := x.at(i); c != nil && c.token != *t; c = x.at(i) {
		i = x.next(i)
	}
	return i
}

// add puts c in, whose token is not there, and whose place is p.
func (x *index) add(c *connection, p hubrt.Place) {
	if x.n*5 >= len(x.slots)*4 {
		x.resize(max(minSlots, len(x.slots)*5/4))
	}
	x.slots[x.seek(&c.token)] = p
	x.n++
}

// remove takes c out, if it is there.
func (x *index) remove(c *connection) {
	if x.n == 0 {
		return
	}
	free := x.seek(&c.token)
	if x.at(free) != c {
		return
	}
	// Whoever stands behind the hole and could not be found across it moves into it, which makes a new hole.
	for i := x.next(free); x.slots[i] != 0; i = x.next(i) {
		if x.steps(x.home(&x.at(i).token), i) >= x.steps(free, i) {
			x.slots[free] = x.slots[i]
			free = i
		}
	}
	x.slots[free] = 0
	switch x.n--; {
	case x.n == 0:
		x.slots = nil
	case x.n*4 < len(x.slots) && len(x.slots) > minSlots:
		x.resize(max(minSlots, x.n*8/5))
	}
}

// steps is the way from one slot to another.
func (x *index) steps(from, to int) int {
	if to < from {
		to += len(x.slots)
	}
	return to - from
}

func (x *index) resize(n int) {
	old := x.slots
	x.slots = make([]hubrt.Place, n)
	for _, p := range old {
		if p != 0 {
			x.slots[x.seek(&x.places.at(p).token)] = p
		}
	}
}
