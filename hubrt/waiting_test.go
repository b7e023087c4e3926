package hubrt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asker is a hub whose methods ask clients.
func (r *rig) asker(opt Options) *Hub {
	r.t.Helper()
	h := r.hub(probe{}, opt)
	handle(r.t, h, "AskMe", func(c *Context) (string, error) {
		return InvokeClient[string](c, c.Clients().Caller(), "Result")
	})
	handle(r.t, h, "AskTwice", func(c *Context, ctx context.Context) (string, error) {
		one, err := InvokeClient[string](ctx, c.Clients().Caller(), "Result")
		if err != nil {
			return "", err
		}
		two, err := InvokeClient[string](ctx, c.Clients().Caller(), "Result")
		return one + two, err
	})
	handle(r.t, h, "AskOther", func(c *Context, id string) (string, error) {
		return InvokeClient[string](c, c.Clients().Client(id), "Result")
	})
	return h
}

func reply(id, text string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"%s","result":"%s"}`, id, text)
}

// TestWaitingCallGivesItsPlace: the calls behind one that waits run meanwhile, one after the other, though one call at a time is allowed and they came as one job.
func TestWaitingCallGivesItsPlace(t *testing.T) {
	t.Parallel()
	t.Run("in one job", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.asker(Options{}))
			c.send(call1("1", "AskMe"), call1("2", "Echo", `"b"`), call1("3", "Echo", `"c"`), call1("4", "Echo", `"d"`))
			c.expect(asking("s1", "Result"), result("2", `"b"`), result("3", `"c"`), result("4", `"d"`))
			c.send(reply("s1", "a"))
			c.expect(result("1", `"a"`))
			c.on(func(hc *Conn) {
				if hc.box != nil {
					t.Errorf("%+v is left", hc.box)
				}
			})
			c.leave()
		})
	})
	t.Run("several wait", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.asker(Options{}))
			c.send(call1("1", "AskMe"), call1("2", "AskMe"), call1("3", "AskTwice"), call1("4", "Echo", `"d"`))
			c.expect(asking("s1", "Result"), asking("s2", "Result"), asking("s3", "Result"), result("4", `"d"`))
			c.send(reply("s2", "b"))
			c.expect(result("2", `"b"`))
			c.send(reply("s3", "c"))
			c.expect(asking("s4", "Result"))
			c.send(call1("5", "Echo", `"e"`))
			c.expect(result("5", `"e"`))
			c.send(reply("s1", "a"), reply("s4", "c"))
			got := []string{}
			for range 2 {
				rec, _ := c.read()
				got = append(got, rec)
			}
			if all := strings.Join(got, " "); !strings.Contains(all, result("1", `"a"`)) || !strings.Contains(all, result("3", `"cc"`)) {
				t.Errorf("got %s", all)
			}
			c.leave()
		})
	})
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.asker(Options{})
			g := &gate{open: make(chan struct{})}
			handle(t, h, "Wait", g.Wait)
			c := r.connect(h)
			c.send(call1("1", "AskMe"), call1("2", "Wait", `"b"`), call1("3", "Wait", `"c"`))
			c.expect(asking("s1", "Result"))
			synctest.Wait()
			if got := g.names(); got != "b" {
				t.Errorf("%q run, want b alone", got)
			}
			c.send(reply("s1", "a"), call1("4", "Wait", `"d"`))
			c.expect(result("1", `"a"`))
			synctest.Wait()
			if got := g.names(); got != "b" {
				t.Errorf("%q run, want b alone", got)
			}
			close(g.open)
			c.expect(result("2", `"b"`), result("3", `"c"`), result("4", `"d"`))
			if got := g.names(); got != "b c d" {
				t.Errorf("%q have run", got)
			}
			c.leave()
		})
	})
	t.Run("another client is asked", func(t *testing.T) {
		t.Parallel()
		for _, loops := range []int{1, 2} {
			bubble(t, rigConfig{loops: loops}, func(r *rig) {
				h := r.asker(Options{})
				c, other := r.connect(h), r.connect(h)
				for i := range 3 {
					c.send(call1("1", "AskOther", `"`+other.id.String()+`"`), call1("2", "Echo", `"b"`))
					c.expect(result("2", `"b"`))
					id := fmt.Sprintf("s%d", i+1)
					other.expect(asking(id, "Result"))
					other.send(reply(id, "a"))
					c.expect(result("1", `"a"`))
				}
				c.send(call1("1", "AskOther", `"`+other.id.String()+`"`))
				other.expect(asking("s4", "Result"))
				c.leave()
				synctest.Wait()
				if n := r.rt.Stats().Questions; n != 0 {
					t.Errorf("%d questions are left of a client that has gone", n)
				}
				other.send(reply("s4", "late"), call1("1", "Echo", `"alive"`))
				other.expect(result("1", `"alive"`))
				other.leave()
			})
		}
	})
	t.Run("the client goes", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.asker(Options{}))
			c.send(call1("1", "AskMe"), call1("2", "AskMe"), call1("3", "AskMe"))
			c.expect(asking("s1", "Result"), asking("s2", "Result"), asking("s3", "Result"))
			c.leave()
		})
	})
	t.Run("the client closes", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.asker(Options{DetailedErrors: true}))
			c.send(call1("1", "AskMe"))
			c.expect(asking("s1", "Result"))
			c.send(`{"type":7}`)
			c.expect(failure("1", "An unexpected error occurred invoking 'AskMe' on the server. IOException: Connection '"+c.id.String()+"' disconnected."), `{"type":7}`)
			c.leave()
		})
	})
}

// TestWorkersDoNotWaitForClients: more calls wait for clients than there are workers, and others run all the same.
func TestWorkersDoNotWaitForClients(t *testing.T) {
	t.Parallel()
	for _, cfg := range []rigConfig{{loops: 2, workers: 2}, {loops: 2, workers: 2, queue: 1}, {loops: 1, workers: 1, queue: 1}} {
		t.Run(fmt.Sprintf("%d loops, %d workers, queue %d", cfg.loops, cfg.workers, cfg.queue), func(t *testing.T) {
			t.Parallel()
			bubble(t, cfg, func(r *rig) {
				h := r.asker(Options{})
				var clients []*client
				for range 50 {
					c := r.connect(h)
					c.send(call1("1", "AskMe"), call1("2", "Echo", `"x"`))
					clients = append(clients, c)
				}
				synctest.Wait() // nobody answers until everybody has been asked
				if n := r.rt.Stats().Questions; n != int64(len(clients)) {
					t.Errorf("%d clients have been asked, want %d", n, len(clients))
				}
				var wg sync.WaitGroup
				for _, c := range clients {
					wg.Go(func() {
						for range 3 {
							rec, ok := c.read()
							if !ok {
								t.Errorf("%s", rec)
								return
							}
							if _, id, asked := strings.Cut(rec, `"invocationId":"s`); asked {
								id, _, _ = strings.Cut(id, `"`)
								c.send(reply("s"+id, "a"))
							}
						}
					})
				}
				wg.Wait()
				for _, c := range clients {
					c.leave()
				}
				p := &r.rt.pool
				synctest.Wait()
				p.mu.Lock()
				if p.lent != 0 || p.workers > p.max {
					t.Errorf("%d places are lent, there are %d workers", p.lent, p.workers)
				}
				p.mu.Unlock()
			})
		})
	}
}

