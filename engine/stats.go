package engine

import (
	"sync/atomic"
	"time"
)

// Stats is a snapshot of counters, summed over the loops. Busy loops publish their byte counts every 64 iterations and when a connection
// ends, others before they sleep. What a connection that is not in Open any more has read and written, and its end, are counted.
type Stats struct {
	Open, Accepted, AcceptErrors, FDExhausted int64
	BytesIn, BytesOut                         int64
	Closed                                    [reasonCount]int64 // by CloseReason
	Pauses                                    int64

	// TLS handshakes: those that have succeeded; those that have not, for whatever reason; connections refused because too many were under way; and how many are.
	Handshakes, HandshakesFailed, HandshakesRefused, HandshakesRunning int64

	Bridges int64 // connections that have one: see Engine.Bridge

	Panics int64         // in handlers, tasks and timers
	LagMax time.Duration // longest time between two looks at the sockets since the last call of Stats
}

// counters are the published counters of one loop. // any goroutine (atomic); written by the loop
type counters struct {
	open, accepted, acceptErrors, fdExhausted atomic.Int64
	bytesIn, bytesOut                         atomic.Int64
	closed                                    [reasonCount]atomic.Int64
	pauses, panics                            atomic.Int64
	handshakes, handshakesFailed              atomic.Int64
	handshakesRefused, handshakesRunning      atomic.Int64
	lagMax                                    atomic.Int64
}

// Stats may be called on any goroutine.
func (e *Engine) Stats() Stats {
	var s Stats // Open is read first: see bury
	for _, l := range e.loops {
		k := &l.counters
		s.Open += k.open.Load()
		s.Accepted += k.accepted.Load()
		s.AcceptErrors += k.acceptErrors.Load()
		s.FDExhausted += k.fdExhausted.Load()
		s.BytesIn += k.bytesIn.Load()
		s.BytesOut += k.bytesOut.Load()
		for i := range k.closed {
			s.Closed[i] += k.closed[i].Load()
		}
		s.Pauses += k.pauses.Load()
		s.Handshakes += k.handshakes.Load()
		s.HandshakesFailed += k.handshakesFailed.Load()
		s.HandshakesRefused += k.handshakesRefused.Load()
		s.HandshakesRunning += k.handshakesRunning.Load()
		s.Panics += k.panics.Load()
		s.LagMax = max(s.LagMax, time.Duration(k.lagMax.Swap(0)))
	}
	e.mu.Lock()
	s.Bridges = int64(len(e.bridges))
	e.mu.Unlock()
	return s
}

// publish makes the hot counters visible. They are plain numbers between: an atomic store per read and write would be a
// tenth of the echo path.
func (l *Loop) publish() {
	if l.bytesIn != 0 {
		l.counters.bytesIn.Add(l.bytesIn)
		l.bytesIn = 0
	}
	if l.bytesOut != 0 {
		l.counters.bytesOut.Add(l.bytesOut)
		l.bytesOut = 0
	}
}

// noteLag records the time since the loop last looked at its sockets.
func (l *Loop) noteLag(d time.Duration) {
	if int64(d) > l.counters.lagMax.Load() {
		l.counters.lagMax.Store(int64(d))
	}
}
