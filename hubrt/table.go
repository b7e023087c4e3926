package hubrt

import "math/bits"

// table finds connections by a key that they hold themselves: it is nothing but places, 6 bytes a connection on average, where a map, which
// holds the keys too and is half empty, takes 28 to 56. Open addressing with linear probing. The zero value is empty.
type table[K any, S keying[K]] struct {
	slots []Place // between n and 8/5 n
	n     int
}

// keying says what a table's key is; its values have no state.
type keying[K any] interface {
	of(c *Conn) K
	hash(k K) uint64 // such that nobody can make keys meet
	same(a, b K) bool
}

const minSlots = 8

// home is where the search for k begins.
func (t *table[K, S]) home(k K) int {
	var s S
	hi, _ := bits.Mul64(s.hash(k), uint64(len(t.slots)))
	return int(hi)
}

func (t *table[K, S]) next(i int) int {
	if i++; i == len(t.slots) {
		return 0
	}
	return i
}

// seek is the slot of a key, or the free one where it would go. There always is a free one, unless there are no slots.
func (t *table[K, S]) seek(h *Hub, k K) int {
	var s S
	i := t.home(k)
	for p := t.slots[i]; p != 0 && !s.same(s.of(h.At(p)), k); p = t.slots[i] {
		i = t.next(i)
	}
	return i
}

// find returns nil for an unknown key.
func (t *table[K, S]) find(h *Hub, k K) *Conn {
	if t.n == 0 {
		return nil
	}
	return h.At(t.slots[t.seek(h, k)])
}

// put makes c the connection of its key.
func (t *table[K, S]) put(c *Conn) {
	var s S
	h := c.shard.hub
	if t.n*5 >= len(t.slots)*4 {
		t.resize(h, max(minSlots, len(t.slots)*5/4))
	}
	i := t.seek(h, s.of(c))
	if t.slots[i] == 0 {
		t.n++
	}
	t.slots[i] = c.Place()
}

// remove takes c out, unless another connection has its key.
func (t *table[K, S]) remove(c *Conn) {
	if t.n == 0 {
		return
	}
	var s S
	h := c.shard.hub
	free := t.seek(h, s.of(c))
	if t.slots[free] != c.Place() {
		return
	}
	// Whoever stands behind the hole and could not be found across it moves into it, which makes a new hole.
	for i := t.next(free); t.slots[i] != 0; i = t.next(i) {
		if t.steps(t.home(s.of(h.At(t.slots[i]))), i) >= t.steps(free, i) {
			t.slots[free] = t.slots[i]
			free = i
		}
	}
	t.slots[free] = 0
	switch t.n--; {
	case t.n == 0:
		t.slots = nil
	case t.n*4 < len(t.slots) && len(t.slots) > minSlots:
		t.resize(h, max(minSlots, t.n*8/5))
	}
}

// steps is the way from one slot to another.
func (t *table[K, S]) steps(from, to int) int {
	if to < from {
		to += len(t.slots)
	}
	return to - from
}

func (t *table[K, S]) resize(h *Hub, n int) {
	var s S
	old := t.slots
	t.slots = make([]Place, n)
	for _, p := range old {
		if p != 0 {
			t.slots[t.seek(h, s.of(h.At(p)))] = p
		}
	}
}
