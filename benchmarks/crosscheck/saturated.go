package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// compareSaturated has wrk and loadgen ask spoked as fast as the two go together. How fast that is says nothing of who measures well: both
// are closed loops, and a client that takes less of the machine, or hands over its requests in larger parts, makes more of them. And for
// wrk the time begins before its connections are made, while it does not count the last answer of each. So loadgen must say what the
// server has counted between the times that loadgen has measured from and until; wrk's rate stands beside it.
func (b *bench) compareSaturated(ctx context.Context) error {
	b.say("spoked as fast as it goes, %d connections, %v, %d rounds in turn, a new server for each run", b.connections, b.duration, b.rounds)
	runs, err := b.inTurns(ctx, b.connections, b.saturated)
	if runs == nil {
		return err
	}
	return errors.Join(err, b.tell(judgeBounds(runs.loadgen, b.tolerance)))
}

// saturated runs a tool against a new spoked.
func (b *bench) saturated(ctx context.Context, t *tool) (*measurement, error) {
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var seen []look
	var watchErr error
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		seen, watchErr = s.watch(watching)
	}()
	m, err := t.run(ctx, "http://"+s.addr+"/bench", b.connections)
	if err != nil {
		if c, err2 := s.counters(ctx); err2 == nil { // whose fault is it?
			err = fmt.Errorf("%w; the server says: %+v", err, c.Server)
		}
		return nil, err
	}
	asked := time.Now()
	c, err := s.settled(ctx)
	answered := time.Now()
	stop()
	<-watched
	if err := errors.Join(err, watchErr); err != nil {
		return nil, err
	}
	m.server = c.negotiations()
	if !m.from.IsZero() {
		m.bounds = boundsOf(append(seen, look{asked, answered, m.server}), m.from, m.until)
	}
	return m, nil
}

// look is how many answers the server had given at some time between asking it and having its answer.
type look struct {
	asked, answered time.Time
	count           int64
}

// lookGap is the time between two looks at the server's counters. Each costs the server some 100 µs.
const lookGap = 10 * time.Millisecond

// watch looks at the server's counters until ctx ends.
func (s *server) watch(ctx context.Context) ([]look, error) {
	var list []look
	for {
		asked := time.Now()
		c, err := s.counters(ctx)
		switch {
		case ctx.Err() != nil:
			return list, nil
		case err != nil:
			return nil, err
		}
		list = append(list, look{asked: asked, answered: time.Now(), count: c.negotiations()})
		select {
		case <-ctx.Done():
		case <-time.After(lookGap):
		}
	}
}

// bounds are what a rate can be.
type bounds struct{ low, high float64 }

func (x bounds) String() string {
	if math.IsNaN(x.low) {
		return "it was not seen"
	}
	return fmt.Sprintf("%.0f to %.0f/s", x.low, x.high)
}

// boundsOf tells from what was seen of a server how fast it has answered between two times. Nobody has looked at just these times: what
// it had answered by then lies between the counts of the looks before and after, and the less it was looked at, the wider they lie apart.
// Without a look before and after each of them there are no bounds.
func boundsOf(list []look, from, until time.Time) bounds {
	fromLow, fromHigh, ok1 := countAt(list, from)
	untilLow, untilHigh, ok2 := countAt(list, until)
	span := until.Sub(from).Seconds()
	if !ok1 || !ok2 || span <= 0 {
		return bounds{math.NaN(), math.NaN()}
	}
	return bounds{low: float64(untilLow-fromHigh) / span, high: float64(untilHigh-fromLow) / span}
}

// countAt is what the server had answered at a time, at least and at most.
func countAt(list []look, at time.Time) (low, high int64, ok bool) {
	seen := false // before
	for _, x := range list {
		if !x.answered.After(at) {
			low, seen = x.count, true
		}
		if !x.asked.Before(at) {
			return low, x.count, seen
		}
	}
	return 0, 0, false
}

// widest is how far the bounds may lie apart, in tolerances, for a run to say something.
const widest = 3

// off is the share by which a rate lies outside of its bounds; 0: it does not. NaN when the bounds say nothing.
func (m *measurement) off(tolerance float64) float64 {
	x := m.bounds
	switch {
	case !(x.high-x.low <= widest*tolerance*x.low): // also for NaN
		return math.NaN()
	case m.rate < x.low:
		return m.rate/x.low - 1
	case m.rate > x.high:
		return m.rate/x.high - 1
	}
	return 0
}

// judgeBounds holds the rates against the server's counter. The median of the runs that say something counts, and these must be more than half.
func judgeBounds(list []*measurement, tolerance float64) verdict {
	var offs []float64
	for _, m := range list {
		if x := m.off(tolerance); !math.IsNaN(x) {
			offs = append(offs, x)
		}
	}
	if 2*len(offs) <= len(list) {
		return verdict{text: fmt.Sprintf("loadgen's rate against the server's counter: NO VERDICT: in %d of %d runs the server could not be looked at often enough: use a longer -duration, or a quiet machine", len(list)-len(offs), len(list))}
	}
	off := quantile(offs, 0.5)
	v := verdict{agree: math.Abs(off) <= tolerance}
	v.text = fmt.Sprintf("loadgen's rate lies %s what the server's counter says (median of %d runs), at most %.0f %% is asked for: %s", outside(off), len(offs), 100*tolerance, v.word())
	return v
}

func outside(off float64) string {
	switch {
	case off < 0:
		return fmt.Sprintf("%.1f %% below", -100*off)
	case off > 0:
		return fmt.Sprintf("%.1f %% above", 100*off)
	}
	return "within"
}
