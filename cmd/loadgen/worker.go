package main

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/procfs"
)

// worker is the load of one process: event loops, a dialer, and the clients of its share. It does what commands say; see link.go.
type worker struct {
	opts   *options
	from   int // the range of its connections
	to     int
	clock  clock
	run    uint32 // number of the run, in every payload; set before the ramp
	engine *engine.Engine
	shards []*shard
	dialer *dialer
	pool   pool       // churn in an open loop
	paceMu sync.Mutex // negotiate: of the shards' paces, whose calls other shards may take

	// Constant once made.
	protocol         protocol
	reader           reader
	pad              []byte
	echoCall         call
	publishCalls     []call   // by group
	joins            [][]byte // by group: the whole record
	plainNegotiation []byte   // as of all connections; see numberMark
	plainUpgrade     []byte

	// Any goroutine (atomic).
	publisherShard []atomic.Pointer[shard]
	active         []atomic.Int32 // by group: shards that have receivers
	load           atomic.Bool    // the load runs: clients of churn and storm come back
	storming       atomic.Bool
	readyCount     atomic.Int64 // of the ramp
	failedCount    atomic.Int64
	awaited        atomic.Int64 // clients that have not come back from a storm
	underWay       atomic.Int64 // clients from connect until their connection, or the attempt, has ended

	note chan struct{} // holds a token when one of the counts above has changed

	stopPacer context.CancelFunc
	pacer     sync.WaitGroup
}

// newWorker makes the i-th worker of n.
func newWorker(o *options, i, n int) (*worker, error) {
	to, err := o.target.resolve()
	if err != nil {
		return nil, err
	}
	if need := o.loopCount() + 1; o.rate > 0 && runtime.GOMAXPROCS(0) < need {
		// The pacer must not wait for a loop that sleeps in the kernel to hand over its processor: that takes up to 10 ms.
		runtime.GOMAXPROCS(need)
	}
	e, err := engine.New(engine.Config{Loops: o.loopCount(), InputMax: maxMessage + 64<<10, Linger: 2 * time.Second, SendBuffer: -1})
	if err != nil {
		return nil, err
	}
	w := &worker{opts: o, clock: newClock(), engine: e, protocol: newProtocol(o.protocol), reader: newReader(o.clientMethod), pad: padding(o.size), note: make(chan struct{}, 1)}
	w.from, w.to = o.share(i, n)
	w.echoCall = w.protocol.newCall(o.echoMethod, o.size)
	for g := range o.groups {
		if o.scenario == group {
			name := groupName(g)
			w.publishCalls = append(w.publishCalls, w.protocol.newCall(o.publishMethod, o.size, name))
			join := w.protocol.newCall(o.joinMethod, len(name))
			b := append(join.begin(nil, 0), name...)
			w.joins = append(w.joins, join.end(b))
		} else {
			w.publishCalls = append(w.publishCalls, w.protocol.newCall(o.broadcastMethod, o.size))
		}
	}
	w.plainNegotiation = negotiateRequest(o, o.target)
	w.plainUpgrade = upgradeRequest(o, o.target, "")
	w.publisherShard = make([]atomic.Pointer[shard], o.publishers)
	w.active = make([]atomic.Int32, max(o.groups, 1))
	for _, l := range e.Loops() {
		w.shards = append(w.shards, newShard(w, l))
	}
	w.dialer = newDialer(e, to, o, w.dialFailed)
	return w, nil
}

func groupName(g int) string { return "loadgen-" + strconv.Itoa(g) }

// negotiation is the request that begins a connection.
func (w *worker) negotiation(number int32) []byte {
	if t := w.opts.target; t.numbered() {
		return negotiateRequest(w.opts, t.of(number))
	}
	return w.plainNegotiation
}

// upgrade is the request for a WebSocket.
func (w *worker) upgrade(number int32, token string) []byte {
	t := w.opts.target
	if token == "" && !t.numbered() {
		return w.plainUpgrade
	}
	return upgradeRequest(w.opts, t.of(number), token)
}

