package hubrt

// live is what is under way on a connection beside its calls, and has ids by which the client speaks of it. A connection that streams nothing, and is asked
// nothing, has none: see mailbox.live. Loop only.
type live struct {
	uploads uploads // streams from the client
	running running // what the client can cancel
	results results // what the client has been asked
}

// live makes sure that the connection has one.
func (c *Conn) live() *live {
	m := c.mailbox()
	if m.live == nil {
		m.live = new(live)
	}
	return m.live
}

// under is how many streams and questions count for Options.MaxStreams.
func (l *live) under() int { return l.running.slots + l.results.n }

// lively is nil for a connection that has none.
func (c *Conn) lively() *live {
	if c.box == nil {
		return nil
	}
	return c.box.live
}

// idle lets go of a live that holds nothing any more. It comes before tidy.
func (c *Conn) idle() {
	if l := c.lively(); l != nil && l.uploads.empty() && l.running.empty() && l.results.empty() {
		c.box.live = nil
	}
}

// dropLive ends everything that is under way, because the connection has ended: uploads fail, streams and calls are cancelled, who waits for
// the client's answer is told.
func (c *Conn) dropLive() {
	l := c.lively()
	if l == nil {
		return
	}
	l.uploads.drop(c)
	l.running.drop(c)
	l.results.drop(c)
	c.idle()
}
