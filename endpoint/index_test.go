package endpoint

import (
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/internal/roster"
)

// listed are connections without a hub.
type listed struct{ roster roster.Roster[connection] }

func (l *listed) at(p hubrt.Place) *connection { return l.roster.At(uint32(p)) }

func (l *listed) add(x *index, c *connection) { x.add(c, hubrt.Place(l.roster.Add(c))) }

// TestIndex compares an index with a map through random growth and decline, with random tokens and with such as all want the same place.
func TestIndex(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		token func(r *rand.Rand) token
	}{
		{"random", func(r *rand.Rand) (t token) {
			for i := range t {
				t[i] = byte(r.Uint32())
			}
			return t
		}},
		{"one home", func(r *rand.Rand) (t token) {
			t[1], t[2] = byte(r.Uint32()), byte(r.Uint32())
			return t
		}},
		{"the last home", func(r *rand.Rand) (t token) {
			for i := 8; i < 16; i++ {
				t[i] = 0xff
			}
			t[1], t[2] = byte(r.Uint32()), byte(r.Uint32())
			return t
		}},
		{"two homes", func(r *rand.Rand) (t token) {
			t[1], t[2], t[8] = byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())&0x80
			return t
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			all := new(listed)
			x := index{places: all}
			model := make(map[token]*connection)
			var list []*connection // of model
			const most = 500
			for step := range 12 * most {
				grow := step/(2*most)%2 == 0
				switch {
				case len(list) < most && (len(list) == 0 || (r.IntN(4) > 0) == grow):
					c := &connection{token: tt.token(r)}
					if model[c.token] != nil {
						continue
					}
					if x.find(c.token) != nil {
						t.Fatalf("step %d: an unknown token is found", step)
					}
					all.add(&x, c)
					model[c.token] = c
					list = append(list, c)
				default:
					i := r.IntN(len(list))
					c := list[i]
					x.remove(&connection{token: c.token}) // another one with its token: nothing
					x.remove(c)
					x.remove(c)
					delete(model, c.token)
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
				for k, c := range model {
					if x.find(k) != c {
						t.Fatalf("step %d: a connection is lost", step)
					}
				}
			}
			for _, c := range list {
				x.remove(c)
			}
			if x.n != 0 || x.slots != nil {
				t.Errorf("an empty index keeps %d slots", len(x.slots))
			}
		})
	}
}

// TestIndexMemory holds what an index is for.
func TestIndexMemory(t *testing.T) {
	all := new(listed)
	x := index{places: all}
	sum := 0
	const n = 20_000
	for range n {
		all.add(&x, &connection{token: newToken()})
		if x.n > 100 {
			if 8*len(x.slots) > 13*x.n {
				t.Fatalf("%d slots for %d connections: want at most 13 for eight", len(x.slots), x.n)
			}
			sum += 4 * len(x.slots) * 100 / x.n
		}
	}
	if mean := float64(sum) / n / 100; mean > 6 {
		t.Errorf("%.1f bytes a connection on average: want at most 6", mean)
	}
	var missing token
	if a := testing.AllocsPerRun(100, func() { x.find(missing) }); a != 0 {
		t.Errorf("find allocates %v times", a)
	}
}

func TestConnectionSize(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(connection{}); size > 224 {
		t.Errorf("a connection has %d bytes: want at most 224, which is a size of the allocator's", size)
	}
}

// A request may ask for a connection's transport while the connection's loop changes its format.
func TestFormatWhileFound(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{}, Options{})
	c := s.registry.add(e.mode(false, false)).conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 1000 {
			if has, known := s.registry.find(e, c.token); !known || has != WebSockets {
				t.Errorf("known %v, transport %v", known, has)
				return
			}
		}
	})
	c.Format(false)
	if c.mode.binary {
		t.Error("text is binary")
	}
	c.Format(true)
	if !c.mode.binary {
		t.Error("binary is text")
	}
	wg.Wait()
}
