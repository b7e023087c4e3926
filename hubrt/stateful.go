package hubrt

import (
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// OffersStateful reports whether a client that asks for stateful reconnect may have it now (wire contract, section 18.1): not while what is kept for it is over
// RuntimeConfig.StatefulMemory. Any goroutine.
func (h *Hub) OffersStateful() bool { return h.opt.StatefulReconnect && !h.rt.overStateful() }

var errSequence = &namedError{"InvalidOperationException", "Sequence ID greater than amount of messages we've received."}

// repeated counts a message, and reports that it has been handled before, so that it is dropped (wire contract, section 18.5). Either way an Ack is due: the client sends
// messages again because it has not seen one.
func (c *Conn) repeated(k codec.Kind) bool {
	r := c.resumable()
	if r == nil || !counted(k) {
		return false
	}
	if r.ackAt == 0 {
		r.ackAt = c.shard.loop.Now() + 1
		c.arm()
	}
	id := r.expected
	r.expected++
	if id <= r.done {
		return true
	}
	r.done = id
	return false
}

// acked takes an Ack, sequenced a Sequence. They are ignored where stateful reconnect was not agreed, and an Ack where nothing is kept.
func (c *Conn) acked(n int64) {
	r := c.resumable()
	if r == nil || !r.agreed {
		return
	}
	r.out.acknowledge(n)
	r.forward()
	c.goOn()
}

func (c *Conn) sequenced(n int64) {
	r := c.resumable()
	switch {
	case r == nil:
	case n > max(r.expected, r.done+1): // the reference knows expected alone, and ends a connection that is lost again in the midst of what the client repeats
		c.fail(engine.ProtocolError, errSequence)
	default:
		r.expected = n
	}
}

// goOn lets streams go on that have waited for room.
func (c *Conn) goOn() {
	if l := c.lively(); l != nil && c.link != nil && c.link.Room() {
		l.running.drained(c)
	}
}

// acknowledge sends the Ack that is due: at most one a second (wire contract, section 18.3).
func (c *Conn) acknowledge(now uint32) {
	if r := c.resumable(); r != nil && r.ackAt != 0 && now >= r.ackAt {
		r.ackAt = 0
		c.control(c.protocol().AppendAck(c.shard.local.scratch(), r.done))
	}
}

// Lost is Closed for a transport that has gone without a word from the client. It reports whether the connection goes on without one, for Options.DisconnectTimeout or until
// Resume; otherwise nothing has happened, and what is due is Closed. Loop only.
func (c *Conn) Lost(reason engine.CloseReason) (kept bool) {
	r := c.resumable()
	rt := c.hub().rt
	if r == nil || !r.agreed || c.state != stateOpen || c.flags&(flagLeaving|flagDraining) != 0 || c.gone.Load() || rt.draining.Load() || rt.overStateful() {
		return false
	}
	r.link = nil
	r.reason = reason
	// What has not been handled has no number yet: the client sends it again.
	if !c.is(flagBusy) {
		c.empty()
		c.tidy()
	}
	l := r.out.ledger
	l.leaves(r)
	r.timer = l.local.loop.AfterFunc(c.hub().opt.DisconnectTimeout, r.expire)
	return true
}

// expire ends a connection to which nobody has come back, as if it had ended when it was lost.
func (r *resumable) expire() {
	r.out.ledger.expired.Add(1)
	r.drop(r.reason, nil)
}

func (r *resumable) stopWindow() {
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	r.out.ledger.returns(r)
}

// Resumable reports whether Resume would succeed. Loop only.
func (c *Conn) Resumable() bool {
	return c.Stateful() && c.state == stateOpen && !c.is(flagLeaving) && !c.gone.Load()
}

// Resume gives the connection another transport: a Sequence goes out, then all that the client has not acknowledged (wire contract, section 18.5). A transport that it still
// has is ended; the new one wins, since a client that comes back knows better than we do whether the old one lives. false: the connection has ended, or never was
// Stateful; then nothing has happened. Loop only.
func (c *Conn) Resume(link Link) bool {
	if !c.Resumable() {
		return false
	}
	r := c.resumable()
	if old := r.link; old != nil {
		r.link = nil
		c.empty() // as in Lost
		old.SetDeadline(0)
		old.End(engine.Replaced, nil)
	}
	r.stopWindow()
	r.out.ledger.resumed.Add(1)
	now := c.shard.loop.Now()
	r.link = link
	c.seen = now
	if c.pingAt != 0 && c.pingAt <= now {
		c.pingAt = now + c.hub().keepAlive
	}
	if c.is(flagPaused) {
		link.PauseRead()
	}
	c.control(c.protocol().AppendSequence(c.shard.local.scratch(), r.out.first))
	if r.done > 0 {
		// At once, though no second has passed: a client that is lost again soon after each return would otherwise repeat more and more.
		r.ackAt = 0
		c.control(c.protocol().AppendAck(c.shard.local.scratch(), r.done))
	}
	r.out.rewind()
	r.forward()
	c.arm()
	c.goOn()
	c.settle()
	return true
}
