package hubrt

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// TestSelectors has every selector of wire contract, section 22, from inside and outside. Seven clients are on two loops; a0 to a2 are user ann's, b3 and b4 are
// bob's, 5 and 6 nobody's; group g has 0, 1, 3 and 5, group h 1 and 6.
func TestSelectors(t *testing.T) {
	t.Parallel()
	type all = []*client
	ids := func(cs all, n ...int) (ids []string) {
		for _, i := range n {
			ids = append(ids, cs[i].id.String())
		}
		return append(ids, "unknown", ID{200}.String())
	}
	for _, tt := range []struct {
		name  string
		pick  func(c Clients, cs all) Target
		inner func(c CallerClients, cs all) Target // called by client 0
		want  []int
		err   string
	}{
		{name: "All", pick: func(c Clients, _ all) Target { return c.All() }, want: []int{0, 1, 2, 3, 4, 5, 6}},
		{name: "AllExcept", pick: func(c Clients, cs all) Target { return c.AllExcept(ids(cs, 1, 2, 1)...) }, want: []int{0, 3, 4, 5, 6}},
		{name: "Client", pick: func(c Clients, cs all) Target { return c.Client(cs[4].id.String()) }, want: []int{4}},
		{name: "Client unknown", pick: func(c Clients, cs all) Target { return c.Client("unknown") }},
		{name: "Clients", pick: func(c Clients, cs all) Target { return c.Clients(ids(cs, 3, 4, 3, 0)...) }, want: []int{0, 3, 4}},
		{name: "Group", pick: func(c Clients, _ all) Target { return c.Group("g") }, want: []int{0, 1, 3, 5}},
		{name: "Group case", pick: func(c Clients, _ all) Target { return c.Group("G") }},
		{name: "Group empty", pick: func(c Clients, _ all) Target { return c.Group("") }, err: "Cannot send to an empty group name."},
		{name: "Groups", pick: func(c Clients, _ all) Target { return c.Groups("g", "none", "h") }, want: []int{0, 1, 1, 3, 5, 6}},
		{name: "Groups empty", pick: func(c Clients, _ all) Target { return c.Groups("g", "") }, err: "Cannot send to an empty group name."},
		{name: "GroupExcept", pick: func(c Clients, cs all) Target { return c.GroupExcept("g", ids(cs, 0, 5, 6)...) }, want: []int{1, 3}},
		{name: "User", pick: func(c Clients, _ all) Target { return c.User("ann") }, want: []int{0, 1, 2}},
		{name: "User case", pick: func(c Clients, _ all) Target { return c.User("Ann") }},
		{name: "User empty", pick: func(c Clients, _ all) Target { return c.User("") }},
		{name: "Users", pick: func(c Clients, _ all) Target { return c.Users("ann", "bob", "none", "ann") }, want: []int{0, 1, 2, 3, 4}},
		{name: "Caller", inner: func(c CallerClients, _ all) Target { return c.Caller() }, want: []int{0}},
		{name: "Others", inner: func(c CallerClients, _ all) Target { return c.Others() }, want: []int{1, 2, 3, 4, 5, 6}},
		{name: "OthersInGroup", inner: func(c CallerClients, _ all) Target { return c.OthersInGroup("g") }, want: []int{1, 3, 5}},
		{name: "zero", pick: func(Clients, all) Target { return Target{} }, err: errNoHub.Error()},
		{name: "zero Clients", pick: func(Clients, all) Target { return Clients{}.All() }, err: errNoHub.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 2}, func(r *rig) {
				h := r.hub(probe{}, Options{})
				var clients all
				for _, user := range []string{"ann", "ann", "ann", "bob", "bob", "", ""} {
					if user == "" {
						clients = append(clients, r.connect(h))
					} else {
						clients = append(clients, r.connect(h, asUser(user)))
					}
				}
				join := func(g string, members ...int) {
					for _, i := range members {
						if err := h.Groups().Add(clients[i].id.String(), g); err != nil {
							t.Fatal(err)
						}
					}
				}
				join("g", 0, 1, 3, 5, 3)
				join("h", 1, 6)
				check := func(where string, err error) {
					t.Helper()
					if got := fmt.Sprint(err); tt.err != "" && got != tt.err || tt.err == "" && err != nil {
						t.Errorf("%s: error %v, want %q", where, err, tt.err)
					}
					if err := h.Clients().All().Send("end"); err != nil {
						t.Fatal(err)
					}
					for i, c := range clients {
						for _, w := range tt.want {
							if w == i {
								c.expect(message("hello", `"x"`))
							}
						}
						c.expect(message("end"))
					}
				}
				if tt.pick != nil {
					check("outside", tt.pick(h.Clients(), clients).Send("hello", "x"))
				}
				inner := tt.inner
				if inner == nil {
					inner = func(c CallerClients, cs all) Target { return tt.pick(c.selectors, cs) }
				}
				errs := make(chan error, 1)
				for _, inline := range []bool{false, true} {
					clients[0].on(func(c *Conn) {
						f := func() { errs <- inner(c.context().Clients(), clients).Send("hello", "x") }
						if inline {
							f() // on the loop
						} else {
							go f()
						}
					})
					check(fmt.Sprintf("inside, inline %v", inline), <-errs)
				}
				for _, c := range clients {
					c.leave()
				}
			})
		})
	}
}

