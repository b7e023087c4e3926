package hubrt

import "github.com/spokehub/spoke/engine"

// maxJob is how many calls of one connection a worker gets at most before others have their turn.
const maxJob = 64

// enqueue puts a call behind those that wait. It goes out with pump, at the end of the batch of records. Small calls take more memory waiting than they took in the
// input, so over Options.InputBuffer the rest of the input stays as it came.
func (c *Conn) enqueue(k *call) {
	if c.last == nil {
		c.first = k
	} else {
		c.last.next = k
	}
	c.last = k
	c.calls++
	c.waiting++
	c.waitBytes += k.size
	if int(c.waitBytes) > c.hub().opt.InputBuffer {
		c.flags |= flagFull
	}
	c.hub().rt.callsWaiting.Add(1)
}

// job takes from the mailbox what one worker gets: the calls that have to run one after the other, or, where calls may run side by side, one.
func (c *Conn) job() *call {
	n := 1
	if c.hub().opt.MaxParallelCalls == 1 {
		n = maxJob
	}
	first := c.first
	last := first
	for ; n > 1 && last.next != nil; n-- {
		last = last.next
	}
	c.first = last.next
	if c.first == nil {
		c.last = nil
	}
	last.next = nil
	last.last = true
	return first
}

// putBack undoes job.
func (c *Conn) putBack(job *call) {
	last := job
	for last.next != nil {
		last = last.next
	}
	last.last = false
	last.next = c.first
	c.first = job
	if c.last == nil {
		c.last = last
	}
}

// pump hands the workers what may run now; when they have too much already, the connection waits for its turn.
func (c *Conn) pump() {
	if !c.is(flagTurn) {
		c.submit(false)
	}
}

// submit reports whether it has handed anything over. turn: the connection has waited for this.
func (c *Conn) submit(turn bool) (submitted bool) {
	pool := &c.hub().rt.pool
	if c.is(flagHook) && !c.is(flagSubmitted) {
		k := calls.Get().(*call)
		*k = call{conn: c, kind: kindConnected, last: true}
		if !c.is(flagConnecting) {
			k.kind, k.err = kindDisconnected, c.ending.cause
		}
		c.flags |= flagSubmitted // before a worker has it
		if !pool.submit(k, turn) {
			c.flags &^= flagSubmitted
			c.flags |= flagTurn
			k.free()
			return false
		}
		submitted = true
	}
	for c.first != nil && int(c.jobs) < c.hub().opt.MaxParallelCalls {
		job := c.job()
		size := job.size
		if !pool.submit(job, turn) {
			c.putBack(job)
			c.flags |= flagTurn
			return submitted
		}
		submitted = true
		c.jobs++
		c.waiting--
		c.waitBytes -= size
	}
	return submitted
}

// turn is a Conn as the task that says that the workers have room for it.
type turn Conn

func (t *turn) Run(*engine.Loop) {
	c := (*Conn)(t)
	c.flags &^= flagTurn
	if !c.submit(true) && !c.is(flagTurn) {
		c.hub().rt.pool.pass() // it has ended meanwhile; the next one may have its turn
	}
	c.settle()
}

// called takes a finished call.
func (c *Conn) called(k *call) {
	c.calls--
	if next := k.next; next != nil {
		// The worker is at it already, or has passed it.
		c.waiting--
		c.waitBytes -= next.size
	}
	if k.last {
		c.jobs--
	}
	c.answer(k)
	k.free()
	if c.waiting == 0 && c.state == stateOpen {
		c.seen = c.ctx.shard.loop.Now() // the client's clock stood still while its messages waited
	}
	c.settle()
}

// dropCalls forgets the calls that no worker has.
func (c *Conn) dropCalls() {
	for c.first != nil {
		k := c.first
		c.first = k.next
		c.calls--
		c.waiting--
		c.waitBytes -= k.size
		c.hub().rt.callsWaiting.Add(-1)
		k.free()
	}
	c.last = nil
}
