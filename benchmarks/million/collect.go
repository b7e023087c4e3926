package main

import (
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// liveHeap is the heap after collections that have found everything, pools included.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	runtime.GC() // the profile is of the collection before the last
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// collection is what a full garbage collection takes.
type collection struct {
	// CPU is the process's, median. The runtime's own figure counts by the clock, so on a busy machine also the time for which its
	// threads only waited for a processor.
	CPU   time.Duration `json:"cpu_ns"`
	Wall  time.Duration `json:"wall_ns"`  // median
	Pause time.Duration `json:"pause_ns"` // the longest time for which the world stood still, in all rounds
}

func collect(rounds int) (collection, error) {
	pauses := pauseCounts()
	runtime.GC() // what is left from before is not counted
	c, err := measureMedian(rounds, func() error { runtime.GC(); return nil })
	return collection{CPU: c.CPU, Wall: c.Wall, Pause: longest(pauses, pauseCounts())}, err
}

// pauseCounts is the distribution of the stop-the-world pauses of collections.
func pauseCounts() metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return metrics.Float64Histogram{Counts: slices.Clone(h.Counts), Buckets: slices.Clone(h.Buckets)}
}

// longest is the upper end of the highest bucket that has grown.
func longest(before, after metrics.Float64Histogram) time.Duration {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if i < len(before.Counts) && after.Counts[i] == before.Counts[i] {
			continue
		}
		top := after.Buckets[i+1]
		if math.IsInf(top, 1) {
			top = after.Buckets[i]
		}
		return time.Duration(top * float64(time.Second))
	}
	return 0
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2]
}
