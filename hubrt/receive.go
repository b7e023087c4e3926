package hubrt

import (
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// Receive takes the next bytes of the client's stream; p is void after the call. It takes everything: over its input buffer it
// pauses the link.
//
// Records are handled where they lie in p. Only what cannot be handled now is copied: an incomplete record, and what
// has to wait for the connected event or for the rate limiter.
func (c *Conn) Receive(p []byte) {
	if !c.receiving() {
		return
	}
	c.flags |= flagBusy
	if c.box.input() && c.reading() {
		p = c.complete(p)
	}
	if !c.box.input() && c.reading() {
		p = p[c.consume(p):]
	}
	c.hold(p)
	c.flags &^= flagBusy
	c.settle()
}

// receiving says whether the client's bytes still matter; reading, whether they may be handled now.
func (c *Conn) receiving() bool { return c.state <= stateOpen && !c.is(flagLeaving) }

func (c *Conn) reading() bool {
	return c.receiving() && c.flags&(flagConnecting|flagRate|flagFull) == 0
}

// complete adds of p to the input what the incomplete record there lacks, handles that record, and returns the rest of p.
// It copies in pieces that grow with the record, so bytes are copied, and searched, a bounded number of times, whatever sizes they come in.
func (c *Conn) complete(p []byte) []byte {
	for len(p) > 0 && c.box.input() && c.reading() {
		old := len(c.box.in.b)
		n := min(len(p), max(old, minBuffer))
		c.append(p[:n])
		used := c.step(c.box.in.b)
		switch {
		case used > old:
			p = p[used-old:] // the record ended within the new bytes, and the rest of them is better handled where it lies
			c.empty()
		case used > 0:
			p = p[n:]
			c.discard(used)
		default:
			p = p[n:]
		}
	}
	return p
}

// consume handles the whole records of src and returns how many bytes it has used.
func (c *Conn) consume(src []byte) int {
	used := 0
	for used < len(src) && c.reading() {
		n := c.step(src[used:])
		if n == 0 {
			break
		}
		used += n
	}
	return used
}

// step handles the first record of src and returns the bytes that it took. 0: there is no whole record, or it must wait,
// or the connection has ended over it.
func (c *Conn) step(src []byte) int {
	if c.state == stateHandshake {
		return c.handshake(src)
	}
	rec, n, err := c.next(src)
	if err != nil {
		c.fail(engine.MessageTooLarge, err)
		return 0
	}
	if n == 0 {
		c.mailbox().scanned = uint32(len(src))
		return 0
	}
	c.box.found()
	limited := false
	if l := c.hub().limiter; l != nil {
		var pass bool
		if pass, limited = c.admit(n); !pass {
			return 0
		}
	}
	s := c.shard
	s.local.counters.messagesIn.Add(1)
	c.seen = s.loop.Now()
	m := &s.local.message
	if err := c.protocol().Decode(rec, m); err != nil {
		c.fail(engine.ProtocolError, err)
		return n
	}
	if c.repeated(m.Kind) {
		return n
	}
	if limited {
		c.reject(m)
		return n
	}
	c.dispatch(m)
	return n
}

// next finds the first record in src.
func (c *Conn) next(src []byte) (rec []byte, n int, err error) {
	p := c.protocol()
	if p.resume != nil {
		return p.resume.NextFrom(src, c.box.searched(), c.hub().opt.MaxMessage)
	}
	return p.Next(src, c.hub().opt.MaxMessage)
}

// hold keeps what is left of the client's bytes.
func (c *Conn) hold(p []byte) {
	if len(p) > 0 && c.receiving() {
		c.append(p)
	}
}

// resume goes on with the input once it has no more to wait for.
func (c *Conn) resume() {
	c.work()
	c.settle()
}

// work handles what can be handled of the input.
func (c *Conn) work() {
	if c.box.input() && c.reading() {
		c.flags |= flagBusy
		c.discard(c.consume(c.box.in.b))
		c.flags &^= flagBusy
	}
}

// settle does what waits for the end of a batch of records: the batch's calls go out as one job, the input buffer of a connection that has ended is
// freed, reading is paused or resumed. It comes last in whatever happens on the loop, since resuming may bring the next bytes.
func (c *Conn) settle() {
	c.pump()
	for c.is(flagFull) && !c.is(flagBusy) && c.box.bytes() <= c.inputLimit()/2 {
		c.flags &^= flagFull
		c.work()
		c.pump()
	}
	if !c.receiving() && !c.is(flagBusy) {
		c.empty()
	}
	c.finishLeaving()
	c.tidy()
	c.throttle()
}

// throttle pauses reading over Options.InputBuffer bytes of unread input and waiting calls, and resumes at half; and pauses while the client is over its
// rate or the workers have too much. A record that is only incomplete does not count: it needs what comes behind it.
func (c *Conn) throttle() {
	if c.state > stateOpen || c.is(flagBusy) {
		return
	}
	limit := c.hub().opt.InputBuffer
	bytes := c.box.bytes()
	if c.box.input() && !c.reading() {
		bytes += len(c.box.in.b)
	}
	if bytes > limit/2 {
		limit = c.inputLimit()
	}
	wait := flagRate | flagTurn | flagFull
	if c.lively() != nil {
		wait &^= flagTurn // workers may wait for what the client sends: an answer, a cancel; and what streams needs no worker
	}
	pause := c.flags&wait != 0 || bytes > limit || c.is(flagPaused) && bytes > limit/2
	switch {
	case pause == c.is(flagPaused):
	case c.is(flagLeaving) && pause:
		// What comes is thrown away, and the end of the transport should be seen.
	case pause:
		c.flags |= flagPaused
		c.link.PauseRead()
	default:
		c.flags &^= flagPaused
		c.seen = c.shard.loop.Now() // the client could not be heard
		c.link.ResumeRead()
	}
}

// append adds p to the input.
func (c *Conn) append(p []byte) {
	m := c.mailbox()
	if m.in == nil {
		m.in = getBuffer(len(p))
	} else {
		m.in = m.in.grow(len(p))
	}
	m.in.b = append(m.in.b, p...)
}

// discard drops the first n bytes of the input.
func (c *Conn) discard(n int) {
	switch {
	case !c.box.input() || n == 0:
	case n == len(c.box.in.b):
		c.empty()
	default:
		rest := c.box.in
		c.box.in = nil
		c.append(rest.b[n:]) // into a buffer of its own size
		rest.free()
	}
}

// empty returns the input's buffer.
func (c *Conn) empty() {
	if m := c.box; m != nil {
		m.in.free()
		m.in = nil
		m.scanned = 0
	}
}

// dispatch handles one message (wire contract, sections 10, 12 and 16).
func (c *Conn) dispatch(m *codec.Message) {
	switch m.Kind {
	case codec.Invocation:
		c.invoke(m, false)
	case codec.StreamInvocation:
		c.invoke(m, true)
	case codec.Ping:
		c.pinged()
	case codec.Close:
		c.closedByClient(m)
	case codec.StreamItem:
		c.item(m)
	case codec.Completion:
		if !c.uploaded(m) {
			c.replied(m)
		}
	case codec.CancelInvocation:
		c.cancel(m)
	case codec.Ack:
		c.acked(m.SequenceID)
	case codec.Sequence:
		c.sequenced(m.SequenceID)
	default:
		// Unknown kinds are skipped (trap 13).
	}
}
