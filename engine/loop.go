package engine

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	readBudget = 64 << 10 // bytes per connection and iteration; also the size of the shared read buffer
	eventBatch = 64       // events per look at the sockets: see gather
	eventLooks = 8        // looks per iteration, as long as each finds as many
)

// Loop is one event loop. Its methods are for the loop's goroutine, but for Index and Post.
type Loop struct {
	engine *Engine // constant
	index  int     // constant
	yields int     // constant
	drv    driver  // constant
	hosted *hosted // constant; nil: the loop polls by itself

	inboxMu  sync.Mutex
	inbox    []Task      // under inboxMu
	stopped  bool        // under inboxMu
	hasInbox atomic.Bool // any goroutine (atomic); set under inboxMu
	asleep   atomic.Bool // any goroutine (atomic)
	counters counters    // any goroutine (atomic)

	// All that follows belongs to the loop.

	slab      slab
	deadlines []uint32 // by slot; 0: none
	buffers   buffers
	queues    []*outQueue // free ones
	readBuf   []byte
	events    []event
	vector    [][]byte     // of one writev
	join      []byte       // small pieces copied for one write; nil until needed
	sealed    []*sealed    // by slot: the TLS side of connections that have one; nil until there is one
	sealedIn  []byte       // records that were read; nil until there is one
	sealedOut []byte       // records to be written
	lent      bytes.Buffer // for records that are being read; see sealed.borrow

	gathered    []gathered // have been read, and not yet shown
	gatheredEnd int        // of the read buffer

	ready   []*Conn            // have more to read, after their budget
	again   []*Conn            // have been resumed or got another handler: to be shown what was left
	dirty   chain              // have something to write
	dead    []*Conn            // closed, not yet free
	stalled []*Conn            // over the outbound cap
	spare   []*Conn            // for swapping with ready
	spare2  []*Conn            // for swapping with again
	rare    map[*Conn]rareConn // nil when empty

	tasks    []Task
	taskHead int
	timers   timerHeap

	epoch    time.Time     // when the loop was made
	elapsed  time.Duration // since epoch, of this iteration
	wall     time.Time     // the wall clock, read each second
	wallAt   time.Duration // when it was read
	now      uint32
	scanned  uint32 // the second whose deadlines have been looked at
	scan     int    // the slot at which that goes on; 0: it is done
	iter     uint32
	open     int
	stopping bool

	bytesIn, bytesOut int64 // not yet published
}

func newLoop(e *Engine, index, yields int) *Loop {
	now := time.Now()
	return &Loop{
		engine: e, index: index, yields: yields,
		readBuf: make([]byte, readBudget), events: make([]event, eventBatch), vector: make([][]byte, 0, vectorMax),
		gathered: make([]gathered, 0, eventBatch),
		epoch:    now, wall: now, now: 1,
	}
}

// Index is the loop's number, from 0. Any goroutine.
func (l *Loop) Index() int { return l.index }

// Now is the loop's clock in whole seconds since the engine began, never 0. Loop only.
func (l *Loop) Now() uint32 { return l.now }

// Time is the iteration's time: read once an iteration. Loop only.
func (l *Loop) Time() time.Time { return l.wall.Add(l.elapsed - l.wallAt) }

// run is the loop, until it has ended.
func (l *Loop) run() {
	if l.hosted != nil {
		l.hosted.wait()
		return
	}
	for !l.iterate(l.poll()) {
	}
}

// iterate handles the first n events, runs what was posted, flushes, frees. It reports that the loop has ended.
func (l *Loop) iterate(n int) (ended bool) {
	l.runReady() // first, so that nobody gets two budgets by being ready again
	l.runEvents(n)
	l.drv.step()
	l.runTasks()
	l.runTimers()
	l.runSecond()
	l.runAgain()
	l.runClosed()
	l.runFlush()
	l.runFree()
	if l.iter++; l.iter&63 == 0 {
		l.publish()
	}
	if !l.stopping || l.open > 0 || len(l.dead) > 0 || l.hosted != nil && !l.hosted.seal() || !l.stopPosts() {
		return false
	}
	l.publish()
	l.drv.stop()
	return true
}

// runEvents handles the first n events, and those of more looks if that was all there was room for. What a look has caused is written before the next, unless
// there are tasks: broadcasts, as a rule, which what is written to their receivers leaves with.
func (l *Loop) runEvents(n int) {
	for looks := 1; ; looks++ {
		for i := range l.events[:n] {
			l.gather(&l.events[i])
		}
		l.showGathered()
		if n < len(l.events) || looks == eventLooks {
			return
		}
		if !l.hasTasks() {
			l.runFlush()
		}
		n = l.wait(0)
	}
}

