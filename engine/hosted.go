package engine

import "time"

// hosted is what a loop needs that does not poll: its goroutine belongs to somebody else's poller, which calls it. The iteration is
// then in pieces. A callback of the poller begins it (arrive) and handles its event at once, since the bytes may be void
// afterwards; the rest of the iteration is a turn, which the driver's wake asks the poller to call, once, after the callbacks
// that are ready now. So what a batch of events has queued is still joined and written once.
//
// Loop.asleep has the same meaning as in a loop that polls: no turn is asked for.
type hosted struct {
	loop *Loop
	host host

	began bool          // loop: a callback has begun this iteration
	timer *time.Timer   // loop; wakes the loop for its timers and seconds
	armed time.Duration // loop; when it does, since the epoch
}

// host is a driver on somebody else's goroutine.
type host interface {
	driver
	// enter brings a connection of the standard library into the loop, which adopts it; false when the loop has ended. It may
	// wait for the loop, so it is not for the loops' goroutines, and it owns s.
	enter(s socket, prefix []byte, open func(c *Conn) Handler) bool
	// seal reports that nothing is entering, and lets nothing enter any more.
	seal() bool
	// ended returns when the driver has stopped.
	ended()
}

func newHosted(l *Loop, h host) *hosted {
	t := time.AfterFunc(time.Hour, l.wakeUp)
	t.Stop()
	return &hosted{loop: l, host: h, timer: t}
}

func (h *hosted) seal() bool { return h.host.seal() }
func (h *hosted) wait()      { h.host.ended() }

// arrive begins an iteration, unless one has begun.
func (h *hosted) arrive() {
	l := h.loop
	if !h.began {
		h.began = true
		l.setTime(time.Since(l.epoch))
	}
	l.wakeUp()
}

// turn does what is left of the iteration, and asks for the next if there is something to do. It reports that the loop has ended.
func (h *hosted) turn() (ended bool) {
	l := h.loop
	if !h.began {
		l.setTime(time.Since(l.epoch))
	}
	ended = l.iterate(l.wait(0))
	h.began = false
	if ended {
		h.timer.Stop()
		return true
	}
	t := time.Since(l.epoch)
	l.noteLag(t - l.elapsed)
	if l.busy() {
		l.drv.wake()
		return false
	}
	l.publish()
	l.asleep.Store(true)
	if l.busy() { // posted since the last look: the poster may have seen the loop awake
		l.wakeUp()
		return false
	}
	h.arm(t)
	return false
}

// arm sets the timer for the next second or the next timer of the loop, whichever is first. A timer that is set for earlier stays:
// it wakes the loop once in vain, which is cheaper than to move it at each turn.
func (h *hosted) arm(t time.Duration) {
	l := h.loop
	at := time.Duration(l.now) * time.Second // l.now is the number of the next second's beginning
	if next, ok := l.timers.next(); ok {
		at = min(at, next)
	}
	if h.armed > t && h.armed <= at {
		return
	}
	h.armed = at
	h.timer.Reset(max(at-t, 0))
}