// TestAnswerReadWhileWaitingForWorker: a connection that waits for its turn with the workers, which wait for it, is still read.
func TestAnswerReadWhileWaitingForWorker(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, workers: 1, queue: 1}, func(r *rig) {
		h := r.asker(Options{MaxParallelCalls: 2})
		handle(t, h, "AskFromOutside", func(c *Context) (string, error) { // which holds the worker: who asks is not known
			return InvokeClient[string](c, h.Clients().Client(c.ConnectionID()), "Result")
		})
		c, second, third := r.connect(h), r.connect(h), r.connect(h)
		c.send(call1("1", "AskFromOutside"))
		c.expect(asking("s1", "Result"))
		second.send(call1("1", "Echo", `"x"`)) // fills the queue
		synctest.Wait()
		third.send(call1("1", "Echo", `"x"`)) // waits for a turn
		synctest.Wait()
		c.send(call1("2", "Echo", `"x"`)) // and so does the one that is asked
		synctest.Wait()
		c.on(func(hc *Conn) {
			if !hc.is(flagTurn) || hc.is(flagPaused) {
				t.Errorf("waits for a turn: %v, paused: %v", hc.is(flagTurn), hc.is(flagPaused))
			}
		})
		c.send(reply("s1", "a"))
		c.expect(result("1", `"a"`), result("2", `"x"`))
		second.expect(result("1", `"x"`))
		third.expect(result("1", `"x"`))
		for _, c := range []*client{c, second, third} {
			c.leave()
		}
	})
}

