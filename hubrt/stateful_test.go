package hubrt

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

var resumes = Options{StatefulReconnect: true}

// TestStatefulNothingIsLost holds the server against a model of a client through random losses, at any byte in both directions.
func TestStatefulNothingIsLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 2}, func(r *rig) {
				opt := resumes
				if seed%2 == 1 {
					opt.StatefulBuffer = 300 // so that replies wait
				}
				h := r.hub(nil, opt)
				var mu sync.Mutex
				var called []int
				note := func(n int) int {
					mu.Lock()
					defer mu.Unlock()
					called = append(called, n)
					return n
				}
				if err := h.Handle("Worker", note); err != nil {
					t.Fatal(err)
				}
				if err := h.Handle("Inline", note, inline); err != nil {
					t.Fatal(err)
				}
				if err := h.Handle("Join", (*Context).Join); err != nil {
					t.Fatal(err)
				}
				s := r.connectStateful(h)
				m := newModel(t, s, seed)
				m.call(`{"type":1,"target":"Join","arguments":["g"]}`)
				for m.first == 1 {
					m.read(time.Minute, 4096)
				}
				calls, messages := 0, 0
				for range 600 {
					switch m.rand.IntN(12) {
					case 0, 1, 2:
						target := "Worker"
						if seed%3 == 0 {
							target = "Inline" // one or the other: a call on the loop may overtake one that a worker has
						}
						m.call(call1(strconv.Itoa(calls), target, strconv.Itoa(calls)))
						calls++
					case 3, 4, 5:
						for range m.rand.IntN(5) {
							to := h.Clients().All()
							switch m.rand.IntN(3) {
							case 0:
								to = h.Clients().Group("g")
							case 1:
								to = h.Clients().Client(s.id.String())
							}
							if err := to.Send("message", messages); err != nil {
								t.Fatal(err)
							}
							messages++
						}
					case 6, 7, 8:
						m.read(time.Duration(m.rand.IntN(1500))*time.Millisecond, 1+m.rand.IntN(400))
					case 9:
						m.ack()
					default:
						m.kill()
						time.Sleep(time.Duration(m.rand.IntN(3000)) * time.Millisecond)
						m.reconnect()
					}
				}
				for idle := 0; idle < 3; {
					if m.ack(); m.read(2*time.Second, 4096) == 0 {
						idle++
					} else {
						idle = 0
					}
				}
				inOrder(t, "calls at the hub", called, calls)
				inOrder(t, "results", m.results, calls)
				inOrder(t, "messages", m.messages, messages)
				if len(m.sent) > 0 {
					t.Errorf("%d messages of the client were not acknowledged", len(m.sent))
				}
				if st := r.rt.Stats(); st.StatefulBytes != 0 || st.Away != 0 {
					t.Errorf("with everything acknowledged: %+v", st)
				}
				s.end()
			})
		})
	}
}

// TestStatefulTimesOut: the hub sees an ordinary end when nobody comes back in time, and not before.
func TestStatefulTimesOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		window time.Duration
		away   time.Duration
		back   bool
	}{
		{"in time", 0, 14900 * time.Millisecond, true},
		{"too late", 0, 15100 * time.Millisecond, false},
		{"own window", 3 * time.Second, 3100 * time.Millisecond, false},
		{"longer than the client timeout", time.Minute, 50 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				opt := resumes
				opt.DisconnectTimeout = tt.window
				h := r.hub(nil, opt)
				ended := make(chan error, 1)
				h.OnDisconnected(func(_ *Context, cause error) error {
					ended <- cause
					return nil
				})
				s := r.connectStateful(h)
				s.send(`{"type":6}`)
				s.lose()
				synctest.Wait()
				if st := r.rt.Stats(); st.Away != 1 || st.Connections != 1 {
					t.Errorf("away: %+v", st)
				}
				time.Sleep(tt.away)
				synctest.Wait()
				if err := h.Clients().All().Send("message", 1); err != nil {
					t.Fatal(err)
				}
				if s.come() != tt.back {
					t.Fatalf("came back after %v: %v", tt.away, !tt.back)
				}
				if tt.back {
					s.expect(sequence(1), message("message", "1"))
					if len(ended) > 0 {
						t.Error("the hub has seen the end")
					}
					s.end()
				}
				if cause := <-ended; cause != nil {
					t.Errorf("cause %v, want none", cause)
				}
				synctest.Wait()
				st := r.rt.Stats()
				expired := int64(1)
				if tt.back {
					expired = 0
				}
				if st.Connections != 0 || st.Away != 0 || st.StatefulBytes != 0 || st.StatefulExpired != expired || st.Resumed != 1-expired || int64(s.keeper.dropped.Load()) != expired {
					t.Errorf("at the end: %+v, the token was dropped %d times", st, s.keeper.dropped.Load())
				}
				checkEmpty(t, h)
			})
		})
	}
}

