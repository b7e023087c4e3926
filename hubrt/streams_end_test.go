package hubrt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// ticker is a hub whose streams go on until their context ends.
type ticker struct {
	probe
	begun chan string
	ended chan error // why
	mu    sync.Mutex
	made  int // items
}

func newTicker() *ticker {
	return &ticker{begun: make(chan string, 1000), ended: make(chan error, 1000)}
}

// Ticks is a channel of a producer that looks at its context.
func (k *ticker) Ticks(ctx context.Context) <-chan int {
	ch := make(chan int)
	k.begun <- "Ticks"
	go func() {
		defer close(ch)
		for i := 0; ; i++ {
			select {
			case ch <- i:
			case <-ctx.Done():
				k.ended <- context.Cause(ctx)
				return
			}
			time.Sleep(time.Second)
		}
	}()
	return ch
}

// Deaf is a channel of a producer that looks at its context between sends only.
func (k *ticker) Deaf(ctx context.Context) <-chan int {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for i := 0; ctx.Err() == nil; i++ {
			ch <- i
		}
		k.ended <- context.Cause(ctx)
	}()
	return ch
}

// Iterate is an iterator that waits with its context.
func (k *ticker) Iterate(ctx context.Context) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 0; yield(i, nil); i++ {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				k.ended <- context.Cause(ctx)
				yield(0, ctx.Err())
				return
			}
		}
		k.ended <- context.Cause(ctx)
	}
}

// Endless never waits.
func (k *ticker) Endless(ctx context.Context) iter.Seq[string] {
	text := strings.Repeat("x", 100)
	return func(yield func(string) bool) {
		for yield(text) {
			k.mu.Lock()
			k.made++
			k.mu.Unlock()
		}
		k.ended <- context.Cause(ctx)
	}
}

// Fast is Endless as a channel.
func (k *ticker) Fast(ctx context.Context) <-chan string {
	text := strings.Repeat("x", 100)
	ch := make(chan string)
	go func() {
		defer close(ch)
		for {
			select {
			case ch <- text:
				k.mu.Lock()
				k.made++
				k.mu.Unlock()
			case <-ctx.Done():
				k.ended <- context.Cause(ctx)
				return
			}
		}
	}()
	return ch
}

func (k *ticker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.made
}

func TestStreamCancel(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"Ticks", "Deaf", "Iterate"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				k := newTicker()
				c := r.connect(r.hub(k, Options{}))
				c.send(stream4("a", target))
				c.expect(item("a", "0"), item("a", "1"))
				c.send(cancelCall("other"), cancelCall("a"), cancelCall("a"))
				for n := 2; ; n++ { // those that were on their way
					got, ok := c.read()
					if !ok {
						t.Fatal(got)
					}
					if got == end("a") {
						break
					}
					if got != item("a", fmt.Sprint(n)) {
						t.Fatalf("got %s", got)
					}
				}
				if err := <-k.ended; err != ErrCallCanceled {
					t.Errorf("the context has ended because of %v", err)
				}
				c.silent(10 * time.Second)
				c.send(cancelCall("a"), call1("b", "Echo", `"x"`))
				c.expect(result("b", `"x"`))
				if s := r.rt.Stats(); s.Streams != 0 || s.StreamItems < 2 {
					t.Errorf("%+v", s)
				}
				c.leave()
			})
		})
	}
}

func TestErrCallCanceled(t *testing.T) {
	t.Parallel()
	if !errors.Is(ErrCallCanceled, context.Canceled) || errors.Is(ErrCallCanceled, context.DeadlineExceeded) {
		t.Error("ErrCallCanceled is a context.Canceled")
	}
}

// A client that does not read slows the producer, and memory stays small; when it reads, the producer goes on; when it goes, the producer ends.
func TestStreamSlowReader(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"Endless", "Fast"} {
		for _, n := range []int{1, 50} {
			t.Run(fmt.Sprint(target, n), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{loops: 1}, func(r *rig) {
					k := newTicker()
					c := r.connect(r.hub(k, Options{}))
					for i := range n {
						c.send(stream4(fmt.Sprint(i), target))
					}
					synctest.Wait() // everybody waits for the client
					before := k.count()
					var buffered int
					c.on(func(hc *Conn) {
						buffered = c.link.conn.Buffered()
						if hc.link.Room() || !hc.box.live.running.flow.stalled || hc.box.live.running.flow.waiting.len() != n {
							t.Errorf("room: %v, %+v", hc.link.Room(), hc.box.live.running.flow)
						}
					})
					const each = 140
					// Beyond the cap: the piece that is being written, and what was under way. Before it: what is in the pipe.
					if most := 64<<10 + 16<<10 + streamWindow + n*each; buffered > most || before*each > most+256<<10 {
						t.Errorf("%d items were made, %d bytes wait to go out", before, buffered)
					}
					const reads = 6000
					counts := make([]int, n)
					for range reads {
						got, ok := c.read()
						if !ok {
							t.Fatal(got)
						}
						var id int
						if _, err := fmt.Sscanf(got, `{"type":2,"invocationId":"%d"`, &id); err != nil {
							t.Fatalf("%s: %v", got, err)
						}
						counts[id]++
					}
					if after := k.count(); after < reads || after > reads+before+1000 {
						t.Errorf("%d items were made for %d that were read", after, reads)
					}
					for id, count := range counts { // each has had its turns; how many is for Go's scheduler to say, before and now
						if n > 1 && count < reads/n/20 {
							t.Errorf("stream %d has sent %d items of %d", id, count, reads)
						}
					}
					c.leave()
					for range n {
						if err := <-k.ended; !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
					}
				})
			})
		}
	}
}

