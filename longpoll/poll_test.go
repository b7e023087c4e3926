package longpoll

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// polls is a polled connection, whose waiters have names. What they are answered is in the log: status, "data" or "text", and the frames, each in brackets.
type polls struct {
	*rig
	*receiver
	Polled
	named map[string]*waiter
}

type waiter struct {
	p     *polls
	name  string
	calls int
	slow  bool // the answer does not leave
}

func (w *waiter) Leaving() bool {
	if w.calls == 0 {
		w.p.receiver.t.Errorf("%s was asked before it was answered", w.name)
	}
	return w.slow
}

func (w *waiter) Answer(a Answer) {
	if w.calls++; w.calls > 1 {
		w.p.receiver.t.Errorf("%s was answered twice", w.name)
	}
	kind := "text"
	if a.Data {
		kind = "data"
	}
	var b strings.Builder
	for _, f := range a.Frames {
		b.WriteString("[" + string(f.Payload()) + "]")
	}
	w.p.add("%s: %d %s %s", w.name, a.Status, kind, b.String())
}

func (p *polls) waiter(name string) *waiter {
	if p.named[name] == nil {
		p.named[name] = &waiter{p: p, name: name}
	}
	return p.named[name]
}

// pollBubble begins a connection: polls wait 90 s, and the client may be away for 15 s.
func pollBubble(t *testing.T, limits *Limits, f func(p *polls)) {
	t.Helper()
	bubble(t, func(r *rig) {
		p := &polls{rig: r, receiver: &receiver{log: log{t: t}}, named: make(map[string]*waiter)}
		r.do(func() { p.Begin(r.clock, p.receiver, limits, 90*time.Second, 15*time.Second) })
		f(p)
		r.do(func() { p.Close(engine.Shutdown, nil) })
		if p.receiver.closed != 1 {
			t.Errorf("OnClosed was called %d times", p.receiver.closed)
		}
		time.Sleep(2 * time.Second) // the clock stands
		synctest.Wait()
	})
}

