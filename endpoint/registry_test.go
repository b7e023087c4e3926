package endpoint

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/hubrt"
)

func TestParkedConnectionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := testSet(t, Config{ParkedTimeout: 15 * time.Second}, Options{})
		r := s.registry
		park := func() *ticket {
			c, err := r.park(e, false, false)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		lost, used := park(), park()
		opened := r.claim(used.token, e.mode(false, false))
		if opened.conn == nil || opened.id != used.id {
			t.Fatal("a parked connection could not be claimed")
		}
		time.Sleep(10 * time.Second)
		late := park()
		time.Sleep(5*time.Second - 1)
		r.sweep(time.Now())
		if _, known := r.find(e, lost.token); !known {
			t.Error("gone before its time")
		}
		time.Sleep(1)
		r.sweep(time.Now())
		if _, known := r.find(e, lost.token); known {
			t.Error("still there after its time")
		}
		if r.claim(lost.token, e.mode(false, false)).conn != nil {
			t.Error("an expired connection could be claimed")
		}
		if has, known := r.find(e, used.token); !known || has != WebSockets {
			t.Error("a connection in use was removed")
		}
		if has, known := r.find(e, late.token); !known || has != 0 {
			t.Error("a younger connection was removed")
		}
		if st := s.Stats(); st.Parked != 1 || st.Expired != 1 || st.Connections != 2 {
			t.Errorf("stats %+v", st)
		}
		r.remove(opened.conn)
		time.Sleep(time.Minute)
		r.sweep(time.Now())
		if st := s.Stats(); st.Parked != 0 || st.Expired != 2 || st.Connections != 0 {
			t.Errorf("stats at the end %+v", st)
		}
		for i := range r.shards {
			if r.shards[i].queue != nil || r.shards[i].parked != nil || r.shards[i].coming != nil {
				t.Error("an empty shard keeps memory")
			}
		}
	})
}

// TestUsedTicketsLeaveAtOnce: no ticket outlasts its use or its time in the queue, whatever the order in which they come and go.
func TestUsedTicketsLeaveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		s, e := testSet(t, Config{ParkedTimeout: 15 * time.Second}, Options{})
		r := s.registry
		var waiting []*ticket // in the order of time
		for step := range 20_000 {
			switch n := random.IntN(10); {
			case n < 5:
				k, err := r.park(e, false, false)
				if err != nil {
					t.Fatal(err)
				}
				waiting = append(waiting, k)
			case n < 9 && len(waiting) > 0:
				i := random.IntN(len(waiting))
				if o := r.claim(waiting[i].token, e.mode(false, false)); o.conn == nil {
					t.Fatalf("step %d: a ticket could not be used", step)
				} else {
					r.remove(o.conn)
				}
				waiting = slices.Delete(waiting, i, i+1)
			default:
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
				if random.IntN(10) == 0 {
					r.sweep(time.Now())
					waiting = slices.DeleteFunc(waiting, func(k *ticket) bool { return !time.Now().Before(k.until) })
				}
			}
			if step%100 != 0 {
				continue
			}
			queued := 0
			for i := range r.shards {
				for _, k := range r.shards[i].queue {
					if k != nil {
						queued++
					}
				}
			}
			if parked := int(s.Stats().Parked); queued != len(waiting) || parked != len(waiting) {
				t.Fatalf("step %d: %d tickets are queued and %d counted, want %d", step, queued, parked, len(waiting))
			}
		}
	})
}

func TestParkedConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{MaxParked: 2}, Options{})
	var first *ticket
	for range 2 {
		c, err := s.registry.park(e, false, false)
		if err != nil {
			t.Fatal(err)
		}
		first = c
	}
	if w := do(s, "POST", "/hub/negotiate"); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "2 negotiated") {
		t.Errorf("over the bound: %d %q", w.Code, w.Body)
	}
	s.registry.claim(first.token, e.mode(false, false))
	if w := do(s, "POST", "/hub/negotiate"); w.Code != 200 {
		t.Errorf("with room again: %d", w.Code)
	}
}

