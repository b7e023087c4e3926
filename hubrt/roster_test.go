package hubrt

import (
	"math/rand/v2"
	"testing"
)

// TestRoster compares a roster with a map, while connections come and go.
func TestRoster(t *testing.T) {
	t.Parallel()
	h := new(Hub)
	h.makeShards(3)
	s := &h.shards[2]
	r := &s.conns
	rnd := rand.New(rand.NewPCG(5, 6))
	model := make(map[*Conn]bool)
	var list []*Conn
	const most = 3 * rosterSize
	for step := range 8 * most {
		if grow := step/(2*most)%2 == 0; len(list) < most && (len(list) == 0 || (rnd.IntN(4) > 0) == grow) {
			c := &Conn{shard: s}
			if c.number = r.add(c); c.number == 0 {
				t.Fatalf("step %d: no number", step)
			}
			model[c] = true
			list = append(list, c)
		} else {
			i := rnd.IntN(len(list))
			c := list[i]
			if h.at(c.place()) != c {
				t.Fatalf("step %d: a connection is not in its place", step)
			}
			r.remove(c.number)
			delete(model, c)
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
		}
		if r.n != len(model) || len(r.list()) > most>>rosterBits+1 {
			t.Fatalf("step %d: %d connections on %d pages, want %d", step, r.n, len(r.list()), len(model))
		}
	}
	for _, c := range list {
		if h.at(c.place()) != c {
			t.Fatal("a connection is not in its place")
		}
	}
	n := 0
	r.each(func(c *Conn) {
		if n++; !model[c] {
			t.Error("a connection that has left is listed, or one is listed twice")
		}
		delete(model, c)
		r.remove(c.number) // an end during the walk
	})
	if n != len(list) || r.n != 0 || len(r.list()) != 0 {
		t.Errorf("%d of %d connections were listed, and %d pages are left", n, len(list), len(r.list()))
	}
	if h.at(0) != nil {
		t.Error("place 0 is somebody's")
	}
}

// TestRosterFull: numbers end, and come back.
func TestRosterFull(t *testing.T) {
	t.Parallel()
	h := new(Hub)
	h.makeShards(1)
	r := &h.shards[0].conns
	r.most = 2*rosterSize - 1 // as on a server of very many loops
	var last *Conn
	for r.n < rosterSize {
		last = &Conn{shard: &h.shards[0]}
		if last.number = r.add(last); last.number == 0 {
			t.Fatalf("only %d connections have numbers", r.n)
		}
	}
	if n := r.add(new(Conn)); n != 0 {
		t.Fatalf("connection %d has number %d, which is more than there are", r.n, n)
	}
	r.remove(last.number)
	if n := r.add(last); n != last.number {
		t.Errorf("the number that has become free is %d, want %d", n, last.number)
	}
}
