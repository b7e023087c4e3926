package main

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// broadcast runs a live broadcast on a fake clock; sent returns what it has sent so far.
func broadcast(t *testing.T, f func(l *live, sent func() []tick)) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ticks []tick // under mu
		sent := func() []tick {
			mu.Lock()
			defer mu.Unlock()
			return ticks
		}
		l := newLive(func(x tick) error {
			mu.Lock()
			defer mu.Unlock()
			ticks = append(ticks, x)
			return nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { l.run(ctx); close(done) }()
		f(l, sent)
		stop()
		<-done
		n := len(sent())
		time.Sleep(time.Minute)
		if len(sent()) != n {
			t.Error("it goes on after the server has stopped")
		}
	})
}

func pass(d time.Duration) {
	time.Sleep(d) // on the fake clock
	synctest.Wait()
}

func TestLiveRunsOnlyWhileWatched(t *testing.T) {
	t.Parallel()
	broadcast(t, func(l *live, sent func() []tick) {
		pass(time.Hour)
		if len(sent()) != 0 {
			t.Errorf("%d ticks for nobody", len(sent()))
		}
		if rate := l.watch("a"); rate != defaultRate {
			t.Errorf("rate %d", rate)
		}
		l.watch("b")
		pass(time.Second)
		if len(sent()) != defaultRate {
			t.Fatalf("%d ticks in a second, want %d", len(sent()), defaultRate)
		}
		for i, x := range sent() {
			if x.Number != int64(i+1) || x.Watchers != 2 || x.Rate != defaultRate {
				t.Errorf("tick %d: %+v", i, x)
			}
		}
		if gap := sent()[1].At - sent()[0].At; gap != 100_000 {
			t.Errorf("%d µs between two ticks, want 100,000", gap)
		}
		l.unwatch("a")
		l.unwatch("unknown")
		pass(time.Second)
		if len(sent()) != 2*defaultRate || sent()[2*defaultRate-1].Watchers != 1 {
			t.Errorf("%d ticks after one has left", len(sent()))
		}
		l.unwatch("b")
		pass(time.Hour)
		if len(sent()) != 2*defaultRate {
			t.Errorf("%d ticks after all have left", len(sent()))
		}
		l.watch("c")
		pass(100 * time.Millisecond)
		if n := len(sent()); n != 2*defaultRate+1 || sent()[n-1].Number != int64(n) {
			t.Errorf("%d ticks after one is back", n)
		}
	})
}

func TestLiveRate(t *testing.T) {
	t.Parallel()
	broadcast(t, func(l *live, sent func() []tick) {
		l.watch("a")
		for _, rate := range []int{minRate, maxRate, 7} {
			if err := l.setRate(rate); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			before := len(sent())
			pass(10*time.Second + time.Millisecond)
			if n := len(sent()) - before; n != 10*rate {
				t.Errorf("%d ticks in 10 s at %d a second", n, rate)
			}
		}
		for _, rate := range []int{minRate - 1, maxRate + 1, -5} {
			if err := l.setRate(rate); err == nil {
				t.Errorf("a rate of %d was accepted", rate)
			}
		}
		if l.rate != 7 {
			t.Errorf("refused rates changed it to %d", l.rate)
		}
	})
}

func TestAnnounceJoinsChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		changed := make(chan struct{}, 1)
		c := chat{changed: changed}
		ctx, stop := context.WithCancel(t.Context())
		var sent atomic.Int64
		done := make(chan struct{})
		go func() { announce(ctx, changed, announceEvery, func() { sent.Add(1) }); close(done) }()
		c.touch()
		synctest.Wait()
		if sent.Load() != 1 {
			t.Errorf("%d lists after a change, want one at once", sent.Load())
		}
		for range 1000 {
			c.touch()
		}
		synctest.Wait()
		if sent.Load() != 1 {
			t.Errorf("%d lists within %v, want 1", sent.Load(), announceEvery)
		}
		pass(announceEvery)
		if sent.Load() != 2 {
			t.Errorf("%d lists after a rush, want 2", sent.Load())
		}
		pass(time.Hour)
		if sent.Load() != 2 {
			t.Errorf("%d lists without a change, want 2", sent.Load())
		}
		stop()
		<-done
	})
}