// newClient makes the client of a connection's number.
func (w *worker) newClient(number int) *client {
	o := w.opts
	c := &client{worker: w, number: int32(number), publisher: -1, place: -1}
	if o.scenario == echo {
		c.streams = make([]stream, 1)
	}
	if !o.scenario.fansOut() {
		return c
	}
	c.group = int32(number % o.groups)
	if p := publisherOf(o, number); p >= 0 {
		c.publisher = int32(p)
	} else if o.scenario == slow {
		c.slow = int(float64(number+1)*o.slowShare) > int(float64(number)*o.slowShare)
	}
	heard := 0 // publishers of the client's group
	for p := int(c.group); p < o.publishers; p += o.groups {
		heard++
	}
	c.streams = make([]stream, heard)
	return c
}

// publisherOf is the publisher that a connection is; -1: none.
func publisherOf(o *options, number int) int {
	p := (number*o.publishers + o.n - 1) / o.n
	if p < o.publishers && o.publisherAt(p) == number {
		return p
	}
	return -1
}

// connect has c connected; it was due at at.
func (w *worker) connect(c *client, at int64) {
	c.step, c.token, c.deadline, c.fragment, c.began = stepNew, "", 0, nil, at
	w.underWay.Add(1)
	w.dialer.dial(c)
}

// dialFailed runs on a dialer's goroutine.
func (w *worker) dialFailed(c *client, err error) {
	s := w.shards[int(c.number)%len(w.shards)]
	s.loop.Post(engine.TaskFunc(func(*engine.Loop) {
		s.tally.Errors.add(dialFault(err), err.Error(), 1)
		c.broken = true
		s.gone(c)
	}))
}

// settled counts a connection of the ramp that has become ready or has failed. Any goroutine.
func (w *worker) settled(ready bool) {
	if ready {
		w.readyCount.Add(1)
	} else {
		w.failedCount.Add(1)
	}
	w.wake()
}

// returned counts a client that is back from a storm. Any goroutine.
func (w *worker) returned() {
	if w.awaited.Add(-1) == 0 {
		w.wake()
	}
}

func (w *worker) wake() {
	select {
	case w.note <- struct{}{}:
	default:
	}
}

// each runs f on every shard's loop and waits.
func (w *worker) each(f func(s *shard)) {
	var wait sync.WaitGroup
	for _, s := range w.shards {
		wait.Add(1)
		if !s.loop.Post(engine.TaskFunc(func(*engine.Loop) { f(s); wait.Done() })) {
			wait.Done()
		}
	}
	wait.Wait()
}

// failuresAllowed is how many connections may fail before the ramp gives up, when no more than as many succeed.
const failuresAllowed = 50

// ramp makes the connections, and returns when all are ready or have failed, when too many fail, or when ctx ends.
func (w *worker) ramp(ctx context.Context) {
	total := w.to - w.from
	rate := w.opts.ramp * float64(total) / float64(w.opts.n)
	start := w.clock.now()
	timer := time.NewTicker(2 * time.Millisecond)
	defer timer.Stop()
	asked := 0
	for {
		ready, failed := w.readyCount.Load(), w.failedCount.Load()
		if ready+failed == int64(total) || failed >= failuresAllowed && failed > ready {
			return
		}
		due := total
		if rate > 0 {
			due = min(total, int(float64(w.clock.now()-start)/1e9*rate)+1)
		}
		for ; asked < due && (rate > 0 || w.dialer.waiting() < w.opts.dialers); asked++ {
			at := w.clock.now()
			if rate > 0 {
				at = start + int64(float64(asked)/rate*1e9)
			}
			w.connect(w.newClient(w.from+asked), at)
		}
		var more <-chan time.Time
		if asked < total {
			more = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-more:
		case <-w.note:
		}
	}
}

// begin starts the load.
func (w *worker) begin(start, from, until int64) {
	o := w.opts
	w.load.Store(true)
	switch o.scenario {
	case churn:
		for i := w.from; i < w.to; i++ {
			c := w.newClient(i)
			if o.rate > 0 {
				w.pool.put(c)
			} else {
				w.connect(c, start)
			}
		}
	case storm:
		var n atomic.Int64
		w.each(func(s *shard) { n.Add(int64(len(s.clients))) })
		w.awaited.Store(n.Load())
		w.storming.Store(true)
	}
	paces := make([]pace, len(w.shards))
	w.each(func(s *shard) {
		s.begin(start, from, until)
		w.paceMu.Lock()
		defer w.paceMu.Unlock()
		paces[s.index] = s.pace
	})
	if o.rate > 0 {
		ctx, cancel := context.WithCancel(context.Background())
		w.stopPacer = cancel
		w.pacer.Go(func() { w.runPacer(ctx, paces) })
	}
}

