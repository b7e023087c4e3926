package hubrt

import (
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// ledger is a loop's account of what stateful reconnect keeps in memory, and of the connections that are away.
type ledger struct {
	rt      *Runtime     // constant
	local   *local       // constant
	bytes   int64        // loop
	checkAt int64        // loop: from how many bytes the other loops' are looked at again
	last    *sharedFrame // loop: the frame that was kept last, which the next connection probably gets, too

	first, final *resumable // loop: those that are away, longest first

	kept     atomic.Int64 // any goroutine (atomic): bytes, written by the loop
	oldest   atomic.Int64 // any goroutine (atomic): when the first of them went, on the runtime's clock; 0: nobody is away
	evicting atomic.Bool  // any goroutine (atomic): a task to drop some is under way

	away, resumed, expired, evicted atomic.Int64 // any goroutine (atomic)
}

// sharedFrame is a frame that connections of one loop keep. Its bytes count once.
type sharedFrame struct {
	frame   *engine.Frame
	records uint32
	refs    int
}

const sharedOverhead = 64

// share returns the loop's one for f.
func (l *ledger) share(f *engine.Frame, p codec.Protocol) *sharedFrame {
	if l.last == nil || l.last.frame != f {
		l.last = &sharedFrame{frame: f, records: countRecords(p, f.Payload())}
		l.charge(f.Len() + sharedOverhead)
	}
	l.last.refs++
	return l.last
}

func (l *ledger) unshare(s *sharedFrame) {
	if s.refs--; s.refs > 0 {
		return
	}
	if l.last == s {
		l.last = nil
	}
	l.charge(-s.frame.Len() - sharedOverhead)
}

func (l *ledger) charge(n int) {
	l.bytes += int64(n)
	l.kept.Store(l.bytes)
}

// checkStep is how many bytes a loop adds until it looks at the others again.
const checkStep = 64 << 10

// over says that all loops together keep more than RuntimeConfig.StatefulMemory and nobody who is away can be dropped for it.
func (l *ledger) over() bool {
	if l.bytes < l.checkAt {
		return false
	}
	limit := int64(l.rt.cfg.StatefulMemory)
	if l.rt.statefulBytes() <= limit {
		l.checkAt = l.bytes + min(checkStep, limit/64+1)
		return false
	}
	return !l.rt.evict()
}

// statefulBytes is what all loops keep. Any goroutine.
func (rt *Runtime) statefulBytes() (n int64) {
	for i := range rt.locals {
		n += rt.locals[i].ledger.kept.Load()
	}
	return n
}

func (rt *Runtime) overStateful() bool { return rt.statefulBytes() > int64(rt.cfg.StatefulMemory) }

// evict has the loop drop some whose connection has been away for longest; false: nobody is away. It is a task, because who asks is in the midst of a broadcast. Any goroutine.
func (rt *Runtime) evict() bool {
	var of *ledger
	var since int64
	for i := range rt.locals {
		l := &rt.locals[i].ledger
		if t := l.oldest.Load(); t != 0 && (of == nil || t < since) {
			of, since = l, t
		}
	}
	if of == nil {
		return false
	}
	if of.evicting.CompareAndSwap(false, true) && !of.local.loop.Post((*eviction)(of)) {
		of.evicting.Store(false)
	}
	return true
}

// eviction is a ledger as the task that drops the connection that has been away for longest, and goes on while there is too much.
type eviction ledger

func (e *eviction) Run(*engine.Loop) {
	l := (*ledger)(e)
	l.evicting.Store(false)
	if l.first == nil || !l.rt.overStateful() {
		return
	}
	l.evicted.Add(1)
	l.first.drop(engine.OutboundOverflow, l.rt.errStatefulMemory())
	if l.rt.overStateful() {
		l.rt.evict()
	}
}

// leaves puts r behind those that are away.
func (l *ledger) leaves(r *resumable) {
	r.since = int64(time.Since(l.rt.start)) + 1
	r.before = l.final
	if l.final != nil {
		l.final.behind = r
	} else {
		l.first = r
	}
	l.final = r
	l.away.Add(1)
	l.oldest.Store(l.first.since)
}

// returns takes r off the list, if it is away.
func (l *ledger) returns(r *resumable) {
	if r.since == 0 {
		return
	}
	if r.before != nil {
		r.before.behind = r.behind
	} else {
		l.first = r.behind
	}
	if r.behind != nil {
		r.behind.before = r.before
	} else {
		l.final = r.before
	}
	r.since, r.before, r.behind = 0, nil, nil
	l.away.Add(-1)
	if l.first != nil {
		l.oldest.Store(l.first.since)
	} else {
		l.oldest.Store(0)
	}
}