// TestPolls walks through wire contract, section 6. Steps on one line are one iteration's.
func TestPolls(t *testing.T) {
	t.Parallel()
	type step = func(p *polls)
	poll := func(name string) step { return func(p *polls) { p.Poll(p.waiter(name)) } }
	gone := func(name string) step { return func(p *polls) { p.Gone(p.waiter(name)) } }
	send := func(s string) step { return func(p *polls) { p.Send(frame(s)) } }
	write := func(s string) step { return func(p *polls) { p.Write([]byte(s)) } }
	end := func(p *polls) { p.End(engine.ClientClosed, nil) }
	shutdown := func(p *polls) { p.End(engine.Shutdown, nil) }
	fail := func(p *polls) { p.Fail(errors.New("broken")) }
	del := func(p *polls) { p.Delete() }
	cut := func(p *polls) { p.Close(engine.PeerClosed, nil) }
	slow := func(name string, yes bool) step { return func(p *polls) { p.waiter(name).slow = yes } }
	wait := func(seconds int) []step { return make([]step, seconds) } // nil: a second
	in := func(s ...step) []step { return s }
	const first = "a: 200 data "
	for _, tt := range []struct {
		name  string
		steps [][]step
		want  string
	}{
		{"the first poll is answered at once, without data", [][]step{in(send("x")), in(poll("a")), in(poll("b"))}, first + "; b: 200 data [x]"},
		{"data that is there", [][]step{in(poll("a")), in(send("x"), write("y"), write("z"), send("w")), in(poll("b"))}, first + "; b: 200 data [x][yz][w]"},
		{"data that comes: an iteration's in one answer", [][]step{in(poll("a")), in(poll("b")), in(send("x"), write("y"), send("z")), in(poll("c")), in(write("w"))},
			first + "; b: 200 data [x][y][z]; c: 200 data [w]"},
		{"nothing for the poll timeout", [][]step{in(poll("a")), in(poll("b")), wait(92), in(poll("c")), in(send("x"))}, first + "; b: 200 text ; c: 200 data [x]"},
		{"not before the poll timeout", [][]step{in(poll("a")), in(poll("b")), wait(88)}, first},
		{"replaced", [][]step{in(poll("a")), in(poll("b")), in(poll("c")), in(send("x"))}, first + "; b: 204 text ; c: 200 data [x]"},
		{"replaced in the iteration of the data: nothing is lost", [][]step{in(poll("a")), in(poll("b")), in(send("x"), poll("c"))}, first + "; b: 204 text ; c: 200 data [x]"},
		{"gone, and what is said meanwhile waits", [][]step{in(poll("a")), in(poll("b")), in(gone("b"), send("x")), wait(10), in(poll("c"))}, first + "; c: 200 data [x]"},
		{"gone in the iteration of the data", [][]step{in(poll("a")), in(poll("b")), in(send("x"), gone("b")), in(poll("c"))}, first + "; c: 200 data [x]"},
		{"gone long after it was answered, or replaced", [][]step{in(poll("a")), in(poll("b")), in(poll("c"), gone("b"), gone("a"), send("x"))}, first + "; b: 204 text ; c: 200 data [x]"},
		{"away for too long", [][]step{in(poll("a")), in(send("x")), wait(17), in(poll("b"))}, first + "; closed keep-alive-timeout; b: 204 text "},
		{"away, but not for too long", [][]step{in(poll("a")), wait(13), in(poll("b")), in(gone("b")), wait(13)}, first},
		{"a large answer takes long to leave, and the client is not away until it has", [][]step{in(poll("a")), in(slow("b", true), poll("b")), in(send("large")), wait(60), in(slow("b", false)), wait(13), in(send("x"), poll("c"))},
			first + "; b: 200 data [large]; c: 200 data [x]"},
		{"away for too long after a large answer", [][]step{in(poll("a")), in(slow("b", true), poll("b")), in(send("large")), wait(60), in(slow("b", false)), wait(17)},
			first + "; b: 200 data [large]; closed keep-alive-timeout"},
		{"an answer that leaves does not keep the next poll waiting", [][]step{in(poll("a")), in(slow("b", true), poll("b")), in(send("large")), in(poll("c")), wait(92)},
			first + "; b: 200 data [large]; c: 200 text "},
		{"the end is not told while an answer leaves", [][]step{in(poll("a")), in(slow("b", true), poll("b")), in(write("bye"), end), wait(60), in(slow("b", false)), wait(3), in(poll("c"))},
			first + "; b: 200 data [bye]; c: 204 text ; closed client-closed"},
		{"the end with a waiter and nothing to say", [][]step{in(poll("a")), in(poll("b")), in(end, send("never"), write("never")), in(poll("c"))},
			first + "; b: 204 text ; closed client-closed; c: 204 text "},
		{"the end with a waiter and something to say", [][]step{in(poll("a")), in(poll("b")), in(write("bye"), end), in(poll("c")), in(poll("d"))},
			first + "; b: 200 data [bye]; c: 204 text ; closed client-closed; d: 204 text "},
		{"the end without a waiter", [][]step{in(poll("a")), in(write("bye"), end), in(poll("b")), in(poll("c"))}, first + "; b: 200 data [bye]; c: 204 text ; closed client-closed"},
		{"the end before the first poll", [][]step{in(write("bye"), end), in(poll("a")), in(poll("b")), in(poll("c"))},
			first + "; b: 200 data [bye]; c: 204 text ; closed client-closed"},
		{"the end, and the client does not come for the 204", [][]step{in(poll("a")), in(poll("b")), in(write("bye"), end), wait(7)}, first + "; b: 200 data [bye]; closed client-closed"},
		{"the end, and the client does not come for the rest", [][]step{in(poll("a")), in(write("bye"), end), wait(17)}, first + "; closed client-closed"},
		{"the end twice", [][]step{in(poll("a")), in(end, fail, end), in(poll("b"))}, first + "; b: 204 text ; closed client-closed"},
		{"a server that stops has the client hear of the end", [][]step{in(poll("a")), in(poll("b")), in(write("bye"), shutdown), in(poll("c"))},
			first + "; b: 200 data [bye]; c: 204 text ; closed shutdown"},
		{"a server that stops does not wait long for that", [][]step{in(poll("a")), in(poll("b")), in(write("bye"), shutdown), wait(3)}, first + "; b: 200 data [bye]; closed shutdown"},
		{"a server that stops, and the client has believed the Close", [][]step{in(poll("a")), in(poll("b")), in(write("bye"), shutdown), in(del)},
			first + "; b: 200 data [bye]; closed shutdown"},
		{"a server that stops gives a client little time to come", [][]step{in(poll("a")), in(write("bye"), shutdown), wait(7)}, first + "; closed shutdown"},
		{"failed with a waiter", [][]step{in(poll("a")), in(poll("b")), in(fail), in(poll("c"))}, first + "; b: 500 text ; closed internal-error: broken; c: 204 text "},
		{"failed with something to say", [][]step{in(poll("a")), in(write("x"), fail), in(poll("b")), in(poll("c"))}, first + "; b: 200 data [x]; c: 500 text ; closed internal-error: broken"},
		{"deleted with a waiter", [][]step{in(poll("a")), in(poll("b")), in(del, write("bye")), in(end)}, first + "; b: 200 data [bye]; closed client-closed"},
		{"deleted with a waiter, all at once", [][]step{in(poll("a")), in(poll("b")), in(del, write("bye"), end)}, first + "; b: 200 data [bye]; closed client-closed"},
		{"deleted without a waiter", [][]step{in(poll("a")), in(del, write("bye"), end), in(poll("b"))}, first + "; closed client-closed; b: 204 text "},
		{"deleted after the end", [][]step{in(poll("a")), in(write("bye"), end), in(del), in(poll("b"))}, first + "; closed client-closed; b: 204 text "},
		{"cut off with a waiter", [][]step{in(poll("a")), in(poll("b")), in(cut, cut), in(send("x"), write("y"), end)}, first + "; b: 204 text ; closed peer-closed"},
		{"cut off before what was said has left", [][]step{in(poll("a")), in(poll("b")), in(send("x"), cut)}, first + "; b: 204 text ; closed peer-closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pollBubble(t, defaults(), func(p *polls) {
				for _, iteration := range tt.steps {
					if len(iteration) > 0 && iteration[0] == nil {
						time.Sleep(time.Duration(len(iteration)) * time.Second)
						continue
					}
					p.do(func() {
						for _, s := range iteration {
							s(p)
						}
					})
				}
				p.want(strings.Split(tt.want, "; ")...)
			})
		})
	}
}

