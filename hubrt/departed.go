package hubrt

// A connection whose transport has gone costs no socket any more, so nothing but the number of those bounds how many wait for the workers: for their disconnected event, or for
// a turn that they had asked for. While all workers block, clients that come and go would add one each. So they are counted, and over RuntimeConfig.MaxDeparted whoever lets connections
// in must not: then there are at most so many, and those that were there already.

// Crowded says that too many connections wait for the workers after their transport has gone: no more should be let in. Any goroutine.
func (h *Hub) Crowded() bool { return h.rt.departed.Load() >= int64(h.rt.cfg.MaxDeparted) }

// lag counts the connection, whose transport has gone, if it waits for the workers. Loop only.
func (c *Conn) lag() {
	if c.flags&(flagHook|flagTurn) != 0 {
		c.flags |= flagDeparted
		c.hub().rt.departed.Add(1)
	}
}

// caughtUp undoes lag when the wait is over. Loop only.
func (c *Conn) caughtUp() {
	if c.is(flagDeparted) && c.flags&(flagHook|flagTurn) == 0 {
		c.flags &^= flagDeparted
		c.hub().rt.departed.Add(-1)
	}
}

// orphaned is for an answer whose loop has ended meanwhile, so that nobody else is at work on the connection. A call has nobody left to answer; an event is the last that is counted of its connection.
func (k *call) orphaned() {
	c := k.conn
	if k.kind == kindCall || c.state != stateClosed {
		return
	}
	rt := c.hub().rt
	if k.kind == kindConnected && k.err == nil && c.hub().disconnected != nil {
		rt.eventsDropped.Add(1)
	}
	c.flags &^= flagHook | flagSubmitted | flagTurn
	c.caughtUp()
	rt.connections.Add(-1)
	rt.done()
}
