package hubrt

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/limits"
)

// TestInputBuffer: an uploader that is faster than its hub is paused, loses nothing, and costs no more than its caps.
func TestInputBuffer(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"waiting calls", "connected event"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				g := &gate{open: make(chan struct{})}
				h := r.hub(g, Options{})
				if where == "connected event" {
					h.OnConnected(func(*Context) error { <-g.open; return nil })
				}
				c := r.connect(h)
				c.send(call1("first", "Wait", `"a"`))
				const n = 4000
				pad := strings.Repeat("x", 100)
				sent := make(chan int, 1)
				go func() {
					for i := range n {
						if _, err := c.nc.Write([]byte(call1(fmt.Sprint(i), "Echo", `"`+pad+`"`) + "\x1e")); err != nil {
							break
						}
						select {
						case <-sent:
						default:
						}
						sent <- i + 1
					}
				}()
				synctest.Wait()
				if i := <-sent; i > n/2 {
					t.Errorf("%d of %d calls were taken while none was run", i, n)
				}
				c.on(func(hc *Conn) {
					held := hc.box.bytes()
					if hc.box.input() {
						held += len(hc.box.in.b)
					}
					if held > 64<<10+64<<10 || hc.box.bytes() > 64<<10+1024 || !hc.is(flagPaused) {
						t.Errorf("%d bytes are held; paused: %v", held, hc.is(flagPaused))
					}
				})
				close(g.open)
				c.expect(result("first", `"a"`))
				for i := range n {
					c.expect(result(fmt.Sprint(i), `"`+pad+`"`))
				}
				c.on(func(hc *Conn) {
					if hc.is(flagPaused) || hc.box != nil {
						t.Errorf("afterwards %+v waits; paused: %v", hc.box, hc.is(flagPaused))
					}
				})
				c.leave()
			})
		})
	}
	t.Run("a record larger than the buffer", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{InputBuffer: 1000, MaxMessage: 1 << 20}))
			text := `"` + strings.Repeat("y", 300<<10) + `"`
			go func() {
				_, _ = c.nc.Write([]byte(call1("1", "Echo", text) + "\x1e" + call1("2", "Echo", text) + "\x1e" + call1("3", "Echo", text) + "\x1e"))
			}()
			c.expect(result("1", text), result("2", text), result("3", text))
			c.leave()
		})
	})
}

// TestWorkerQueue: when all workers block and the queue is full, connections are paused, and later have their turns.
func TestWorkerQueue(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 2, workers: 2, queue: 3}, func(r *rig) {
		g := &gate{open: make(chan struct{})}
		h := r.hub(g, Options{})
		gone := make(chan struct{}, 20)
		h.OnDisconnected(func(*Context, error) error { gone <- struct{}{}; return nil })
		var clients []*client
		for i := range 12 {
			c := r.connect(h)
			c.send(call1("1", "Wait", fmt.Sprintf(`"%d"`, i)))
			synctest.Wait()
			clients = append(clients, c)
		}
		if got := g.names(); got != "0 1" {
			t.Errorf("%q run, want the first two", got)
		}
		s := r.rt.Stats()
		if s.Workers != 2 || s.CallsRunning != 2 || s.CallsWaiting != 10 {
			t.Errorf("%+v", s)
		}
		paused := 0
		for _, c := range clients {
			c.on(func(hc *Conn) {
				if hc.is(flagPaused) {
					paused++
				}
			})
		}
		if paused != 7 {
			t.Errorf("%d connections are paused, want 7", paused)
		}
		clients[6].leave() // while it waits for its turn
		clients[9].leave()
		close(g.open)
		for i, c := range clients {
			if i != 6 && i != 9 {
				c.expect(result("1", fmt.Sprintf(`"%d"`, i)))
				c.send(call1("2", "Echo", `"x"`))
				c.expect(result("2", `"x"`))
				c.leave()
			}
		}
		for range clients {
			<-gone
		}
		time.Sleep(time.Minute)
		if s := r.rt.Stats(); s.Workers != 0 || s.CallsWaiting != 0 || s.CallsRunning != 0 {
			t.Errorf("idle workers have not ended: %+v", s)
		}
	})
}