// A slow stream's cancel does not wait for the client to read.
func TestStreamCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		k := newTicker()
		c := r.connect(r.hub(k, Options{}))
		c.send(stream4("1", "Endless"), stream4("2", "Endless"), stream4("3", "Fast"))
		synctest.Wait()
		c.send(cancelCall("1"), cancelCall("3"))
		if a, b := <-k.ended, <-k.ended; a != ErrCallCanceled || b != ErrCallCanceled {
			t.Error(a, b)
		}
		ends := map[string]bool{}
		for len(ends) < 2 {
			got, ok := c.read()
			if !ok {
				t.Fatal(got)
			}
			if strings.HasPrefix(got, `{"type":3`) {
				ends[got] = true
			}
		}
		if !ends[end("1")] || !ends[end("3")] {
			t.Errorf("%v", ends)
		}
		for range 5000 { // the other one goes on
			if got, ok := c.read(); !ok || !strings.HasPrefix(got, `{"type":2,"invocationId":"2"`) {
				t.Fatal(got)
			}
		}
		c.leave()
		<-k.ended
	})
}

// A producer that never looks at its context costs us no goroutine for long; the log names it.
func TestStubbornProducer(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		release := make(chan struct{})
		h := r.hub(probe{}, Options{MaxStreams: 1})
		handle(t, h, "Stubborn", func() <-chan int {
			ch := make(chan int)
			go func() {
				for i := 0; ; i++ {
					select {
					case ch <- i:
						time.Sleep(time.Second)
					case <-release: // the test's own
						return
					}
				}
			}()
			return ch
		})
		c := r.connect(h)
		c.send(stream4("1", "Stubborn"))
		c.expect(item("1", "0"))
		c.send(cancelCall("1"))
		c.expect(end("1"))
		c.send(stream4("1", "Stubborn"))
		c.expect(failure("1", `Failed to invoke 'Stubborn' because more than 1 streams of the connection would be under way.`)) // its place is still in use
		time.Sleep(lingerTime + time.Second)
		if s := r.rt.Stats(); s.Streams != 0 {
			t.Errorf("%d streams", s.Streams)
		}
		if log := r.log.String(); !strings.Contains(log, "goes on sending to its channel after the end of its stream") || !strings.Contains(log, "method=Stubborn") {
			t.Errorf("the log: %s", log)
		}
		c.send(stream4("1", "Stubborn"))
		c.expect(item("1", "0"))
		c.leave()
		time.Sleep(lingerTime + time.Second)
		close(release)
	})
}

// The end of a connection, whoever brings it about, ends its streams.
func TestStreamsEndWithConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		do    func(r *rig, c *client)
		cause error
	}{
		{"client goes", func(_ *rig, c *client) { c.leave() }, nil},
		{"client closes", func(_ *rig, c *client) {
			c.send(`{"type":7}`)
			c.expectLast(`{"type":7}`, 3)
			c.expectEnd(engine.ClientClosed)
		}, errConnectionClosed},
		{"abort", func(_ *rig, c *client) {
			c.on(func(hc *Conn) { hc.context().Abort() })
			c.expectLast(`{"type":7}`, 0)
			c.expectEnd(engine.Aborted)
		}, nil},
		{"drain", func(r *rig, c *client) {
			ended := make(chan error, 1)
			go func() { ended <- r.rt.Drain(context.Background(), 0) }()
			c.expectLast(`{"type":7,"allowReconnect":true}`, 3)
			c.expectEnd(engine.Shutdown)
			if err := <-ended; err != nil {
				c.t.Error(err)
			}
		}, errStreamsDrain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				k := newTicker()
				h := r.hub(k, Options{})
				c := r.connect(h)
				for i, target := range []string{"Ticks", "Deaf", "Iterate"} {
					c.send(stream4(fmt.Sprint(i), target))
				}
				c.expectAmong(item("0", "0"), item("1", "0"), item("2", "0"))
				tt.do(r, c)
				for range 3 {
					err := <-k.ended
					if want := tt.cause; want != nil && err != want || !errors.Is(err, context.Canceled) {
						t.Errorf("ended because of %v, want %v", err, want)
					}
				}
				synctest.Wait()
				if s := r.rt.Stats(); s.Streams != 0 || s.Connections != 0 {
					t.Errorf("%+v", s)
				}
				checkEmpty(t, h)
			})
		})
	}
}

// Storms of streams that are opened and cancelled at once leave nothing.
func TestCancelStorm(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		k := newTicker()
		c := r.connect(r.hub(k, Options{}))
		const n = 1000
		go func() {
			for i := range n {
				id := fmt.Sprint(i)
				c.send(stream4(id, []string{"Ticks", "Deaf", "Iterate", "Endless"}[i%4]), cancelCall(id))
			}
		}()
		seen := make(map[string]bool)
		for len(seen) < n {
			got, ok := c.read()
			if !ok {
				t.Fatal(got)
			}
			if !strings.HasPrefix(got, `{"type":3`) {
				continue
			}
			if seen[got] {
				t.Fatalf("twice: %s", got)
			}
			seen[got] = true
		}
		time.Sleep(lingerTime + time.Second) // producers that sleep hold their places for so long at most
		c.on(func(hc *Conn) {
			if l := hc.lively(); l != nil {
				t.Errorf("left: %+v", l)
			}
		})
		c.leave()
	})
}