// TestPolledShares: what many get is not copied, and what is written is.
func TestPolledShares(t *testing.T) {
	t.Parallel()
	pollBubble(t, defaults(), func(p *polls) {
		f := frame("shared")
		own := []byte("own")
		var got []*engine.Frame
		p.do(func() {
			p.Poll(p.waiter("a"))
			p.Send(f)
			p.Write(own)
			copy(own, "xxx")
			p.Poll(catch(func(a Answer) { got = a.Frames }))
		})
		if len(got) != 2 || got[0] != f || string(got[1].Bytes()) != "own" {
			t.Errorf("frames %v", got)
		}
	})
}

type catch func(a Answer)

func (c catch) Answer(a Answer) { c(a) }
func (c catch) Leaving() bool   { return false }

func TestPolledLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		limits Limits
		act    func(p *polls)
		want   string
	}{
		{"bytes", Limits{OutboundMax: 10}, func(p *polls) { p.Send(frame("0123456789")); p.Send(frame("x")); p.Send(frame("y")) }, "11 bytes wait to go out, at most 10 may"},
		{"own bytes", Limits{OwnedMax: 4}, func(p *polls) {
			for range 5 {
				p.Write([]byte("1"))
				p.Send(frame("shared"))
			}
		}, "5 bytes of the connection's own wait to go out, at most 4 may"},
		{"large ones", Limits{OwnedMax: 4}, func(p *polls) {
			p.Write([]byte("large"))
			p.Send(frame("shared"))
			p.Write([]byte("large"))
			p.Write([]byte("s"))
			p.Send(frame("shared"))
			p.Write([]byte("large"))
			p.Send(frame("z"))
		}, "3 pieces of the connection's own of more than 1 bytes each wait to go out, at most 2 may"},
		{"frames", Limits{FramesMax: 2}, func(p *polls) { p.Send(frame("1")); p.Send(frame("2")); p.Send(frame("3")); p.Send(frame("4")) }, "2 frames wait to go out, at most 2 may"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := tt.limits.Defaults()
			pollBubble(t, &limits, func(p *polls) {
				p.do(func() { p.Poll(p.waiter("a")) })
				p.do(func() { tt.act(p) })
				p.want("a: 200 data ", "closed outbound-overflow: longpoll: "+tt.want)
			})
			pollBubble(t, &limits, func(p *polls) { // what has left does not count
				p.do(func() { p.Poll(p.waiter("a")) })
				for i := range 5 {
					p.do(func() { p.Send(frame("x")); p.Write([]byte("y")) })
					p.do(func() { p.Poll(p.waiter(string(rune('b' + i)))) })
				}
				p.do(func() { p.Poll(p.waiter("z")) })
				if p.receiver.closed > 0 {
					t.Error(p.lines)
				}
			})
		})
	}
}