// back says that all clients have come back from the storm.
func (w *worker) back() bool { return w.storming.Load() && w.awaited.Load() <= 0 }

// end stops the load and returns what each publisher of this worker has sent.
func (w *worker) end() []sentCount {
	w.load.Store(false)
	if w.stopPacer != nil {
		w.stopPacer()
		w.pacer.Wait()
		w.stopPacer = nil
	}
	var mu sync.Mutex
	var sent []sentCount
	w.each(func(s *shard) {
		s.end()
		for _, c := range s.clients {
			if c.publisher >= 0 {
				mu.Lock()
				sent = append(sent, sentCount{int(c.publisher), c.sent})
				mu.Unlock()
			}
		}
	})
	return sent
}

// sentCount is how many messages a publisher has sent.
type sentCount struct {
	Publisher int   `json:"p"`
	Count     int64 `json:"n"`
}

// missing is the number of messages that have not come: to connections that live, and to those that have ended. sent is by
// publisher.
func (w *worker) missing(sent []int64) (living, ended int64) {
	var a, b atomic.Int64
	w.each(func(s *shard) {
		if w.opts.scenario == negotiate {
			l, e := s.unanswered()
			a.Add(l)
			b.Add(e)
			return
		}
		l, e := s.missing(sent)
		a.Add(l)
		b.Add(e)
	})
	return a.Load(), b.Load()
}

func (s *shard) missing(sent []int64) (living, ended int64) {
	o := s.worker.opts
	for _, c := range s.clients {
		if c.slow {
			continue
		}
		var n int64
		for i := range c.streams {
			of := c.sent
			if o.scenario != echo {
				of = sent[int(c.group)+i*o.groups]
			}
			n += c.streams[i].missing(of)
		}
		if c.step == stepReady {
			living += n
		} else {
			ended += n
		}
	}
	return living, ended
}

// drainMost is how many times -drain is waited at most, while messages still come.
const drainMost = 20

// drain waits until everything has come, or nothing has for the time of -drain; then says what is missing. A server that has
// fallen behind its load is late, not lossy.
func (w *worker) drain(ctx context.Context, sent []int64) (living, ended int64) {
	timer := time.NewTicker(20 * time.Millisecond)
	defer timer.Stop()
	begun := time.Now()
	moved := begun
	for last := int64(-1); ; last = living {
		living, ended = w.missing(sent)
		if living != last {
			moved = time.Now()
		}
		if living == 0 || time.Since(moved) > w.opts.drain || time.Since(begun) > drainMost*w.opts.drain {
			return living, ended
		}
		select {
		case <-ctx.Done():
			return living, ended
		case <-timer.C:
		}
	}
}

// settleTime is how long connections that came and went are waited for when the load has ended.
const settleTime = 5 * time.Second

// settle waits until no connection of churn is under way, for as long as settleTime, and returns how many are then: those that the server
// may have counted, and we have not.
func (w *worker) settle(ctx context.Context) int64 {
	timer := time.NewTicker(5 * time.Millisecond)
	defer timer.Stop()
	for until := time.Now().Add(settleTime); ; {
		n := w.underWay.Load()
		if n == 0 || time.Now().After(until) {
			return n
		}
		select {
		case <-ctx.Done():
			return n
		case <-timer.C:
		}
	}
}

// snapshot takes what was counted since the last one. t is what the shards count in from now on; it returns the sum in t's
// place.
func (w *worker) snapshot() (*tally, gauge) {
	sum := &tally{}
	var mu sync.Mutex
	g := gauge{Tried: w.readyCount.Load() + w.failedCount.Load(), CPU: procfs.OwnCPU().Seconds()}
	w.each(func(s *shard) {
		if s.seen != nil {
			s.unstall()
		}
		mu.Lock()
		defer mu.Unlock()
		g.merge(s.gauge())
		sum.merge(s.tally)
		s.tally.reset()
	})
	return sum, g
}

// close ends all connections, those that live in good order, and stops.
func (w *worker) close() {
	w.load.Store(false)
	w.storming.Store(false)
	w.dialer.stop()
	w.each(func(s *shard) {
		for _, c := range append(slices.Clone(s.clients), s.senders...) { // most senders are both; the second leave does nothing
			c.leave(false)
		}
		for _, p := range s.posters {
			p.end()
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = w.engine.Shutdown(ctx) // what the peers have not ended by then is reset
}

const closeTime = 2 * time.Second
