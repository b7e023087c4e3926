package hubrt

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// TestChurn: connections come, join, are broadcast to, abort and go, on several loops, from inside and outside; nothing of them stays. It is for the race detector.
func TestChurn(t *testing.T) {
	t.Parallel()
	const (
		rounds = 100
		actors = 4
	)
	r := newRig(t, rigConfig{loops: 3, workers: 8, queue: 4})
	h := r.hub(probe{}, Options{MaxParallelCalls: 2, MaxGroups: 5})
	h.OnConnected(func(c *Context) error {
		c.Items().Set("k", c.ConnectionID())
		return c.Join("all")
	})
	h.OnDisconnected(func(c *Context, _ error) error {
		return c.Clients().OthersInGroup("all").Send("left", c.ConnectionID())
	})
	stop := make(chan struct{})
	var outside, inside sync.WaitGroup
	for i := range 2 {
		outside.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				g := fmt.Sprint("g", rnd.IntN(5))
				id := ID{byte(rnd.IntN(actors)), byte(rnd.IntN(rounds)), 15: 9}.String()
				_ = h.Clients().Group(g).Send("m", n)
				_ = h.Clients().AllExcept(id).Send("m", n)
				_ = h.Clients().User(fmt.Sprint("u", rnd.IntN(3))).Send("m", n)
				_ = h.Clients().Client(id).Send("m", n)
				_ = h.Groups().Add(id, g)
				_ = h.Groups().Remove(id, fmt.Sprint("g", rnd.IntN(5)))
				_ = r.rt.Stats()
				if n%64 == 0 {
					done := make(chan struct{}) // the loops' queues must not grow without end
					for _, l := range r.eng.Loops() {
						l.Post(engine.TaskFunc(func(*engine.Loop) { done <- struct{}{} }))
					}
					for range r.eng.Loops() {
						<-done
					}
				}
			}
		})
	}
	for actor := range actors {
		inside.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(actor), 1))
			for round := range rounds {
				c := r.dial(h, asUser(fmt.Sprint("u", rnd.IntN(3))), func(p *Peer) { p.ID = ID{byte(actor), byte(round), 15: 9} })
				c.id = ID{byte(actor), byte(round), 15: 9}
				var drained sync.WaitGroup
				last := make(chan struct{})
				drained.Go(func() {
					for seen := false; ; {
						rec, ok := c.read()
						if !seen && (!ok || rec == result("last", `"x"`)) {
							seen = true
							close(last)
						}
						if !ok {
							return
						}
					}
				})
				send := func(rec string) { _, _ = c.nc.Write([]byte(rec + "\x1e")) }
				send(shake)
				for n := range rnd.IntN(20) {
					g := fmt.Sprintf(`"g%d"`, rnd.IntN(5))
					switch rnd.IntN(6) {
					case 0:
						send(call1(fmt.Sprint(n), "Join", g))
					case 1:
						send(call1(fmt.Sprint(n), "Leave", g))
					case 2:
						send(call1("", "Publish", g, `"x"`))
					case 3:
						send(call1(fmt.Sprint(n), "Others", `"x"`))
					case 4:
						send(call1(fmt.Sprint(n), "CallMany", "5"))
					case 5:
						send(`{"type":6}`)
					}
				}
				switch rnd.IntN(6) {
				case 4, 5: // until all of it has been answered
					send(call1("last", "Echo", `"x"`))
					<-last
				case 0:
					send(call1("", "AbortMe"))
				case 1:
					send(`{"type":7}`)
				case 2:
					send(`{`)
				}
				c.leave()
				drained.Wait()
			}
		})
	}
	inside.Wait()
	close(stop)
	outside.Wait()
	if err := r.rt.Drain(t.Context(), 0); err != nil { // the hooks have ended
		t.Fatal(err)
	}
	checkEmpty(t, h)
	r.close()
}
