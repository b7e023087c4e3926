package hubrt

import (
	"context"
	"sync"
	"time"

	"github.com/spokehub/spoke/hubrt/method"
)

// idleTime is how long a worker waits for work before it ends, at least; at most twice that.
const idleTime = 5 * time.Second

// pool is the workers and the bounded queue of what waits for them. All methods are for any goroutine.
type pool struct {
	rt      *Runtime
	max     int // constant: workers
	limit   int // constant: jobs in the queue
	maxLent int // constant: RuntimeConfig.ClientResults

	mu       sync.Mutex
	workers  int         // under mu
	lent     int         // under mu: places of workers that wait for a client; see lend
	idle     []*worker   // under mu: the last one is used first, so that the others may end
	waking   bool        // under mu: a worker has been woken or started, and has not begun yet; see begun
	queue    ring[*call] // under mu; empty while workers are idle or could be started, but for what the waking one will look at
	turns    ring[*Conn] // under mu: connections that wait for room in the queue, first come first served; each is in it once
	ticks    uint32      // under mu: of the reaper
	reaper   *time.Timer // under mu; nil while nobody is idle
	stopping bool        // under mu
	givenUp  bool        // under mu: what has not begun does not begin any more
	stopped  chan struct{}
}

// worker is a goroutine that runs methods and hooks.
type worker struct {
	args  method.Args
	jobs  chan *call // has room for one; nil: end
	job   *call      // the calls of the present job that have not ended
	made  int        // bytes of the present job's answers
	since uint32     // under pool.mu: when it became idle, in ticks
}

func (p *pool) init(rt *Runtime, workers, queue, lent int) {
	p.rt, p.max, p.limit, p.maxLent = rt, workers, queue, lent
	p.stopped = make(chan struct{})
}

// size is the number of workers.
func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers
}

// submit hands a job to a worker, or queues it. false: there is no room, or others have waited longer; then the job is the caller's again, and
// the connection's turn will come. turn: this is it.
func (p *pool) submit(job *call, turn bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stopping, p.givenUp:
		p.rt.begin()
		p.drop(job)
		return true
	case p.waking && p.room(turn): // the jobs of one batch wake one worker, not one each
		p.rt.begin()
		p.queue.push(job)
		return true
	case len(p.idle) > 0 || p.workers < p.max+p.lent:
		p.rt.begin()
		p.hand(job)
		return true
	case p.room(turn):
		p.rt.begin()
		p.queue.push(job)
		return true
	}
	p.turns.push(job.conn)
	return false
}

// room says that a job may be queued. Under mu.
func (p *pool) room(turn bool) bool { return p.queue.len() < p.limit && (turn || p.turns.len() == 0) }

// hand gives a job to an idle worker, or to one that it starts. Under mu.
func (p *pool) hand(job *call) {
	p.waking = true
	last := len(p.idle) - 1
	if last < 0 {
		p.workers++
		p.start(job)
		return
	}
	w := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	w.jobs <- job // has room for one
}

// begun is what a worker does first when it was woken or started: as long as jobs wait, it wakes the next worker, which does the same. So a job never waits for one
// that blocks; and of a batch of short jobs the first worker has done most before the second one is there.
func (p *pool) begun() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waking = false
	if len(p.idle) == 0 && p.workers >= p.max+p.lent {
		return
	}
	if job, ok := p.queue.pop(); ok {
		p.hand(job)
		p.wake()
	}
}

// drop is for jobs that do not run, since the server stops. No client is told of its calls, as its connection ends; an event is told to have failed.
func (p *pool) drop(job *call) {
	if job.kind != kindCall {
		p.rt.eventsDropped.Add(1)
		job.err = errGivenUp
		job.conn.shard.loop.Post(job)
		p.rt.done()
		return
	}
	for k := job; k != nil; k = k.next {
		p.rt.callsWaiting.Add(-1)
	}
	p.rt.done()
}

// giveUp drops what has not begun, and what comes later.
func (p *pool) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.givenUp = true
	for job, ok := p.queue.pop(); ok; job, ok = p.queue.pop() {
		p.drop(job)
	}
	for c, ok := p.turns.pop(); ok; c, ok = p.turns.pop() {
		c.shard.loop.Post((*turn)(c)) // drops what it has
	}
}

// start makes a worker, which is counted already. Under mu.
func (p *pool) start(job *call) {
	go p.work(&worker{jobs: make(chan *call, 1)}, job)
}

// work is a worker's life.
func (p *pool) work(w *worker, job *call) {
	ended := false
	defer func() {
		if !ended {
			p.lost(w)
		}
	}()
	p.begun()
	for job != nil {
		p.run(w, job)
		job = p.take(w)
	}
	ended = true
}