// TestQuestionStorm: clients ask for questions, answer, cancel and go, at random; nothing is left.
func TestQuestionStorm(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d at a time", parallel), func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 2, workers: 3, queue: 2}, func(r *rig) {
				h := r.asker(Options{MaxParallelCalls: parallel})
				var wg sync.WaitGroup
				for i := range 8 {
					rnd := rand.New(rand.NewPCG(uint64(i), 7))
					wg.Go(func() {
						c := r.connect(h)
						defer c.leave()
						open := map[string]bool{}
						for n := range 60 {
							id := fmt.Sprint(n)
							open[id] = true
							c.send(call1(id, []string{"AskMe", "AskTwice", "Nothing"}[rnd.IntN(3)]), call1("", "AskMe"))
							for len(open) > rnd.IntN(5) {
								rec, ok := c.read()
								if !ok {
									t.Errorf("client %d: %s", i, rec)
									return
								}
								if _, id, asked := strings.Cut(rec, `"invocationId":"s`); asked {
									id, _, _ = strings.Cut(id, `"`)
									c.send(reply("s"+id, "a"))
								} else if _, id, ok := strings.Cut(rec, `"invocationId":"`); ok {
									id, _, _ = strings.Cut(id, `"`)
									delete(open, id)
								}
							}
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				r.rt.pool.mu.Lock()
				defer r.rt.pool.mu.Unlock()
				if r.rt.pool.lent != 0 {
					t.Errorf("%d places are lent", r.rt.pool.lent)
				}
			})
		})
	}
}

// TestSilentClients: clients that are asked and never answer take no worker from the others, however many they are; after a while they cost nothing.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	const silent, workers, results = 60, 2, 40
	ask := map[string]func(h *Hub, c *Context) Target{
		"caller": func(_ *Hub, c *Context) Target { return c.Clients().Caller() },
		"client": func(_ *Hub, c *Context) Target { return c.Clients().Client(c.ConnectionID()) },
	}
	for name, to := range ask {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 2, workers: workers, queue: 100, results: results}, func(r *rig) {
				h := r.hub(probe{}, Options{DetailedErrors: true})
				var mu sync.Mutex
				var refused, unanswered int
				handle(t, h, "Ask", func(c *Context) (string, error) {
					s, err := InvokeClient[string](c, to(h, c), "Result")
					mu.Lock()
					defer mu.Unlock()
					switch {
					case errors.Is(err, ErrTooManyQuestions) && strings.Contains(err.Error(), "40 wait for an answer, which is ClientResults"):
						refused++
					case errors.Is(err, ErrInvocationCanceled) && errors.Is(err, context.DeadlineExceeded):
						unanswered++
					case err != nil:
						t.Error(err)
					}
					return s, err
				})
				begin := time.Now()
				var clients []*client
				for range silent {
					c := r.connect(h)
					c.send(call1("1", "Ask"), call1("2", "Echo", `"mine"`))
					clients = append(clients, c)
				}
				other := r.connect(h)
				other.send(call1("1", "Echo", `"x"`))
				other.expect(result("1", `"x"`))
				synctest.Wait()
				if since := time.Since(begin); since > time.Second {
					t.Errorf("the other client has waited %v", since)
				}
				if s := r.rt.Stats(); s.Questions != results || s.QuestionsRefused != silent-results || s.QuestionsExpired != 0 {
					t.Errorf("%+v", s)
				}
				time.Sleep(defaultClientResult)
				synctest.Wait()
				if s := r.rt.Stats(); s.Questions != 0 || s.QuestionsExpired != results || refused != silent-results || unanswered != results {
					t.Errorf("%d refused, %d not answered, %+v", refused, unanswered, s)
				}
				other.send(call1("2", "Ask"))
				other.expect(asking(fmt.Sprintf("s%d", silent+1), "Result"))
				other.send(reply(fmt.Sprintf("s%d", silent+1), "at last"))
				other.expect(result("2", `"at last"`))
				for _, c := range append(clients, other) {
					c.leave()
				}
				synctest.Wait()
				p := &r.rt.pool
				p.mu.Lock()
				defer p.mu.Unlock()
				if p.lent != 0 || p.workers > p.max {
					t.Errorf("%d places are lent, there are %d workers", p.lent, p.workers)
				}
			})
		})
	}
}

