package hubrt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// telling is a hub whose methods publish and then return: the reply is queued behind the publication.
func telling(t *testing.T, r *rig, inline bool) *Hub {
	t.Helper()
	h := r.hub(nil, Options{})
	for name, fn := range map[string]any{
		"All":    func(c *Context, n int) (int, error) { return n, c.Clients().All().Send("m", n) },
		"Group":  func(c *Context, n int) (int, error) { return n, c.Clients().Group("g").Send("g", n) },
		"User":   func(c *Context, n int) (int, error) { return n, c.Clients().User("u").Send("u", n) },
		"Others": func(c *Context, n int) (int, error) { return n, c.Clients().Others().Send("o", n) },
		"Broken": func(c *Context, n int) (any, error) { return func() {}, c.Clients().All().Send("m", n) }, // its result cannot be encoded
	} {
		if err := h.Handle(name, fn, method.Options{Inline: inline}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// TestMergeAroundReplies: publications are joined although the replies of those who published lie between them; each connection gets what it gets in the order
// in which it was sent.
func TestMergeAroundReplies(t *testing.T) {
	t.Parallel()
	const n = 16
	calls := func(target string) (list []string) {
		for i := range n {
			list = append(list, call1(fmt.Sprint(i), target, fmt.Sprint(i)))
		}
		return list
	}
	both := func(target string) (list []string) { // what a caller gets that is a member
		for i := range n {
			list = append(list, message(target, fmt.Sprint(i)), result(fmt.Sprint(i), fmt.Sprint(i)))
		}
		return list
	}
	messages := func(target string) (list []string) {
		for i := range n {
			list = append(list, message(target, fmt.Sprint(i)))
		}
		return list
	}
	replies := func() (list []string) {
		for i := range n {
			list = append(list, result(fmt.Sprint(i), fmt.Sprint(i)))
		}
		return list
	}
	for _, tt := range []struct {
		name           string
		target         string
		caller, member []string // what they get; the member is in the group and has the user id, as the caller of Group and User is and has, too
		frames         int      // the member gets; 0: it does not matter
	}{
		{"to all", "All", both("m"), messages("m"), 1},
		{"to a group", "Group", both("g"), messages("g"), 1},
		{"to a user", "User", both("u"), messages("u"), 1},
		{"to others: each leaves somebody out", "Others", replies(), messages("o"), n},
	} {
		for _, inline := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, inline %t", tt.name, inline), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{loops: 1, workers: 1}, func(r *rig) {
					h := telling(t, r, inline)
					a, b := r.connect(h, asUser("u")), r.connect(h, asUser("u"))
					for _, c := range []*client{a, b} {
						if err := h.Groups().Add(c.id.String(), "g"); err != nil {
							t.Fatal(err)
						}
					}
					var before, after int
					a.on(func(*Conn) { before = b.link.frames })
					a.send(calls(tt.target)...)
					a.expect(tt.caller...)
					b.expect(tt.member...)
					b.on(func(*Conn) { after = b.link.frames })
					if got := after - before; inline && got != tt.frames {
						t.Errorf("the member got %d frames, want %d", got, tt.frames)
					}
					if h.shards[0].local.around || len(h.shards[0].local.apart) > 0 {
						t.Error("something is left behind")
					}
					a.leave()
					b.leave()
				})
			})
		}
	}
}

