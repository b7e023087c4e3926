package hubrt

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// TestStatefulBounds: a client that takes all and acknowledges nothing is ended, whatever it is sent.
func TestStatefulBounds(t *testing.T) {
	t.Parallel()
	const most = 20_000
	long := strings.Repeat("x", 1000)
	for _, tt := range []struct {
		name string
		send func(h *Hub, s *stateful) error
		from int // bytes that it may have been sent then
		to   int
		text string
	}{
		{"messages of its own", func(h *Hub, s *stateful) error { return h.Clients().Client(s.id.String()).Send("m", long) }, most / 2, 2 * most, "(StatefulMax)"},
		{"messages to many", func(h *Hub, _ *stateful) error { return h.Clients().All().Send("m", long) }, 15 * most, 18 * most, "(16 times StatefulMax)"},
	} {
		for _, away := range []bool{false, true} {
			name := tt.name
			if away {
				name += ", away"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{}, func(r *rig) {
					opt := resumes
					opt.StatefulBuffer, opt.StatefulMax, opt.DetailedErrors = most/2, most, true
					h := r.hub(nil, opt)
					causes := make(chan error, 1)
					h.OnDisconnected(func(_ *Context, cause error) error {
						causes <- cause
						return nil
					})
					s := r.connectStateful(h)
					if away {
						s.lose()
					}
					sent := 0
					for len(causes) == 0 && sent < 20*most {
						if err := tt.send(h, s); err != nil {
							t.Fatal(err)
						}
						sent += len(long)
						synctest.Wait()
						if !away {
							for len(causes) == 0 {
								rec, _ := s.read()
								if strings.Contains(rec, `"type":1`) {
									break
								}
							}
						}
					}
					if sent < tt.from || sent > tt.to {
						t.Errorf("ended after %d bytes, want %d to %d", sent, tt.from, tt.to)
					}
					if cause := <-causes; cause == nil || !strings.Contains(cause.Error(), tt.text) {
						t.Errorf("cause %v, want %s", cause, tt.text)
					}
					if away {
						synctest.Wait()
						if s.keeper.dropped.Load() != 1 || s.come() {
							t.Error("the client could come back")
						}
					} else {
						for rec, ok := s.read(); ok; rec, ok = s.read() {
							if !strings.Contains(rec, `"type":7,"error":"Connection closed with an error.`) && !strings.Contains(rec, `"type":1`) {
								t.Errorf("got %s", rec)
							}
						}
						_ = s.nc.Close()
						<-s.link.closed
						if s.link.end != engine.OutboundOverflow {
							t.Errorf("ended with %v", s.link.end)
						}
					}
					if st := r.rt.Stats(); st.StatefulBytes != 0 || st.Connections != 0 {
						t.Errorf("at the end: %+v", st)
					}
				})
			})
		}
	}
}

// TestStatefulReplyWaits: over the buffer replies wait, and what comes behind them; an Ack lets them go, a connection in either state ends with its replies.
func TestStatefulReplyWaits(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		opt := resumes
		opt.StatefulBuffer = 150
		h := r.hub(probe{}, opt)
		s := r.connectStateful(h)
		long := `"` + strings.Repeat("x", 60) + `"`
		for _, id := range []string{"1", "2"} {
			s.send(call1(id, "Echo", long))
			s.expect(result(id, long))
		}
		s.send(call1("3", "Echo", long))
		synctest.Wait()
		if err := h.Clients().All().Send("message", "behind it"); err != nil {
			t.Fatal(err)
		}
		s.expect(ack(3))
		s.silent(5 * time.Second)
		s.back() // the third still waits
		s.expect(sequence(1), ack(3), result("1", long), result("2", long))
		s.silent(5 * time.Second)
		s.send(ack(1))
		s.expect(result("3", long), message("message", `"behind it"`))
		s.send(call1("4", "Echo", long))
		synctest.Wait()
		s.send(`{"type":7}`)
		s.expect(result("4", long), `{"type":7}`)
		s.expectEnd(engine.ClientClosed)
	})
}