// TestClientResultTimeout: it is for contexts without a deadline of their own.
func TestClientResultTimeout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit, own, want time.Duration // own 0: none; want 0: never
	}{
		"default":           {want: 30 * time.Second},
		"set":               {limit: 3 * time.Second, want: 3 * time.Second},
		"none":              {limit: -1},
		"a longer deadline": {limit: 3 * time.Second, own: time.Minute, want: time.Minute},
		"a shorter one":     {own: 2 * time.Second, want: 2 * time.Second},
		"one without limit": {limit: -1, own: time.Hour, want: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(probe{}, Options{ClientResultTimeout: tt.limit})
				c := r.connect(h)
				ctx := r.t.Context()
				if tt.own != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.own)
					defer cancel()
				}
				begin := time.Now()
				got := ask(ctx, h.Clients().Client(c.id.String()), "Result")
				c.expect(asking("s1", "Result"))
				if tt.want == 0 {
					time.Sleep(24 * time.Hour)
					synctest.Wait()
					select {
					case a := <-got:
						t.Errorf("%+v", a)
					default:
					}
					c.leave()
					if a := <-got; !errors.Is(a.err, ErrDisconnected) {
						t.Errorf("%+v", a)
					}
					return
				}
				a := <-got
				if since := time.Since(begin); since != tt.want {
					t.Errorf("the wait ended after %v, want %v", since, tt.want)
				}
				failure1{"HubException", "Invocation canceled by the server.", ErrInvocationCanceled}.check(t, a.err)
				if !errors.Is(a.err, context.DeadlineExceeded) {
					t.Errorf("%v is no context.DeadlineExceeded", a.err)
				}
				c.send(reply("s1", "late"), call1("1", "Echo", `"alive"`))
				c.expect(result("1", `"alive"`))
				c.leave()
			})
		})
	}
}

// TestCancelReadWhileWaitingForWorker: a connection that waits for its turn with the workers is still read while they may wait for what it sends: a cancel, or items.
func TestCancelReadWhileWaitingForWorker(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, workers: 1, queue: 1}, func(r *rig) {
		h := r.hub(probe{}, Options{MaxParallelCalls: 5})
		handle(t, h, "Wait", func(ctx context.Context) (string, error) { <-ctx.Done(); return "canceled", nil })
		var sum atomic.Int64
		handle(t, h, "Sum", func(items <-chan int) {
			for n := range items {
				sum.Add(int64(n))
			}
		})
		c := r.connect(h)
		c.send(strings.Replace(call1("up", "Sum"), `"arguments"`, `"streamIds":["u"],"arguments"`, 1))
		for _, id := range []string{"1", "2", "3", "4"} {
			c.send(call1(id, "Wait"))
		}
		synctest.Wait()
		c.on(func(hc *Conn) {
			if !hc.is(flagTurn) || hc.is(flagPaused) {
				t.Errorf("waits for a turn: %v, paused: %v", hc.is(flagTurn), hc.is(flagPaused))
			}
		})
		c.send(item("u", "20"), item("u", "22"))
		synctest.Wait()
		if n := sum.Load(); n != 42 {
			t.Errorf("items of %d have come, want 42", n)
		}
		c.send(end("u"))
		c.expect(result("up", "null"))
		for _, id := range []string{"1", "2", "3", "4"} {
			c.send(cancelCall(id))
			c.expect(result(id, `"canceled"`))
		}
		c.leave()
	})
}
