package hubrt

import "testing"

// TestPlaces: a place names a loop and a number of its roster, however many loops there are.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 2, 3, 64, 1000} {
		h := new(Hub)
		h.makeShards(loops)
		conns := make(map[Place]*Conn)
		for i := range h.shards {
			for range 300 {
				c := &Conn{shard: &h.shards[i]}
				if c.number = c.shard.conns.Add(c); c.number == 0 || conns[c.Place()] != nil {
					t.Fatalf("%d loops: number %d, place %d", loops, c.number, c.Place())
				}
				conns[c.Place()] = c
			}
		}
		for p, c := range conns {
			if h.At(p) != c {
				t.Fatalf("%d loops: a connection is not in its place", loops)
			}
		}
		if h.At(0) != nil {
			t.Error("place 0 is somebody's")
		}
	}
}
