package hubrt

import (
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// ending is how a connection ends.
type ending struct {
	reason  engine.CloseReason
	cause   error // for the disconnected event and the log
	failure error // of the disconnected event
}

// closeGrace is how many seconds a client that has sent Close waits at most for its running calls.
const closeGrace = 5

// Hangup ends the connection because the client has asked its transport for that: with a Close message, if one can still be sent, that lets it come back
// (wire contract, section 16).
func (c *Conn) Hangup() {
	if c.state == stateHandshake {
		c.refuse(engine.ClientClosed, nil)
		return
	}
	c.end(engine.ClientClosed, nil, "", true)
}

// fail ends the connection because of err: row L, with permission to reconnect.
func (c *Conn) fail(r engine.CloseReason, err error) {
	c.end(r, err, c.hub().closeText(err), true)
}

// end ends an open connection: the Close message, then nothing more is sent or read, the context ends, the disconnected event runs, and the transport ends
// (wire contract, sections 12.1 and 16). cause is what the disconnected event gets; text "" is a Close without an error.
func (c *Conn) end(r engine.CloseReason, cause error, text string, reconnect bool) {
	if c.state != stateOpen {
		return
	}
	if r := c.resumable(); r != nil {
		r.flush()
	}
	c.control(c.protocol().AppendClose(c.shard.local.scratch(), text, reconnect))
	if c.state != stateOpen {
		return // the transport has gone over it
	}
	c.state = stateEnding
	c.setEnded(&ending{reason: r, cause: cause})
	c.release()
	c.link.SetDeadline(0)
	c.depart()
}

// Closed says that the transport has gone. err is the cause for the disconnected event: nil for an ordinary end. What the
// hub itself ended the connection with goes before r and err.
func (c *Conn) Closed(r engine.CloseReason, err error) {
	if c.state == stateClosed {
		return
	}
	if c.ended() == nil {
		c.setEnded(&ending{reason: r, cause: err})
	}
	c.state = stateClosed
	c.dropKept()
	c.link = nil
	c.release()
	c.forget()
	c.depart()
	c.lag()
}

// release lets go of all that an ended connection does not need.
func (c *Conn) release() {
	c.context().leave()
	c.withdraw()
	c.dropKept()
	c.dropCalls()
	c.dropLive()
	if !c.is(flagBusy) {
		c.empty()
	}
	c.tidy()
}

// depart takes the next step of the end that can be taken: the connected event must have ended, then the disconnected event runs, if the connected one has
// succeeded, then the transport ends, then nothing is left.
func (c *Conn) depart() {
	if c.is(flagConnecting) && !c.is(flagSubmitted) {
		c.flags &^= flagConnecting | flagHook // no worker has seen it, so there has been no connected event
	}
	if c.is(flagHook) {
		return
	}
	if c.is(flagConnected) {
		c.flags &^= flagConnected
		if c.hub().disconnected != nil {
			c.hook()
			return
		}
	}
	switch c.state {
	case stateEnding:
		c.state = stateEnded
		if e := c.ended(); e.failure != nil {
			c.link.Fail(e.failure) // wire contract, section 4: the failure lay outside the message loop
		} else {
			c.link.End(e.reason, e.cause)
		}
	case stateClosed:
		rt := c.hub().rt
		rt.connections.Add(-1)
		rt.done()
	}
}

// closedByClient takes a Close message: what the client has sent before is still answered, nothing behind it is read.
func (c *Conn) closedByClient(m *codec.Message) {
	c.flags |= flagLeaving
	if l := c.lively(); l != nil {
		l.results.drop(c) // there will be no answers: nothing more is read
	}
	c.stopStreams(errConnectionClosed)
	if m.HasError {
		c.setEnded(&ending{cause: &Error{string(m.Error)}})
	}
	s := c.shard
	c.pingAt = s.after(closeGrace)
	c.arm()
}

// finishLeaving ends a connection that only waited for its calls: one that the client has closed, or one that is drained.
func (c *Conn) finishLeaving() {
	if c.state != stateOpen || c.box.calling() || c.box.answering() || c.streaming() || c.flags&(flagConnecting|flagBusy) != 0 {
		return
	}
	switch {
	case c.is(flagLeaving):
		c.leaveNow()
	case c.is(flagDraining):
		c.end(engine.Shutdown, nil, "", true)
	}
}

// leaveNow answers the client's Close with a plain one (wire contract, section 16).
func (c *Conn) leaveNow() {
	var cause error
	if e := c.ended(); e != nil {
		cause = e.cause
	}
	c.end(engine.ClientClosed, cause, "", false)
}