// TestStatefulEndsAtOnce: what ends a connection for good leaves nothing to come back to.
func TestStatefulEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(r *rig, s *stateful, unblock func())
	}{
		{"the client's Close", func(_ *rig, s *stateful, _ func()) { s.end() }},
		{"Abort", func(_ *rig, s *stateful, _ func()) {
			s.hub.context().Abort()
			s.expect(`{"type":7}`)
			s.expectEnd(engine.Aborted)
		}},
		{"Abort while away", func(_ *rig, s *stateful, _ func()) {
			s.lose()
			s.hub.context().Abort()
		}},
		{"Abort and loss together", func(_ *rig, s *stateful, _ func()) {
			s.hub.context().Abort()
			s.lose()
		}},
		{"loss after the client's Close", func(_ *rig, s *stateful, unblock func()) {
			s.send(call1("1", "Block"), `{"type":7}`)
			synctest.Wait()
			s.lose()
			unblock()
		}},
		{"Sequence too high", func(_ *rig, s *stateful, _ func()) {
			s.send(sequence(2))
			s.expect(`{"type":7,"error":"Connection closed with an error. InvalidOperationException: Sequence ID greater than amount of messages we've received.","allowReconnect":true}`)
			s.expectEnd(engine.ProtocolError)
		}},
		{"drain", func(r *rig, s *stateful, _ func()) {
			ctx, cancel := contextWithTimeout(s.t, time.Minute)
			defer cancel()
			if err := r.rt.Drain(ctx, 0); err != nil {
				s.t.Errorf("drain: %v", err)
			}
			s.expect(`{"type":7,"allowReconnect":true}`)
			s.expectEnd(engine.Shutdown)
		}},
		{"drain while away", func(r *rig, s *stateful, _ func()) {
			s.lose()
			ctx, cancel := contextWithTimeout(s.t, time.Second)
			defer cancel()
			if err := r.rt.Drain(ctx, 0); err != nil {
				s.t.Errorf("drain: %v", err)
			}
		}},
		{"loss while draining", func(r *rig, s *stateful, _ func()) {
			s.send(call1("1", "Sleep", "1000"))
			synctest.Wait()
			go func() { _ = r.rt.Drain(s.t.Context(), 0) }()
			synctest.Wait()
			s.lose()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				opt := resumes
				opt.DetailedErrors = true
				h := r.hub(probe{}, opt)
				block := make(chan struct{})
				handle(t, h, "Block", func() { <-block })
				ended := make(chan error, 2)
				h.OnDisconnected(func(_ *Context, cause error) error {
					ended <- cause
					return nil
				})
				s := r.connectStateful(h)
				tt.end(r, s, func() { close(block) })
				<-ended
				synctest.Wait()
				if s.come() {
					t.Error("the client could come back")
				}
				if st := r.rt.Stats(); st.Connections != 0 || st.Away != 0 || st.StatefulBytes != 0 {
					t.Errorf("at the end: %+v", st)
				}
				checkEmpty(t, h)
			})
		})
	}
}

