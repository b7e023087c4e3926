package hubrt

import "github.com/spokehub/spoke/engine"

// The timers of wire contract, section 17, share the connection's one deadline. It is the next of them; a message from the client does not
// move it, so that receiving costs a store: what was due then is looked at when the deadline comes.

// startPings sets the first ping.
func (c *Conn) startPings() {
	c.pingAt = 0
	if c.transport != LongPolling {
		c.pingAt = c.shard.after(c.hub().keepAlive)
	}
	c.arm()
}

// arm sets the deadline.
func (c *Conn) arm() {
	at := c.pingAt
	if c.is(flagPinged) && !c.is(flagLeaving) {
		if t := c.seen + c.hub().clientTimeout + 1; at == 0 || t < at {
			at = t
		}
	}
	if c.link == nil {
		return
	}
	if r := c.resumable(); r != nil && r.ackAt != 0 && (at == 0 || r.ackAt < at) {
		at = r.ackAt
	}
	c.link.SetDeadline(at)
}

// Deadline says that the second set by Link.SetDeadline has come.
func (c *Conn) Deadline(now uint32) {
	switch {
	case c.state == stateHandshake:
		if now >= c.pingAt {
			c.failHandshake(engine.HandshakeTimeout, textHandshakeCanceled, errHandshakeTimeout)
			return
		}
	case c.state != stateOpen:
		return
	case c.is(flagLeaving):
		if now >= c.pingAt {
			c.leaveNow()
			return
		}
	default:
		c.retireMeter(c.shard.local.now(c.hub().rt))
		if !c.heard(now) {
			c.fail(engine.ClientTimeout, errClientTimeout)
			return
		}
		if c.pingAt != 0 && now >= c.pingAt {
			c.ping(now)
		}
		c.acknowledge(now)
	}
	if c.state <= stateOpen {
		c.arm()
	}
}

var errHandshakeTimeout = &namedError{"OperationCanceledException", "The handshake did not come within the configured HandshakeTimeout."}

// ping sends the shared ping and sets the next one: at a fixed interval, whatever else is sent (trap 9). A herd of clients that came in one second would be pinged in
// one second for ever; so once in its life each connection's interval is shorter, by up to a third, as its id has it.
func (c *Conn) ping(now uint32) {
	every := c.hub().keepAlive
	c.pingAt += every
	if !c.is(flagShifted) {
		c.flags |= flagShifted
		c.pingAt -= uint32(c.id[15]) % (every/3 + 1)
	}
	if c.pingAt <= now { // a loop that was late
		c.pingAt = now + every
	}
	c.link.Send(c.protocol().ping)
}

// heard says whether the client has been heard in time. The clock has not begun before the client's first ping, and stands still while messages wait to be
// dispatched or reading is paused (trap 8).
func (c *Conn) heard(now uint32) bool {
	switch {
	case !c.is(flagPinged):
		return true
	case c.box.callsWait() || c.flags&(flagPaused|flagConnecting|flagRate|flagFull) != 0:
		c.seen = now
		return true
	}
	return now-c.seen <= c.hub().clientTimeout
}

// pinged takes the client's ping, which is never answered. The first one starts the client timeout.
func (c *Conn) pinged() {
	if !c.is(flagPinged) {
		c.flags |= flagPinged
		c.arm()
	}
}