// TestTurns: who waits for a worker and leaves does not keep those behind him waiting, and is not told of any event.
func TestTurns(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 2, workers: 1, queue: 1}, func(r *rig) {
		g := &gate{open: make(chan struct{})}
		h := r.hub(g, Options{})
		var hooks atomic.Int32
		h.OnConnected(func(*Context) error { hooks.Add(1); <-g.open; return nil })
		var clients []*client
		for range 6 {
			clients = append(clients, r.connect(h))
			synctest.Wait()
		}
		clients[2].leave()
		clients[3].leave()
		clients[4].leave()
		synctest.Wait()
		if s := r.rt.Stats(); s.Connections != 3 {
			t.Errorf("%d connections, want 3: nothing keeps those that have left", s.Connections)
		}
		close(g.open)
		for _, i := range []int{5, 0, 1} { // before the others give it another chance
			clients[i].send(call1("1", "Echo", `"x"`))
			clients[i].expect(result("1", `"x"`))
			clients[i].leave()
		}
		if n := hooks.Load(); n != 3 {
			t.Errorf("%d connected events, want 3", n)
		}
	})
}

// TestTurnsAreFair: what has waited longer goes first, also when the queue has room.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, workers: 1, queue: 2}, func(r *rig) {
		g := &gate{open: make(chan struct{})}
		h := r.hub(g, Options{})
		var clients []*client
		for i := range 4 {
			c := r.connect(h)
			c.send(call1("1", "Wait", fmt.Sprintf(`"%d"`, i)))
			synctest.Wait()
			clients = append(clients, c)
		}
		p := &r.rt.pool
		p.mu.Lock()
		job, _ := p.queue.pop()
		p.mu.Unlock()
		clients[0].on(func(c *Conn) {
			if p.submit(&call{conn: c}, false) {
				t.Error("a newcomer has overtaken one that waits")
			}
			if !p.submit(job, true) {
				t.Error("one whose turn has come found no room")
			}
			r.rt.done() // the job was counted already
		})
		close(g.open)
		for i, c := range clients {
			c.expect(result("1", fmt.Sprintf(`"%d"`, i)))
			c.leave()
		}
	})
}

// TestManyCallsWait: more calls than one job holds, put back because the workers have too much, all run, once and in order.
func TestManyCallsWait(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, workers: 1, queue: 1}, func(r *rig) {
		g := &gate{open: make(chan struct{})}
		h := r.hub(g, Options{InputBuffer: 1 << 20})
		var clients []*client
		for i := range 4 {
			c := r.connect(h)
			c.send(call1("first", "Wait", fmt.Sprintf(`"%d"`, i)))
			synctest.Wait()
			clients = append(clients, c)
		}
		last := r.connect(h)
		const n = 3*maxJob + 5
		var all []string
		for i := range n {
			all = append(all, call1(fmt.Sprint(i), "Echo", `"x"`))
		}
		last.send(all...)
		synctest.Wait()
		last.on(func(c *Conn) {
			if c.box.jobs != 0 || c.box.waiting != n || !c.is(flagTurn) {
				t.Errorf("%d jobs, %d calls wait", c.box.jobs, c.box.waiting)
			}
		})
		close(g.open)
		for i, c := range clients {
			c.expect(result("first", fmt.Sprintf(`"%d"`, i)))
			c.leave()
		}
		for round := range 2 {
			for i := range n {
				last.expect(result(fmt.Sprint(i), `"x"`))
			}
			last.on(func(c *Conn) {
				if c.box != nil {
					t.Errorf("%+v is left", c.box)
				}
			})
			if round == 0 {
				last.send(all...)
			}
		}
		last.leave()
	})
}

// TestOneJob: the calls of one batch of records are one job.
func TestOneJob(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		g := &gate{open: make(chan struct{})}
		c := r.connect(r.hub(g, Options{}))
		c.send(call1("1", "Wait", `"a"`), call1("2", "Wait", `"b"`), call1("3", "Wait", `"c"`))
		synctest.Wait()
		c.on(func(c *Conn) {
			if m := c.box; m.first != nil || m.jobs != 1 || m.calls != 3 || m.waiting != 2 {
				t.Errorf("%d jobs, %d calls, %d waiting", m.jobs, m.calls, m.waiting)
			}
		})
		close(g.open)
		c.expect(result("1", `"a"`), result("2", `"b"`), result("3", `"c"`))
		c.leave()
	})
}

