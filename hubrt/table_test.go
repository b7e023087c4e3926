package hubrt

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/spokehub/spoke/auth"
)

// sameHash makes all keys meet.
type sameHash struct{ byID }

func (sameHash) hash(ID) uint64 { return 1<<64 - 1 }

func TestTable(t *testing.T) {
	t.Parallel()
	t.Run("random", func(t *testing.T) { t.Parallel(); testTable(t, new(table[ID, byID])) })
	t.Run("all meet", func(t *testing.T) { t.Parallel(); testTable(t, new(table[ID, sameHash])) })
}

// testTable compares a table with a map through random growth and decline.
func testTable[S keying[ID]](t *testing.T, x *table[ID, S]) {
	r := rand.New(rand.NewPCG(1, 2))
	h := new(Hub)
	h.makeShards(3)
	model := make(map[ID]*Conn)
	var list []ID // of model
	const most = 500
	for step := range 12 * most {
		grow := step/(2*most)%2 == 0
		if len(list) < most && (len(list) == 0 || (r.IntN(4) > 0) == grow) {
			c := &Conn{shard: &h.shards[r.IntN(3)]}
			c.number = c.shard.conns.Add(c)
			for i := range c.id {
				c.id[i] = byte(r.Uint32())
			}
			if x.find(h, c.id) != nil {
				t.Fatalf("step %d: an unknown id is found", step)
			}
			x.put(c)
			model[c.id] = c
			list = append(list, c.id)
		} else {
			i := r.IntN(len(list))
			c := model[list[i]]
			if step%3 == 0 { // another one takes its place first
				c = &Conn{id: list[i], shard: c.shard}
				c.number = c.shard.conns.Add(c)
				x.remove(c)
				x.put(c)
				x.remove(model[list[i]])
				if x.find(h, list[i]) != c {
					t.Fatalf("step %d: the connection that came later is not found", step)
				}
			}
			x.remove(c)
			x.remove(c)
			delete(model, list[i])
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
		}
		if x.n != len(model) {
			t.Fatalf("step %d: %d connections, want %d", step, x.n, len(model))
		}
		if len(x.slots) > max(minSlots, 4*x.n) || x.n > 0 && len(x.slots) <= x.n {
			t.Fatalf("step %d: %d slots for %d connections", step, len(x.slots), x.n)
		}
		if step%16 > 0 {
			continue
		}
		for id, c := range model {
			if x.find(h, id) != c {
				t.Fatalf("step %d: a connection is lost", step)
			}
		}
	}
	for _, id := range list {
		x.remove(model[id])
	}
	if x.n != 0 || x.slots != nil {
		t.Errorf("an empty table keeps %d slots", len(x.slots))
	}
}

// TestUsers compares the chains with lists, while connections of a few users come and go.
func TestUsers(t *testing.T) {
	t.Parallel()
	h := new(Hub)
	h.makeShards(2)
	r := rand.New(rand.NewPCG(3, 4))
	model := make(map[string]map[*Conn]bool)
	var list []*Conn
	for step := range 4000 {
		if r.IntN(2) == 0 || len(list) == 0 {
			id := fmt.Sprint("user", r.IntN(8))
			c := &Conn{shard: &h.shards[r.IntN(2)]}
			c.setUser(&auth.Identity{UserID: id})
			c.number = c.shard.conns.Add(c)
			h.users.add(c)
			if model[id] == nil {
				model[id] = make(map[*Conn]bool)
			}
			model[id][c] = true
			list = append(list, c)
		} else {
			i := r.IntN(len(list))
			c := list[i]
			h.users.remove(c)
			c.shard.conns.Remove(c.number)
			if chained(c) {
				t.Fatalf("step %d: a connection that has left is chained", step)
			}
			delete(model[c.userID()], c)
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
		}
		for id, want := range model {
			n := 0
			for c := range want {
				if chained(c) != (len(want) > 1) {
					t.Fatalf("step %d: %s has %d connections, one of which is chained: %v", step, id, len(want), chained(c))
				}
			}
			for i := range h.shards {
				for _, c := range h.users.on(nil, &h.shards[i], id) {
					if n++; !want[c] || c.shard != &h.shards[i] {
						t.Fatalf("step %d: %s has a connection that is not his, or not of this loop", step, id)
					}
				}
			}
			if n != len(want) {
				t.Fatalf("step %d: %s has %d connections, want %d", step, id, n, len(want))
			}
		}
	}
}

// chained says that the user of c has other connections.
func chained(c *Conn) bool {
	m := c.subs.more.Load()
	return m != nil && (m.next != nil || m.prev != nil)
}
