package engine

// Handler receives a connection's events. All methods run on the connection's loop and must not block. Inside any of them
// every method of any connection of that loop may be called; the engine never calls a handler from within such a call.
type Handler interface {
	// OnData gets the bytes that were read, after those that the last call left. It returns how many it has consumed; the
	// rest is kept and shown again, with what comes behind it. p belongs to the handler during the call (it may be changed
	// in place) and is void afterwards. A handler that leaves bytes is called again only when more has come, or after
	// ResumeRead or SetHandler (once, in the same iteration, even if nothing more has come).
	OnData(c *Conn, p []byte) (n int)
	// OnEOF says that the peer has ended its direction; everything before it has been shown to OnData. A handler that
	// does not close here keeps writing to a half-closed connection. It comes once per handler: one that takes over a
	// connection after its end is told too.
	OnEOF(c *Conn)
	// OnDrain says that the bytes waiting to go out have fallen to half the outbound cap after having been over the cap.
	OnDrain(c *Conn)
	// OnDeadline says that the second set by SetDeadline has come. The deadline is cleared before the call.
	OnDeadline(c *Conn, now uint32)
	// OnClose is the last call, and comes exactly once. The descriptor is gone already; err may be nil.
	OnClose(c *Conn, r CloseReason, err error)
}

// Idler is a Handler that knows when nothing is under way in either direction: its peer has read all that was sent, and has not begun to send. Such connections do not
// hold Shutdown up until their peers, which may not look at them, have closed too.
type Idler interface {
	// Idle is called on the loop.
	Idle() bool
}
