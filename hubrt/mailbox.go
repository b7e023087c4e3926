package hubrt

import "github.com/spokehub/spoke/engine"

// mailbox is what waits of a connection: unread input, and calls. A connection at rest has none. Loop only.
type mailbox struct {
	in      *buffer // received and not yet consumed; nil when empty
	scanned uint32  // bytes of in that are known to hold no end of a record

	jobs        uint16 // out with workers
	asking      uint16 // of these: wait for a client's answer, and have given their place back
	chain       *call  // the first unfinished call of the one job that may have several; nil: none is out
	first, last *call  // calls that wait for their predecessors or for a worker
	calls       uint32 // accepted and not finished
	waiting     uint32 // of these: not handed to a worker, or behind another there
	waitBytes   uint32 // of the waiting calls and of the queued replies
	replies     uint32 // replies of inline calls that are queued to the loop

	live *live // nil: nothing is under way

	spare *mailbox // the next one in local.mailboxes
}

// maxSpare is how many mailboxes a loop keeps for the next connections that need one.
const maxSpare = 1024

// mailbox makes sure that the connection has one. What one points to is void after calling anything outside, as that may end the connection.
func (c *Conn) mailbox() *mailbox {
	if c.box != nil {
		return c.box
	}
	l := c.shard.local
	if c.box = l.mailboxes; c.box == nil {
		c.box = new(mailbox)
		return c.box
	}
	l.mailboxes = c.box.spare
	l.spare--
	c.box.spare = nil
	return c.box
}

// tidy gives an empty mailbox back.
func (c *Conn) tidy() {
	if c.box == nil || c.is(flagBusy) || *c.box != (mailbox{}) {
		return
	}
	if l := c.shard.local; l.spare < maxSpare {
		c.box.spare = l.mailboxes
		l.mailboxes = c.box
		l.spare++
	}
	c.box = nil
}

// What follows is true of a connection without a mailbox, too.

func (m *mailbox) input() bool { return m != nil && m.in != nil }

func (m *mailbox) calling() bool { return m != nil && m.calls > 0 }

func (m *mailbox) answering() bool { return m != nil && m.replies > 0 }

func (m *mailbox) callsWait() bool { return m != nil && m.waiting > 0 }

// bytes are those of waiting calls, queued replies, and upload items beyond the streams' own buffers.
func (m *mailbox) bytes() int {
	if m == nil {
		return 0
	}
	n := int(m.waitBytes)
	if m.live != nil {
		n += m.live.uploads.over()
	}
	return n
}

// searched is from where the search for the end of a record goes on.
func (m *mailbox) searched() int {
	if m == nil {
		return 0
	}
	return int(m.scanned)
}

// found ends that search.
func (m *mailbox) found() {
	if m != nil {
		m.scanned = 0
	}
}

// maxJob is how many calls of one connection a worker gets at most before others have their turn.
const maxJob = 64

// enqueue puts a call behind those that wait. It goes out with pump, at the end of the batch of records. Small calls take more memory waiting than they took in the
// input, so over Options.InputBuffer the rest of the input stays as it came.
func (c *Conn) enqueue(k *call) {
	m := c.mailbox()
	if m.last == nil {
		m.first = k
	} else {
		m.last.next = k
	}
	m.last = k
	m.calls++
	m.waiting++
	m.waitBytes += k.size
	if n := m.bytes(); n > c.hub().opt.InputBuffer && n > c.inputLimit() {
		c.flags |= flagFull
	}
	c.hub().rt.callsWaiting.Add(1)
}

// job takes from the mailbox what one worker gets: the calls that have to run one after the other, or, where calls run side by side, one.
func (c *Conn) job() *call {
	m := c.box
	n := 1
	if c.hub().opt.MaxParallelCalls == 1 && m.asking == 0 {
		n = maxJob
	}
	first := m.first
	last := first
	for ; n > 1 && last.next != nil; n-- {
		last = last.next
	}
	m.first = last.next
	if m.first == nil {
		m.last = nil
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
	m := c.box
	last.next = m.first
	m.first = job
	if m.last == nil {
		m.last = last
	}
}

// takeBack takes back what a worker has not begun of a job of several calls, since the one that it runs may wait for long. Other workers get it.
func (c *Conn) takeBack() {
	m := c.box
	for k := m.chain; k != nil; k = k.next {
		if rest := k.cut(); rest != nil {
			m.chain = nil
			c.putBack(rest)
			return
		}
		if k.step.Load() == stepHeld {
			return // it comes back with k
		}
	}
}

// answerable reports whether calls may begin: there is room on the way out for their answers. Those that may not wait in the mailbox, and over Options.InputBuffer the client's input waits
// with them, so a client that asks faster than it takes answers is slowed down, not cut off. Drained goes on.
//
// With stateful reconnect they wait for the client's acknowledgement, too. That may lie behind other calls, so it is read past more of them: see inputLimit.
func (c *Conn) answerable() bool {
	r := c.resumable()
	switch {
	case c.link == nil:
		return true
	case r == nil || !r.agreed:
		return c.link.Room()
	case r.link != nil && !r.link.Room():
		return false
	}
	return !r.owed() || c.is(flagFull)
}

// inputLimit is how many bytes of waiting calls and unread input stop the reading.
func (c *Conn) inputLimit() int {
	opt := &c.hub().opt
	if r := c.resumable(); r != nil && r.agreed && r.owed() {
		return max(opt.InputBuffer, opt.StatefulMax)
	}
	return opt.InputBuffer
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
			k.kind, k.err = kindDisconnected, c.ended().cause
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
	m := c.box
	for m != nil && m.first != nil && int(m.jobs) < c.hub().opt.MaxParallelCalls+int(m.asking) && c.answerable() {
		job := c.job()
		size := job.size
		if !pool.submit(job, turn) {
			c.putBack(job)
			c.flags |= flagTurn
			return submitted
		}
		submitted = true
		if job.next != nil {
			m.chain = job
		}
		m.jobs++
		m.waiting--
		m.waitBytes -= size
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
	c.caughtUp()
	c.settle()
}

// called takes a finished call.
func (c *Conn) called(k *call) {
	m := c.box
	m.calls--
	step, next := k.step.Load(), k.next
	cut := step == stepCut || step == stepHeld
	if step == stepHeld {
		c.putBack(next)
	}
	if cut {
		next = nil // it is in the mailbox
	}
	if next != nil {
		// The worker is at it already, or has passed it.
		m.waiting--
		m.waitBytes -= next.size
	}
	if m.chain == k {
		m.chain = next
	}
	if k.last || cut {
		m.jobs--
	}
	c.answer(k)
	k.forget(c)
	k.free()
	if !c.box.callsWait() && c.state == stateOpen {
		c.seen = c.shard.loop.Now() // the client's clock stood still while its messages waited
	}
	c.settle()
}

// dropCalls forgets the calls that no worker has.
func (c *Conn) dropCalls() {
	m := c.box
	if m == nil {
		return
	}
	for m.first != nil {
		k := m.first
		m.first = k.next
		m.calls--
		m.waiting--
		m.waitBytes -= k.size
		c.hub().rt.callsWaiting.Add(-1)
		k.forget(c)
		k.free()
	}
	m.last = nil
}
