package main

import (
	"slices"
	"time"
)

// latencies are those of one kind of phase, phase by phase: one that the machine disturbs does not count for more than another.
type latencies struct {
	calls  int
	phases map[float64][]time.Duration // by percentile
}

// percentiles are what is looked at.
var percentiles = []float64{50, 99}

// mostCalls are the calls of one phase that are kept. It bounds what the measure itself takes.
const mostCalls = 1 << 18

func note(calls []time.Duration, d time.Duration) []time.Duration {
	if len(calls) == mostCalls {
		return calls
	}
	return append(calls, d)
}

// add takes the calls of one phase, which it sorts.
func (l *latencies) add(calls []time.Duration) {
	if len(calls) == 0 {
		return
	}
	if l.phases == nil {
		l.phases = map[float64][]time.Duration{}
	}
	l.calls += len(calls)
	slices.Sort(calls)
	for _, p := range percentiles {
		l.phases[p] = append(l.phases[p], calls[int(float64(len(calls)-1)*p/100)])
	}
}

// at is the median over the phases of a percentile.
func (l *latencies) at(percent float64) time.Duration {
	s := slices.Sorted(slices.Values(l.phases[percent]))
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}

// worse is by how many percent the second is longer.
func worse(base, other time.Duration) float64 {
	return (float64(other)/float64(max(base, 1)) - 1) * 100
}