// TestStatefulAcks: at most one a second, and only when there is something new (wire contract, section 18.3).
func TestStatefulAcks(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, resumes)
		s := r.connectStateful(h)
		s.send(call1("1", "Add", "1", "2"), call1("2", "Add", "1", "3"))
		s.expect(result("1", "3"), result("2", "4"), ack(2))
		s.silent(5 * time.Second)
		s.send(`{"type":6}`, ack(1), ack(2), sequence(3))
		s.silent(5 * time.Second)
		for range 20 { // ten seconds
			s.send(call1("", "Nothing"))
			time.Sleep(500 * time.Millisecond)
		}
		acks := 0
		for {
			rec, ok := s.read()
			if !ok {
				t.Fatal(rec)
			}
			if strings.Contains(rec, `"type":8`) {
				acks++
				if rec == ack(22) {
					break
				}
			}
		}
		if acks < 5 || acks > 11 {
			t.Errorf("%d acknowledgements in 10 s", acks)
		}
		s.end()
	})
}

// TestStatefulAckWithinFrame: messages that were merged to one frame are acknowledged one by one.
func TestStatefulAckWithinFrame(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"all", "client"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(probe{}, resumes)
				s := r.connectStateful(h)
				target := h.Clients().All()
				if to == "client" {
					target = h.Clients().Client(s.id.String())
				}
				var all []string
				s.on(func(*Conn) { // in one iteration of the loop, so that they merge
					for i := range 10 {
						if err := target.Send("m", i); err != nil {
							t.Error(err)
						}
						all = append(all, message("m", strconv.Itoa(i)))
					}
				})
				s.expect(all...)
				for n := 0; n <= 10; n += 3 {
					if n > 0 {
						s.send(ack(n))
					}
					synctest.Wait()
					s.back()
					s.expect(sequence(n + 1))
					s.expect(all[n:]...)
				}
				s.send(ack(10))
				synctest.Wait()
				if st := r.rt.Stats(); st.StatefulBytes != 0 {
					t.Errorf("%+v", st)
				}
				s.end()
			})
		})
	}
}

// TestStatefulTakesOver: the new transport wins over one that still looks alive, and what becomes of the old one means nothing.
func TestStatefulTakesOver(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, resumes)
		s := r.connectStateful(h)
		s.send(call1("1", "Echo", `"a"`))
		s.expect(result("1", `"a"`))
		for i := range 3 {
			old := s.client
			s.raw(`{"type":1,"target":"never`) // the end of which does not come
			synctest.Wait()
			if !s.come() {
				t.Fatal("not taken")
			}
			s.expect(sequence(1), ack(1), result("1", `"a"`))
			if i == 1 {
				_ = old.nc.(*engine.MemoryConn).Reset()
				<-old.link.closed
			} else {
				old.t = s.t
				for {
					if rec, ok := old.read(); !ok {
						break
					} else if rec != ack(1) {
						t.Fatalf("the old transport got %s", rec)
					}
				}
				_ = old.nc.Close()
				<-old.link.closed
				if old.link.end != engine.Replaced {
					t.Errorf("the old transport ended with %v", old.link.end)
				}
			}
			s.send(sequence(1), call1("1", "Echo", `"a"`))
			s.expect(ack(1))
		}
		s.end()
		checkEmpty(t, h)
	})
}

// TestStatefulNotAgreed: without version 2, or without having asked for it, a loss is the end.
func TestStatefulNotAgreed(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, resumes)
		s := r.dialStateful(h)
		s.send(shake)
		s.expect(`{}`)
		s.send(ack(7), sequence(9), call1("1", "Echo", `"a"`))
		s.expect(result("1", `"a"`))
		s.silent(3 * time.Second)
		s.lose()
		synctest.Wait()
		if s.come() {
			t.Error("the client could come back")
		}
		early := r.dialStateful(h)
		early.lose()
		synctest.Wait()
		if early.come() {
			t.Error("the client could come back before its handshake")
		}
		if st := r.rt.Stats(); st.Connections != 0 {
			t.Errorf("%+v", st)
		}
	})
}
