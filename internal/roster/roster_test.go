package roster

import (
	"math/rand/v2"
	"testing"
)

type object struct{ number uint32 }

// TestRoster compares a roster with a map, while objects come and go.
func TestRoster(t *testing.T) {
	t.Parallel()
	r := new(Roster[object])
	rnd := rand.New(rand.NewPCG(5, 6))
	model := make(map[*object]bool)
	var list []*object
	const most = 3 * PageSize
	for step := range 8 * most {
		if grow := step/(2*most)%2 == 0; len(list) < most && (len(list) == 0 || (rnd.IntN(4) > 0) == grow) {
			c := new(object)
			if c.number = r.Add(c); c.number == 0 {
				t.Fatalf("step %d: no number", step)
			}
			model[c] = true
			list = append(list, c)
		} else {
			i := rnd.IntN(len(list))
			c := list[i]
			if r.At(c.number) != c {
				t.Fatalf("step %d: an object is not in its place", step)
			}
			r.Remove(c.number)
			delete(model, c)
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
		}
		if r.Len() != len(model) || len(r.Pages()) > most>>pageBits+1 {
			t.Fatalf("step %d: %d objects on %d pages, want %d", step, r.Len(), len(r.Pages()), len(model))
		}
	}
	for _, c := range list {
		if r.At(c.number) != c {
			t.Fatal("an object is not in its place")
		}
	}
	n := 0
	r.Each(func(c *object) {
		if n++; !model[c] {
			t.Error("an object that has left is listed, or one is listed twice")
		}
		delete(model, c)
		r.Remove(c.number) // an end during the walk
	})
	if n != len(list) || r.Len() != 0 || len(r.Pages()) != 0 {
		t.Errorf("%d of %d objects were listed, and %d pages are left", n, len(list), len(r.Pages()))
	}
}

// TestRosterFull: numbers end, and come back.
func TestRosterFull(t *testing.T) {
	t.Parallel()
	r := new(Roster[object])
	r.SetMost(2*PageSize - 1) // as on a server of very many loops
	var last *object
	for r.Len() < PageSize {
		last = new(object)
		if last.number = r.Add(last); last.number == 0 {
			t.Fatalf("only %d objects have numbers", r.n)
		}
	}
	if n := r.Add(new(object)); n != 0 {
		t.Fatalf("object %d has number %d, which is more than there are", r.Len(), n)
	}
	r.Remove(last.number)
	if n := r.Add(last); n != last.number {
		t.Errorf("the number that has become free is %d, want %d", n, last.number)
	}
}
