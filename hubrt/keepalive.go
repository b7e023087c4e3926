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
	switch {
	case !c.is(flagShifted):
		c.flags |= flagShifted
		c.pingAt -= uint32(c.id[15]) % (every/3 + 1)
	case c.is(flagPinged) && every >= minRide:
		c.pingAt++ // so that the next one of a client with the same interval comes before it
	}
	if c.pingAt <= now { // a loop that was late
		c.pingAt = now + every
	}
	c.link.Send(c.protocol().ping)
}

// minRide is the shortest interval, in seconds, at which pings ride on those of the client.
const minRide = 6

// ride sends the ping that is due within the last third of the interval now, because the client's has just come: its socket has just been used, so sending costs less than
// later, and carries the acknowledgement that TCP would otherwise send by itself. Clients ping at the same interval as we do, by default; once in a
// connection's life, instead of the interval that is shorter, up to two thirds are left out to come to where theirs is. It never becomes longer by that than it
// may be (wire contract, section 17: more than it on a tick of one second).
func (c *Conn) ride() {
	every := c.hub().keepAlive
	early := every / 3
	if !c.is(flagShifted) {
		early *= 2
	}
	if every < minRide || c.pingAt == 0 || !c.is(flagPinged) || c.is(flagLeaving) || c.state != stateOpen || c.pingAt > c.shard.loop.Now()+early {
		return
	}
	c.flags |= flagShifted
	c.pingAt = c.shard.after(every)
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

// pinged takes the client's ping, which is never answered, but may be the occasion for ours. The first one starts the client timeout.
func (c *Conn) pinged() {
	c.ride()
	if !c.is(flagPinged) {
		c.flags |= flagPinged
		c.arm()
	}
}
