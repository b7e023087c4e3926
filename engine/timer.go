package engine

import "time"

// Timer is a fine timer of a loop.
type Timer struct { // loop
	loop *Loop
	at   time.Duration // since the loop's epoch
	f    func()
	i    int // in the heap; -1: not in it
}

// AfterFunc runs f on the loop after d (millisecond precision). Loop only. It is for the few that need finer time than
// Conn.SetDeadline: each costs an object and a place in a heap.
func (l *Loop) AfterFunc(d time.Duration, f func()) *Timer {
	// The clock is read here, not taken from the iteration, which may have begun a while ago: never early.
	t := &Timer{loop: l, at: time.Since(l.epoch) + max(d, 0), f: f}
	l.timers.push(t)
	return t
}

// Stop prevents the run; false when it has run or was stopped. Loop only.
func (t *Timer) Stop() bool {
	if t.i < 0 {
		return false
	}
	t.loop.timers.remove(t.i)
	return true
}

// runTimers runs the timers that are due. One that a timer sets waits for the next iteration.
func (l *Loop) runTimers() {
	for n := len(l.timers); n > 0 && len(l.timers) > 0 && l.timers[0].at <= l.elapsed; n-- {
		t := l.timers[0]
		l.timers.remove(0)
		l.callTimer(t.f)
	}
}

// timerHeap is a binary heap by time.
type timerHeap []*Timer

// next is when the first timer is due.
func (h timerHeap) next() (at time.Duration, ok bool) {
	if len(h) == 0 {
		return 0, false
	}
	return h[0].at, true
}

func (h *timerHeap) push(t *Timer) {
	t.i = len(*h)
	*h = append(*h, t)
	h.up(t.i)
}

func (h *timerHeap) remove(i int) {
	s := *h
	last := len(s) - 1
	s[i].i = -1
	if i != last {
		s[i] = s[last]
		s[i].i = i
	}
	s[last] = nil
	*h = s[:last]
	if i != last {
		h.down(i)
		h.up(i)
	}
}

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].i, h[j].i = i, j
}

func (h timerHeap) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if h[p].at <= h[i].at {
			return
		}
		h.swap(i, p)
		i = p
	}
}

func (h timerHeap) down(i int) {
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && h[k+1].at < h[k].at {
			k++
		}
		if h[i].at <= h[k].at {
			return
		}
		h.swap(i, k)
		i = k
	}
}