// lost is for a worker that a method has ended by runtime.Goexit: another one takes its place, if there is something to do.
func (p *pool) lost(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	job := w.job
	if job == nil {
		p.rt.done()
		job, _ = p.queue.pop()
	}
	if job == nil {
		p.leave()
		return
	}
	p.start(job)
	p.wake()
}

// run runs the calls of a job one after the other. Each reply is posted at once: the next call may block.
func (p *pool) run(w *worker, job *call) {
	w.made = 0
	for w.job = job; w.job != nil; {
		p.runOne(w, w.job)
	}
	p.rt.done()
}

func (p *pool) runOne(w *worker, k *call) {
	s := k.conn.shard
	isCall := k.kind == kindCall
	if isCall {
		p.rt.callsWaiting.Add(-1)
		p.rt.callsRunning.Add(1)
	}
	finished := false
	defer func() {
		if !finished {
			k.exited()
		}
		if isCall {
			p.rt.callsRunning.Add(-1)
		}
		if k.out != nil {
			w.made += len(k.out.b)
		}
		w.job = k.pass(w.made >= replyWindow) // k is the loop's once it is posted
		if !s.loop.Post(k) {
			k.orphaned()
		}
	}()
	k.work(&w.args)
	finished = true
}

// take returns the next job; nil: the worker is to end.
func (p *pool) take(w *worker) *call {
	p.mu.Lock()
	if p.workers > p.max+p.lent { // others have taken its place while it waited for a client
		p.leave()
		p.mu.Unlock()
		return nil
	}
	if job, ok := p.queue.pop(); ok {
		p.wake()
		p.mu.Unlock()
		return job
	}
	if p.stopping {
		p.leave()
		p.mu.Unlock()
		return nil
	}
	w.args.Reset() // an idle worker holds nobody's arguments
	w.since = p.ticks
	p.idle = append(p.idle, w)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(idleTime, p.reap)
	}
	p.wake()
	p.mu.Unlock()
	job := <-w.jobs
	if job != nil {
		p.begun()
	}
	return job
}

// lend gives the place of a worker that waits for a client's answer to another one: clients that are slow to answer, or never do, would otherwise hold all
// workers. reclaim is due when the wait is over; then both go on, and one of them ends after its job. false: as many wait as may, and this one must not.
func (p *pool) lend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lent >= p.maxLent {
		return false
	}
	p.lent++
	if p.waking || len(p.idle) == 0 && p.workers >= p.max+p.lent {
		return true // whoever is about to begin looks for more to do; and some whose answer has come may be over the bound still
	}
	if job, ok := p.queue.pop(); ok {
		p.hand(job)
		p.wake()
	}
	return true
}

// reclaim ends a lend.
func (p *pool) reclaim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent--
	if p.workers > p.max+p.lent && len(p.idle) > 0 { // the one that waited may have ended its job already
		p.retire(1)
	}
}

// wake gives turns while there is room in the queue's lower half. Under mu.
func (p *pool) wake() {
	for n := p.limit/2 + 1 - p.queue.len(); n > 0; n-- {
		c, ok := p.turns.pop()
		if !ok {
			return
		}
		c.shard.loop.Post((*turn)(c))
	}
}

// pass is for a connection that did not use its turn.
func (p *pool) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.turns.pop(); ok {
		c.shard.loop.Post((*turn)(c))
	}
}

// reap ends the workers that have been idle since before its last run.
func (p *pool) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && p.idle[n].since < p.ticks {
		n++
	}
	p.retire(n)
	p.ticks++
	p.reaper = nil
	if len(p.idle) > 0 && !p.stopping {
		p.reaper = time.AfterFunc(idleTime, p.reap)
	}
}

// retire ends the n workers that have been idle for longest. Under mu.
func (p *pool) retire(n int) {
	for i := range n {
		p.idle[i].jobs <- nil
		p.leave()
	}
	rest := copy(p.idle, p.idle[n:])
	clear(p.idle[rest:])
	p.idle = p.idle[:rest]
}

// leave counts a worker out. Under mu.
func (p *pool) leave() {
	p.workers--
	if p.stopping && p.workers == 0 {
		close(p.stopped)
	}
}

func (p *pool) stop(ctx context.Context) error {
	p.mu.Lock()
	if !p.stopping {
		p.stopping = true
		if p.reaper != nil {
			p.reaper.Stop()
			p.reaper = nil
		}
		if p.workers == 0 {
			close(p.stopped)
		}
		p.retire(len(p.idle))
	}
	p.mu.Unlock()
	select {
	case <-p.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
