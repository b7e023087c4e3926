package main

import "time"

// clock tells the time in nanoseconds since 1970 and never jumps: the wall clock is read once, the rest is monotonic. Processes
// of one machine that start together agree to about a microsecond.
type clock struct {
	wall  int64
	start time.Time
}

func newClock() clock {
	t := time.Now()
	return clock{wall: t.UnixNano(), start: t}
}

func (c clock) now() int64 { return c.wall + int64(time.Since(c.start)) }