// poll looks at the sockets. It blocks only after it has looked once and yielded to other goroutines, whose replies then
// join: a blocking wait costs three times a look, and the processor.
func (l *Loop) poll() int {
	n := l.wait(0)
	if n == 0 && !l.busy() {
		for range l.yields {
			runtime.Gosched()
			if l.busy() {
				break
			}
		}
		if !l.busy() {
			return l.sleep()
		}
	}
	was := l.elapsed
	l.setTime(time.Since(l.epoch))
	l.noteLag(l.elapsed - was)
	return n
}

// sleep waits for events, a wake-up, the next timer or the next second.
func (l *Loop) sleep() int {
	t := time.Since(l.epoch)
	l.noteLag(t - l.elapsed)
	l.publish()
	l.asleep.Store(true)
	if l.busy() { // posted since the last look: the poster may have seen the loop awake
		l.asleep.Store(false)
		l.setTime(t)
		return 0
	}
	d := time.Duration(l.now)*time.Second - t // l.now is the number of the next second's beginning
	if next, ok := l.timers.next(); ok {
		d = min(d, next-t)
	}
	n := 0
	if d > 0 {
		n = l.wait(d)
	}
	l.asleep.Store(false)
	l.setTime(time.Since(l.epoch))
	return n
}

// setTime begins an iteration: all that runs in it sees this time.
func (l *Loop) setTime(elapsed time.Duration) {
	l.elapsed = elapsed
	if now := uint32(elapsed/time.Second) + 1; now != l.now {
		l.now = now
		l.wall = time.Now()
		l.wallAt = elapsed
	}
}

// wait asks the driver. A poller that fails cannot be repaired and would spin: the process ends with the reason.
func (l *Loop) wait(d time.Duration) int {
	n, err := l.drv.wait(l.events, d)
	if err != nil {
		panic("engine: the poller of a loop failed: " + err.Error())
	}
	return n
}

// busy says that the loop has something to do without waiting.
func (l *Loop) busy() bool {
	return l.hasTasks() || len(l.ready) > 0 || len(l.again) > 0 || l.dirty.first != 0 || l.scan > 0 || len(l.dead) > 0 ||
		l.drv.pending() || l.stopping && l.open == 0
}

// event handles what became ready for one connection, unless it has gone.
func (l *Loop) event(ev *event) {
	if c := l.slab.at(ev.slot, ev.gen); c != nil { // else of an earlier owner of the descriptor
		l.handle(c, ev.bits)
	}
}

func (l *Loop) handle(c *Conn, bits readiness) {
	if bits&(readyEnd|readyHup|readyErr) != 0 {
		c.flags |= flagEnd
		if bits&readyHup != 0 {
			c.flags |= flagHup
		}
		if bits&readyErr != 0 {
			c.flags |= flagErr
		}
	}
	if bits&readyOut != 0 && c.flags&flagBlocked != 0 {
		c.flags &^= flagBlocked
		l.flush(c)
		l.drained(c)
	}
	if bits&(readyIn|readyEnd|readyHup|readyErr) != 0 {
		l.read(c)
	}
}

// runReady reads on where a budget ended in the iteration before.
func (l *Loop) runReady() {
	if len(l.ready) == 0 {
		return
	}
	list := l.ready
	l.ready, l.spare = l.spare[:0], nil
	for i, c := range list {
		list[i] = nil
		c.verify("ready list")
		c.flags &^= flagInReady
		l.read(c)
	}
	l.spare = list[:0]
}

// later has c read on in the next iteration.
func (l *Loop) later(c *Conn) {
	if c.flags&flagInReady == 0 {
		c.flags |= flagInReady
		l.ready = append(l.ready, c)
	}
}

// runSecond does what is due once a second.
func (l *Loop) runSecond() {
	if l.scan > 0 { // slot 0 always comes within the budget
		if l.runDeadlines(); l.scan > 0 {
			return
		}
	}
	if l.scanned == l.now {
		return
	}
	l.scanned = l.now
	l.runDeadlines()
	l.runStalled()
	l.slab.trim()
}

// runFree gives the slots of closed connections back, but for those that a list still points at: reusing these would let the
// list act on somebody else.
func (l *Loop) runFree() {
	if len(l.dead) == 0 {
		return
	}
	k := 0
	for _, c := range l.dead {
		if c.flags&flagListed != 0 || c.flags&flagTold == 0 {
			l.dead[k] = c
			k++
			continue
		}
		l.slab.put(c)
	}
	clear(l.dead[k:])
	l.dead = l.dead[:k]
}

// lost says whether an error means that the peer has gone.
func lost(e syscall.Errno) bool {
	return e == syscall.ECONNRESET || e == syscall.EPIPE || e == syscall.ETIMEDOUT
}
