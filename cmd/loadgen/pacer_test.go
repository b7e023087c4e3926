package main

import (
	"testing"
	"time"
)

// The schedule: exact in the mean, on the grid, never early, and shared among the shards.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1, 50, 333, 1999, 50_000} {
		o := &options{scenario: echo, n: 30, rate: rate}
		w := &worker{opts: o, shards: make([]*shard, 3)}
		const start = int64(1e18)
		second := int64(time.Second)
		total := 0
		for i := range w.shards {
			s := &shard{worker: w, index: i, senders: make([]*client, 10)}
			p := newPace(w, s, start)
			last := start
			n := int64(0)
			for ; ; n++ {
				at := p.due(n)
				if at >= start+10*second {
					break
				}
				exact := start + int64(p.shift+float64(n)*p.gap)
				if at < last || (at-start)%p.tick != 0 || at < exact || at >= exact+p.tick {
					t.Fatalf("rate %v: call %d is due at %d, exactly at %d, the one before at %d", rate, n, at-start, exact-start, last-start)
				}
				last = at
			}
			total += int(n)
		}
		if want := int(10 * rate); total < want-3-int(rate*w.tick().Seconds()) || total > want+3 {
			t.Errorf("rate %v: %d calls in 10 s", rate, total)
		}
	}
}

func TestTick(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]time.Duration{1: tickMax, 1000: time.Millisecond, 1e6: tickMin} {
		w := &worker{opts: &options{rate: rate}}
		if got := w.tick(); got != want {
			t.Errorf("at %v a second the tick is %v, want %v", rate, got, want)
		}
	}
}