func TestSendErrors(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		c := r.connect(h)
		for name, target := range map[string]Target{"all": h.Clients().All(), "one": h.Clients().Client(c.id.String())} {
			if err := target.Send("message", math.NaN()); err == nil {
				t.Errorf("%s: NaN was sent", name)
			}
			if err := target.Send(""); err == nil {
				t.Errorf("%s: a message without a name was sent", name)
			}
		}
		if err := h.Groups().Add(c.id.String(), ""); err == nil {
			t.Error("joined a group without a name")
		}
		if err := h.Groups().Remove(c.id.String(), ""); err == nil {
			t.Error("left a group without a name")
		}
		if err := h.Groups().Add("unknown", "g"); err != nil {
			t.Error(err)
		}
		if err := h.Groups().Remove("unknown", "g"); err != nil {
			t.Error(err)
		}
		c.silent(1)
		c.leave()
	})
}

func TestGroups(t *testing.T) {
	t.Parallel()
	t.Run("sender order", func(t *testing.T) {
		t.Parallel()
		for _, inline := range []bool{false, true} {
			bubble(t, rigConfig{}, func(r *rig) {
				opt := method.Options{Inline: inline}
				c := r.connect(r.hub(probe{}, Options{Methods: map[string]method.Options{"Join": opt, "Publish": opt, "Leave": opt}}))
				for i := range 20 {
					g := fmt.Sprintf(`"g%d"`, i)
					c.send(call1("1", "Join", g), call1("2", "Publish", g, `"x"`), call1("3", "Leave", g), call1("4", "Publish", g, `"y"`))
					c.expect(result("1", "null"), message("message", `"x"`), result("2", "null"), result("3", "null"), result("4", "null"))
				}
				c.leave()
			})
		}
	})
	t.Run("order of direct sends and broadcasts", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			a, b := r.connect(h, asUser("u")), r.connect(h)
			want := make([]string, 0, 600)
			for i := range 100 {
				id := a.id.String()
				g := fmt.Sprint("g", i%7)
				steps := []func() error{
					func() error { return h.Groups().Add(id, g) },
					func() error { return h.Clients().Group(g).Send("m", i, "group") },
					func() error { return h.Clients().Client(id).Send("m", i, "direct") },
					func() error { return h.Clients().All().Send("m", i, "all") },
					func() error { return h.Clients().User("u").Send("m", i, "user") },
					func() error { return h.Clients().Clients(id, b.id.String()).Send("m", i, "list") },
					func() error { return h.Groups().Remove(id, g) },
					func() error { return h.Clients().Group(g).Send("m", i, "nobody") },
				}
				for _, f := range steps {
					if err := f(); err != nil {
						t.Fatal(err)
					}
				}
				for _, s := range []string{"group", "direct", "all", "user", "list"} {
					want = append(want, message("m", fmt.Sprint(i), `"`+s+`"`))
				}
			}
			a.expect(want...)
			a.leave()
			b.leave()
		})
	})
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{MaxGroups: 3})
			c := r.connect(h)
			id := c.id.String()
			for _, g := range []string{"a", "b", "c", "a", "b"} {
				if err := h.Groups().Add(id, g); err != nil {
					t.Fatal(err)
				}
			}
			err := h.Groups().Add(id, "d")
			if err == nil || !strings.Contains(err.Error(), "the connection is in 3") {
				t.Errorf("got %v", err)
			}
			if err := h.Groups().Remove(id, "b"); err != nil {
				t.Fatal(err)
			}
			if err := h.Groups().Add(id, "d"); err != nil {
				t.Error(err)
			}
			for _, g := range []string{"a", "b", "c", "d"} {
				if err := h.Clients().Group(g).Send(g); err != nil {
					t.Fatal(err)
				}
			}
			c.expect(message("a"), message("c"), message("d"))
			c.leave()
		})
	})
	t.Run("a change races with the end", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			for _, leave := range []bool{false, true} {
				c := r.connect(h)
				if err := h.Groups().Add(c.id.String(), "old"); err != nil {
					t.Fatal(err)
				}
				c.on(func(hc *Conn) { // the changes are queued, and the end comes first
					if err := hc.join("new"); err != nil {
						t.Error(err)
					}
					if leave {
						hc.leave("new")
						hc.leave("old")
					}
					hc.end(engine.Aborted, nil, "", false)
				})
				c.expect(`{"type":7}`)
				c.expectEnd(engine.Aborted)
				synctest.Wait()
				checkEmpty(t, h)
			}
		})
	})
	t.Run("end with the connection", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			c := r.connect(h, asUser("u"))
			for i := range 50 {
				if err := h.Groups().Add(c.id.String(), fmt.Sprint("g", i)); err != nil {
					t.Fatal(err)
				}
			}
			c.leave()
			synctest.Wait()
			checkEmpty(t, h)
		})
	})
}