// TestStatefulMemory: over the memory of all connections together, those that have been away for longest go, and nobody new gets the agreement.
func TestStatefulMemory(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 2}, func(r *rig) {
		const limit = 100_000
		synctest.Wait() // the loops look at it
		r.rt.cfg.StatefulMemory = limit
		h := r.hub(nil, resumes)
		var all []*stateful
		for range 10 {
			s := r.connectStateful(h)
			s.lose()
			all = append(all, s)
			time.Sleep(time.Millisecond)
		}
		if !h.OffersStateful() {
			t.Error("nothing is kept, but it is not offered")
		}
		text := strings.Repeat("x", 3000)
		for i := 0; i < 40; i++ {
			if err := h.Clients().Client(all[i%len(all)].id.String()).Send("m", text); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := r.rt.Stats().StatefulBytes; n > limit+10_000 {
				t.Fatalf("%d bytes are kept, want at most about %d", n, limit)
			}
		}
		st := r.rt.Stats()
		if st.StatefulEvicted == 0 || st.Away+st.StatefulEvicted != 10 {
			t.Errorf("%+v", st)
		}
		for i, s := range all {
			if gone := s.keeper.dropped.Load() == 1; gone != (int64(i) < st.StatefulEvicted) {
				t.Errorf("connection %d of those that went has gone: %v; %d have", i, gone, st.StatefulEvicted)
			}
		}
		// Those that are there are bounded, too, when nobody is away.
		for _, s := range all[st.StatefulEvicted:] {
			if !s.come() {
				t.Fatal("one that was kept cannot come back")
			}
		}
		synctest.Wait()
		r.rt.cfg.StatefulMemory = 1
		if h.OffersStateful() {
			t.Error("over the limit, but it is offered")
		}
		last := all[len(all)-1]
		last.lose()
		synctest.Wait()
		if last.come() {
			t.Error("over the limit a connection was kept")
		}
		for _, s := range all[st.StatefulEvicted : len(all)-1] {
			s.lose()
		}
		synctest.Wait()
		if st := r.rt.Stats(); st.StatefulBytes != 0 || st.Connections != 0 {
			t.Errorf("at the end: %+v", st)
		}
	})
}

// TestStatefulGiant: one message of any size passes, as in wire contract, section 18.4, whatever stands around it; what comes beside it is bounded as ever.
func TestStatefulGiant(t *testing.T) {
	t.Parallel()
	const most, size = 20_000, 100_000
	giant := strings.Repeat("x", size)
	long := strings.Repeat("y", 1000)
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprint("away ", away), func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				opt := resumes
				opt.StatefulBuffer, opt.StatefulMax = most/2, most
				h := r.hub(probe{}, opt)
				handle(t, h, "Giant", func() string { return giant })
				s := r.connectStateful(h)
				to := h.Clients().Client(s.id.String())
				push := func(text string) {
					t.Helper()
					if err := to.Send("m", text); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				want := []string{result("1", `"x"`), result("2", `"`+giant+`"`), message("m", `"`+long+`"`), message("m", `"`+long+`"`)}
				s.send(call1("1", "Echo", `"x"`), call1("2", "Giant"))
				s.expect(want[0])
				synctest.Wait()
				if !away {
					s.expect(want[1])
				}
				push(long)
				push(long)
				if away {
					synctest.Wait()
					s.back()
					s.expect(sequence(1), ack(2))
					s.expect(want...)
				} else {
					s.expect(want[2:]...)
				}
				s.send(ack(4))
				synctest.Wait()
				if st := r.rt.Stats(); st.StatefulBytes != 0 {
					t.Fatalf("all is acknowledged: %+v", st)
				}
				push(giant) // another one
				for rec, ok := s.read(); rec != message("m", `"`+giant+`"`); rec, ok = s.read() {
					if !ok || !strings.HasPrefix(rec, `{"type":8`) && rec != `{"type":6}` {
						t.Fatalf("got %.100s", rec)
					}
				}
				s.send(ack(5))
				synctest.Wait()
				// Two at a time are too many.
				push(giant)
				push(giant)
				for ok := true; ok; {
					_, ok = s.read()
				}
				_ = s.nc.Close()
				<-s.link.closed
				if s.link.end != engine.OutboundOverflow {
					t.Errorf("ended with %v", s.link.end)
				}
				checkEmpty(t, h)
			})
		})
	}
}