// TestWorkersLostAndFound: a method that ends its goroutine takes neither the calls behind it nor the workers with it.
func TestWorkersLostAndFound(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, workers: 1}, func(r *rig) {
		c := r.connect(r.hub(probe{}, Options{}))
		for range 20 {
			c.send(call1("1", "Goexit"), call1("2", "Goexit"), call1("3", "Echo", `"x"`), call1("4", "Goexit"))
			text := "An unexpected error occurred invoking 'Goexit' on the server."
			c.expect(failure("1", text), failure("2", text), result("3", `"x"`), failure("4", text))
		}
		c.leave()
	})
}

func TestRates(t *testing.T) {
	t.Parallel()
	const n = 1000
	send := func(c *client) {
		var b strings.Builder
		for i := range n {
			b.WriteString(call1(fmt.Sprint(i), "Echo", `"x"`) + "\x1e")
		}
		go func() { _, _ = c.nc.Write([]byte(b.String())) }()
	}
	t.Run("wait", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{Rates: limits.Rates{Messages: 100, MessagesBurst: 20}}))
			begun := time.Now()
			send(c)
			for i := range n {
				c.expect(result(fmt.Sprint(i), `"x"`))
			}
			if d := time.Since(begun); d < 9800*time.Millisecond || d > 9900*time.Millisecond {
				t.Errorf("took %v, want 9.8 s", d)
			}
			if s := r.rt.Stats(); s.RateWaits == 0 || s.RateRejects != 0 || s.MessagesIn != n {
				t.Errorf("%+v", s)
			}
			c.leave()
		})
	})
	t.Run("a long wait", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{Rates: limits.Rates{Messages: 0.02, MessagesBurst: 1}}))
			begun := time.Now()
			c.send(call1("1", "Echo", `"x"`), call1("2", "Echo", `"y"`))
			c.expect(result("1", `"x"`), result("2", `"y"`))
			if d := time.Since(begun); d < 50*time.Second || d > 51*time.Second {
				t.Errorf("took %v, want 50 s", d)
			}
			if n := r.rt.Stats().RateWaits; n < 5 {
				t.Errorf("%d timers for 50 s: want none over %v, so that a connection that has gone is not held for long", n, maxRateTimer)
			}
			c.leave()
		})
	})
	t.Run("wait, and the client leaves", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{Rates: limits.Rates{Messages: 0.1, MessagesBurst: 1}}))
			c.send(call1("1", "Echo", `"x"`), call1("2", "Echo", `"y"`))
			c.expect(result("1", `"x"`))
			c.on(func(hc *Conn) { hc.fail(engine.Aborted, errDraining) })
			c.expect(closedWithError)
			c.expectEnd(engine.Aborted)
			time.Sleep(time.Minute) // the timer comes and finds nobody
		})
	})
	t.Run("reject", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{Rates: limits.Rates{Messages: 100, MessagesBurst: 20, Mode: limits.Reject}}))
			send(c)
			passed := 0
			for range n {
				rec, ok := c.read()
				switch {
				case !ok:
					t.Fatal(rec)
				case strings.Contains(rec, `"result":"x"`):
					passed++
				case !strings.Contains(rec, "Failed to invoke 'Echo' because the client is over its rate limit of 100 messages a second."):
					t.Fatal(rec)
				}
			}
			if passed != 20 {
				t.Errorf("%d passed, want 20", passed)
			}
			time.Sleep(10 * time.Millisecond)
			c.send(call1("again", "Echo", `"x"`))
			c.expect(result("again", `"x"`))
			if s := r.rt.Stats(); s.RateRejects != n-20 || s.RateWaits != 0 {
				t.Errorf("%+v", s)
			}
			c.send(`{"type":7}`) // is over the rate, too, and heard
			c.expect(`{"type":7}`)
			c.expectEnd(engine.ClientClosed)
		})
	})
	t.Run("close", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			h := r.hub(probe{}, Options{DetailedErrors: true, Rates: limits.Rates{Messages: 100, MessagesBurst: 20, Mode: limits.Close}})
			if err := h.Handle("Inline", func() {}, inline); err != nil {
				t.Fatal(err)
			}
			c := r.connect(h)
			for range 30 {
				c.send(call1("1", "Inline"))
			}
			for range 20 {
				c.expect(result("1", "null"))
			}
			c.expect(`{"type":7,"error":"Connection closed with an error. RateLimitException: the client is over its rate limit of 100 messages a second","allowReconnect":true}`)
			c.expectEnd(engine.RateLimited)
			if s := r.rt.Stats(); s.RateCloses != 1 {
				t.Errorf("%+v", s)
			}
		})
	})
	t.Run("pings and unknown methods are charged", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{Rates: limits.Rates{Messages: 1, MessagesBurst: 3}}))
			begun := time.Now()
			c.send(`{"type":6}`, `{"type":42}`, call1("", "Missing"), `{"type":5,"invocationId":"1"}`, call1("1", "Echo", `"x"`))
			c.expect(result("1", `"x"`))
			if d := time.Since(begun); d != 2*time.Second {
				t.Errorf("took %v, want 2 s", d)
			}
			c.leave()
		})
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{MaxMessage: 1000, Rates: limits.Rates{Bytes: 1000, BytesBurst: 1000}}))
			rec := call1("1", "Echo", `"`+strings.Repeat("x", 400)+`"`)
			begun := time.Now()
			c.send(rec, rec, rec)
			for range 3 {
				c.expect(result("1", `"`+strings.Repeat("x", 400)+`"`))
			}
			want := time.Duration(3*(len(rec)+1)-1000) * time.Millisecond
			if d := time.Since(begun); d != want {
				t.Errorf("took %v, want %v", d, want)
			}
			c.leave()
		})
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	const closeMessage = `{"type":7,"allowReconnect":true}`
	t.Run("spread", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 2}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			begun := time.Now()
			ends := make(chan time.Duration, 20)
			for range 20 {
				c := r.connect(h)
				go func() {
					c.expect(closeMessage)
					c.expectEnd(engine.Shutdown)
					ends <- time.Since(begun)
				}()
			}
			if err := r.rt.Drain(r.t.Context(), 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begun); d < 4900*time.Millisecond || d > 5100*time.Millisecond {
				t.Errorf("took %v, want 5 s", d)
			}
			early := 0
			for range 20 {
				if <-ends < 2500*time.Millisecond {
					early++
				}
			}
			if early < 8 || early > 12 {
				t.Errorf("%d of 20 ended in the first half", early)
			}
		})
	})
	t.Run("calls finish", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			gone := false
			h.OnDisconnected(func(*Context, error) error { time.Sleep(time.Second); gone = true; return nil })
			c := r.connect(h)
			waiting := r.dial(h) // for a handshake that does not come
			c.send(call1("1", "Sleep", "3000"), call1("2", "Echo", `"accepted"`))
			synctest.Wait()
			drained := make(chan error)
			go func() { drained <- r.rt.Drain(r.t.Context(), 0) }()
			synctest.Wait()
			waiting.expectEnd(engine.Shutdown)
			late := r.dial(h)
			late.expectEnd(engine.Shutdown)
			c.send(call1("3", "Echo", `"refused"`))
			c.expect(failure("3", "Failed to invoke 'Echo' because the server is shutting down."), result("1", "3000"), result("2", `"accepted"`), closeMessage)
			c.expectEnd(engine.Shutdown)
			if err := <-drained; err != nil {
				t.Fatal(err)
			}
			if !gone {
				t.Error("drained before the disconnected event")
			}
		})
	})
	t.Run("bounded", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{loops: 1}, func(r *rig) {
			g := &gate{open: make(chan struct{})}
			c := r.connect(r.hub(g, Options{}))
			c.send(call1("1", "Wait", `"x"`))
			synctest.Wait()
			ctx, cancel := contextWithTimeout(r.t, 3*time.Second)
			defer cancel()
			if err := r.rt.Drain(ctx, 0); err == nil {
				t.Error("drained while a call blocks")
			}
			close(g.open)
			c.expect(result("1", `"x"`), closeMessage)
			c.expectEnd(engine.Shutdown)
			if err := r.rt.Drain(r.t.Context(), 0); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			if err := r.rt.Drain(r.t.Context(), time.Second); err != nil {
				t.Error(err)
			}
		})
	})
}