func TestOneRequestClaims(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{}, Options{})
	c, err := s.registry.park(e, true, false)
	if err != nil {
		t.Fatal(err)
	}
	if c.token != token(c.id) {
		t.Error("version 0: the id must be the token")
	}
	var wg sync.WaitGroup
	won := make(chan bool, 16)
	for range cap(won) {
		wg.Go(func() { won <- s.registry.claim(c.token, e.mode(false, false)).conn != nil })
	}
	wg.Wait()
	close(won)
	n := 0
	for w := range won {
		if w {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d requests got the connection", n)
	}
}

// TestRegistryAtOnce: connections are looked up in one part while others come and go in all parts, most of which have got their places.
func TestRegistryAtOnce(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{}, Options{})
	r := s.registry
	var places listed
	var mu sync.Mutex // for changes of places, as in a hub's roster only its loop makes them
	for i := range r.shards {
		r.shards[i].index(e).places = &places
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			type placed struct {
				c      *connection
				number uint32
			}
			var mine []placed
			for i := range 4000 {
				if i%1000 < 500 { // some pages of the roster come and go
					c := placed{c: r.add(e.mode(false, false)).conn}
					if has, known := r.find(e, c.c.token); !known || has != WebSockets {
						t.Errorf("before it has its place: known %v, transport %v", known, has)
					}
					if i%10 > 0 {
						mu.Lock()
						c.number = places.roster.Add(c.c)
						mu.Unlock()
						r.begun(c.c, hubrt.Place(c.number))
					}
					mine = append(mine, c)
					continue
				}
				c := mine[len(mine)-1]
				mine = mine[:len(mine)-1]
				if has, known := r.find(e, c.c.token); !known || has != WebSockets {
					t.Errorf("known %v, transport %v", known, has)
				}
				r.remove(c.c)
				if c.number != 0 {
					mu.Lock()
					places.roster.Remove(c.number)
					mu.Unlock()
				}
				if _, known := r.find(e, c.c.token); known {
					t.Error("a connection is found after its end")
				}
			}
		})
	}
	wg.Wait()
	if n := r.size() + places.roster.Len(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestBegunTooLate: a connection that has ended while it got its place is not put back.
func TestBegunTooLate(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{}, Options{})
	c := s.registry.add(e.mode(false, false)).conn
	s.registry.remove(c)
	s.registry.begun(c, 1)
	if n := s.registry.size(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestOtherEndpoint: a token opens nothing on another endpoint, whether its connection has a place yet or not.
func TestOtherEndpoint(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{}, Options{})
	other, err := s.Map("/other", e.hub, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := s.registry.add(e.mode(false, false)).conn
	var places listed
	s.registry.shard(c.token).index(e).places = &places
	for _, step := range []string{"coming", "begun"} {
		if _, known := s.registry.find(other, c.token); known {
			t.Errorf("%s: found on another endpoint", step)
		}
		if _, known := s.registry.find(e, c.token); !known {
			t.Errorf("%s: not found", step)
		}
		s.registry.begun(c, hubrt.Place(places.roster.Add(c)))
	}
}

func TestParseToken(t *testing.T) {
	t.Parallel()
	good := token{0: 1, 15: 0xff}
	if got, ok := parseToken(good.String()); !ok || got != good {
		t.Errorf("%s came back as %s, %v", good, got, ok)
	}
	for _, s := range []string{"", "A", strings.Repeat("A", 21), strings.Repeat("A", 23), strings.Repeat("A", 21) + "B", strings.Repeat("A", 21) + "=", strings.Repeat("é", 11), strings.Repeat("\x00", 22)} {
		if _, ok := parseToken(s); ok {
			t.Errorf("%q passed for a token", s)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("pJ5lVaWz0PSk7O3TXm4gXQ")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := parseToken(s); ok && got.String() != s {
			t.Errorf("%q is read as %s: a token must have one spelling", s, got)
		}
	})
}