// TestPolledLargePiece: the limits are for what waits, so that one large record passes, as over a WebSocket.
func TestPolledLargePiece(t *testing.T) {
	t.Parallel()
	limits := Limits{Outbound: 4, OwnedMax: 4, OutboundMax: 8}.Defaults()
	pollBubble(t, &limits, func(p *polls) {
		p.do(func() { p.Poll(p.waiter("first")) })
		p.do(func() { p.Poll(p.waiter("own")) })
		p.do(func() { p.Write([]byte("0123456789")) })
		p.do(func() { p.Send(frame("9876543210")) })
		p.do(func() { p.Poll(p.waiter("shared")) })
		p.want("first: 200 data ", "own: 200 data [0123456789]", "drain", "shared: 200 data [9876543210]", "drain")
	})
}

// TestPolledBehindLarge: what comes behind large records, before the client polls again, does not end the connection.
func TestPolledBehindLarge(t *testing.T) {
	t.Parallel()
	limits := Limits{OwnedMax: 4}.Defaults()
	pollBubble(t, &limits, func(p *polls) {
		p.do(func() { p.Poll(p.waiter("first")) })
		p.do(func() { p.Write([]byte("0123456789")) })
		p.do(func() { p.Write([]byte("another one")) })
		for range 4 {
			p.do(func() { p.Send(frame("-")); p.Write([]byte("+")) })
		}
		p.do(func() { p.Poll(p.waiter("all")) })
		p.want("first: 200 data ", "all: 200 data [0123456789another one][-][+][-][+][-][+][-][+]")
	})
}

// TestPolledDrain: over the cap there is no room, and once the client has taken what there is the hub is told, once.
func TestPolledDrain(t *testing.T) {
	t.Parallel()
	limits := Limits{Outbound: 5}.Defaults()
	pollBubble(t, &limits, func(p *polls) {
		room := func(want bool) {
			t.Helper()
			if got := p.Room(); got != want {
				t.Errorf("room: %v, want %v", got, want)
			}
		}
		p.do(func() {
			p.Poll(p.waiter("a"))
			p.Write([]byte("12345"))
			room(true)
			p.Poll(p.waiter("b"))
		})
		p.do(func() {
			room(true)
			p.Send(frame("123456"))
			room(false)
		})
		p.want("a: 200 data ", "b: 200 data [12345]")
		p.drain = func() {
			room(true)
			p.drain = nil
			p.Write([]byte("more"))
		}
		p.do(func() { p.Poll(p.waiter("c")) })
		p.want("c: 200 data [123456]", "drain")
		p.do(func() { p.Poll(p.waiter("d")) })
		p.want("d: 200 data [more]")
	})
}

// TestPolledDeadline: the hub's deadline, and what it may do then.
func TestPolledDeadline(t *testing.T) {
	t.Parallel()
	pollBubble(t, defaults(), func(p *polls) {
		p.do(func() {
			p.Poll(p.waiter("a"))
			p.Poll(p.waiter("b"))
			p.SetDeadline(p.loop().Now() + 3)
			p.receiver.due = func(uint32) { p.Write([]byte("late")); p.End(engine.HandshakeTimeout, nil) }
		})
		time.Sleep(5 * time.Second)
		p.want("a: 200 data ", "deadline", "b: 200 data [late]")
		p.do(func() { p.Poll(p.waiter("c")) })
		p.want("c: 204 text ", "closed handshake-timeout")
	})
	pollBubble(t, defaults(), func(p *polls) { // none after the end
		p.do(func() {
			p.Poll(p.waiter("a"))
			p.SetDeadline(p.loop().Now() + 1)
			p.End(engine.ClientClosed, nil)
		})
		time.Sleep(3 * time.Second)
		p.want("a: 200 data ")
	})
}

func (p *polls) loop() *engine.Loop { return p.rig.loop }