// TestMergeManyCallers: several connections publish and get replies at a time, some of which are no members.
func TestMergeManyCallers(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := telling(t, r, true)
		var all []*client
		for range 6 {
			all = append(all, r.connect(h))
		}
		members := all[2:] // of the group; the first four call
		for _, c := range members {
			if err := h.Groups().Add(c.id.String(), "g"); err != nil {
				t.Fatal(err)
			}
		}
		var before, after int
		all[0].on(func(*Conn) { // the loop is held, so that all calls are there when it goes on
			before = all[5].link.frames
			for k := range 4 {
				all[k].send(call1("a", "Group", fmt.Sprint(k*10)), call1("b", "Group", fmt.Sprint(k*10+1)))
			}
		})
		type got struct {
			group   []string
			replies []string
		}
		var seen []got
		for i, c := range all {
			var g got
			count := 0
			if i < 4 {
				count += 2
			}
			if i >= 2 {
				count += 8
			}
			for range count {
				rec, ok := c.read()
				if !ok {
					t.Fatal(rec)
				}
				if strings.HasPrefix(rec, `{"type":3`) {
					g.replies = append(g.replies, rec)
				} else {
					g.group = append(g.group, rec)
				}
				// A caller's own message comes before the reply to the call that sent it.
				if i == 2 || i == 3 {
					for n, id := range []string{"a", "b"} {
						if rec == result(id, fmt.Sprint(i*10+n)) && !slices.Contains(g.group, message("g", fmt.Sprint(i*10+n))) {
							t.Errorf("connection %d: the reply %s came before the message", i, rec)
						}
					}
				}
			}
			if i < 4 && !slices.Equal(g.replies, []string{result("a", fmt.Sprint(i*10)), result("b", fmt.Sprint(i*10+1))}) {
				t.Errorf("connection %d got the replies %q", i, g.replies)
			}
			seen = append(seen, g)
		}
		for i := 3; i < 6; i++ {
			if !slices.Equal(seen[i].group, seen[2].group) || len(seen[i].group) != 8 {
				t.Errorf("connection %d got %q, another %q", i, seen[i].group, seen[2].group)
			}
		}
		all[0].on(func(*Conn) { after = all[5].link.frames })
		if n := after - before; n >= 8 {
			t.Errorf("eight publications came in %d frames", n)
		}
		for _, c := range all {
			c.leave()
		}
		synctest.Wait()
		checkEmpty(t, h)
	})
}

// TestMergeEnd: a reply that ends its connection takes nothing away from others, nor what stands before it from that one.
func TestMergeEnd(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := telling(t, r, true)
		a, b, c := r.connect(h), r.connect(h), r.connect(h)
		c.on(func(*Conn) {
			b.send(call1("1", "All", "1"))
			a.send(call1("1", "All", "2"), call1("2", "Broken", "3"), call1("3", "All", "4"))
			b.send(call1("2", "All", "5"))
		})
		var got []string
		for range 5 {
			rec, ok := c.read()
			if !ok {
				t.Fatal(rec)
			}
			got = append(got, rec)
		}
		for i := range 5 {
			if !slices.Contains(got, message("m", fmt.Sprint(i+1))) {
				t.Errorf("message %d is missing in %q", i+1, got)
			}
		}
		got = nil
		for {
			rec, ok := a.read()
			if !ok {
				break
			}
			got = append(got, rec)
		}
		at := func(rec string) int { return slices.Index(got, rec) }
		if m, re, x := at(message("m", "2")), at(result("1", "2")), at(message("m", "3")); m < 0 || re < m || x < re {
			t.Errorf("the one that ended got %q", got)
		}
		_ = a.nc.Close()
		<-a.link.closed
		b.leave()
		c.leave()
		synctest.Wait()
		checkEmpty(t, h)
	})
}

// TestMergeSteps: the number of tasks that a publication takes over is bounded, and so are its bytes.
func TestMergeSteps(t *testing.T) {
	t.Parallel()
	p := &publication{kind: toAll}
	for range maxSteps {
		if !p.Merge(&call{kind: kindReply}) {
			t.Fatal("a reply was not taken")
		}
	}
	if p.Merge(&call{kind: kindReply}) || p.Merge(&publication{kind: toAll}) {
		t.Errorf("more than %d tasks were taken", maxSteps)
	}
	for _, tt := range []struct {
		name string
		task engine.Task
	}{
		{"a hook", &call{kind: kindConnected}},
		{"the end of one", &call{kind: kindDisconnected}},
		{"a reply that cannot be encoded", &call{kind: kindReply, fatal: true}},
		{"another group", &publication{kind: toGroup, key: "g"}},
		{"one with exceptions", &publication{kind: toAll, except: []*Conn{nil}}},
		{"too many bytes", &publication{kind: toAll, size: maxJoined + 1}},
		{"a function", engine.TaskFunc(func(*engine.Loop) {})},
	} {
		if (&publication{kind: toAll}).Merge(tt.task) {
			t.Errorf("%s was taken", tt.name)
		}
	}
}

// TestMergePanic: a panic in one of the tasks that were taken over leaves the others to be run.
func TestMergePanic(t *testing.T) {
	t.Parallel()
	ran := 0
	bad := &call{kind: kindReply, conn: &Conn{}} // it has no mailbox, which a reply relies on
	p := &publication{kind: toAll, more: []step{{reply: bad}, {reply: bad}, {reply: bad}}, replies: 3}
	func() {
		defer func() {
			if recover() != nil {
				ran++
			}
		}()
		p.rest(nil, nil)
	}()
	if ran != 1 || p.done != 3 {
		t.Errorf("%d panics came out, %d of 3 tasks were run", ran, p.done)
	}
}