// checkEmpty wants no trace of any connection. Its loops must be idle.
func checkEmpty(t *testing.T, h *Hub) {
	t.Helper()
	for i := range h.shards {
		s := &h.shards[i]
		done := make(chan struct{})
		s.loop.Post(engine.TaskFunc(func(*engine.Loop) {
			if s.conns.Len() != 0 || len(s.conns.Pages()) != 0 || s.groups != nil || s.numbered.Len() != 0 || s.size.Load() != 0 {
				t.Errorf("loop %d still has %d connections (%d), %d groups", i, s.conns.Len(), s.size.Load(), len(s.groups))
			}
			close(done)
		}))
		<-done
	}
	for i := range h.groups.parts {
		for key, p := range h.groups.parts[i].keys {
			t.Errorf("the directory of groups still has %q on %v", key, p.loops)
		}
	}
	for i := range h.users.parts {
		if h.users.parts[i].conns.slots != nil {
			t.Errorf("there still are connections of users: %v", h.users.parts[i].conns.slots)
		}
	}
	for i := range h.registry.parts {
		if h.registry.parts[i].conns.slots != nil {
			t.Errorf("the registry still has %v", h.registry.parts[i].conns.slots)
		}
	}
	for i := range h.protocols {
		if n := h.protocols[i].inUse.Load(); n != 0 {
			t.Errorf("protocol %d is still in use by %d", i, n)
		}
	}
}

// TestMembers checks the two-way lists against a simple model.
func TestMembers(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		var clients []*client
		for range 8 {
			clients = append(clients, r.connect(h))
		}
		model := map[string]map[int]bool{}
		seed := uint32(1)
		random := func(n int) int { seed = seed*1664525 + 1013904223; return int(seed>>8) % n }
		for range 3000 {
			i, g := random(len(clients)), fmt.Sprint("g", random(5))
			if model[g] == nil {
				model[g] = map[int]bool{}
			}
			var err error
			if random(2) == 0 {
				err = h.Groups().Add(clients[i].id.String(), g)
				model[g][i] = true
			} else {
				err = h.Groups().Remove(clients[i].id.String(), g)
				delete(model[g], i)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		clients[0].on(func(c *Conn) {
			for name, want := range model {
				s := c.shard
				g := s.groups[name]
				var got, wanted []ID
				if g != nil {
					for at, member := range g.members {
						got = append(got, s.conns.At(member).id)
						if back := s.conns.At(member).membership(g.slots[at]); s.group(back) != g || int(back.at) != at {
							t.Errorf("%s[%d] and its note disagree: %+v", name, at, back)
						}
					}
				}
				for i := range want {
					wanted = append(wanted, clients[i].id)
				}
				order := func(a, b ID) int { return strings.Compare(string(a[:]), string(b[:])) }
				slices.SortFunc(got, order)
				slices.SortFunc(wanted, order)
				if !slices.Equal(got, wanted) {
					t.Errorf("%s has %v, want %v", name, got, wanted)
				}
			}
		})
		for _, c := range clients {
			c.leave()
		}
		synctest.Wait()
		checkEmpty(t, h)
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		a, b := r.connect(h), r.connect(h)
		for _, c := range []*client{a, b} {
			if err := h.Groups().Add(c.id.String(), "g"); err != nil {
				t.Fatal(err)
			}
		}
		frames := func() (n int) {
			a.on(func(*Conn) { n = a.link.frames })
			return n
		}
		before := frames()
		// Everything is posted from the loop, so nothing of it runs before all of it is there.
		a.on(func(*Conn) {
			for i := range 10 {
				_ = h.Clients().Group("g").Send("m", i)
			}
			for i := range 3 {
				_ = h.Clients().AllExcept(b.id.String()).Send("m", 10+i)
			}
			for i := range 5 {
				_ = h.Clients().All().Send("m", 13+i)
			}
			for i := range 3 {
				_ = h.Clients().All().Send("m", 18+i, strings.Repeat("x", 40<<10))
			}
		})
		for i := range 18 {
			a.expect(message("m", fmt.Sprint(i)))
		}
		for i := range 3 {
			a.expect(message("m", fmt.Sprint(18+i), `"`+strings.Repeat("x", 40<<10)+`"`))
		}
		// One for the group, three with exceptions, one for the five with the first of the large ones, two for the other large ones.
		if n := frames() - before; n != 7 {
			t.Errorf("%d frames, want 7", n)
		}
		for i := range 10 {
			b.expect(message("m", fmt.Sprint(i)))
		}
		a.leave()
		b.leave()
	})
}
