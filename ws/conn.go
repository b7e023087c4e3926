package ws

import "github.com/spokehub/spoke/engine"

// Conn is a Socket by itself, with a Receiver for what comes in; it is the engine connection's handler. All methods belong to the connection's loop.
type Conn struct {
	Socket
	cfg  *Config
	recv Receiver
}

var defaults Config

var _ engine.Handler = (*Conn)(nil)

// NewConn makes the state machine; the caller has queued the 101 response, or does so in the same call on the loop, and makes it
// the engine connection's handler. cfg may be nil. From here on the engine connection's deadline is the Conn's: a handler that hands over clears its own
// before this call, not after it.
func NewConn(ec *engine.Conn, cfg *Config, recv Receiver) *Conn {
	if cfg == nil {
		cfg = &defaults
	}
	c := &Conn{cfg: cfg, recv: recv}
	c.Begin(ec, cfg)
	return c
}

// ResumeRead is Socket.ResumeRead.
func (c *Conn) ResumeRead() { c.Socket.ResumeRead((*owner)(c)) }

// Close is Socket.Close.
func (c *Conn) Close(code uint16, r engine.CloseReason, err error) {
	c.Socket.Close((*owner)(c), code, r, err)
}

// OnData implements engine.Handler.
func (c *Conn) OnData(_ *engine.Conn, p []byte) int { return c.Socket.OnData((*owner)(c), p) }

// OnEOF implements engine.Handler.
func (c *Conn) OnEOF(*engine.Conn) { c.Socket.OnEOF((*owner)(c)) }

// OnDrain implements engine.Handler.
func (c *Conn) OnDrain(*engine.Conn) { c.Socket.OnDrain((*owner)(c)) }

// OnDeadline implements engine.Handler.
func (c *Conn) OnDeadline(_ *engine.Conn, now uint32) { c.Socket.OnDeadline((*owner)(c), now) }

// OnClose implements engine.Handler.
func (c *Conn) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	c.Socket.OnClose((*owner)(c), r, err)
}

// owner is a Conn as the Owner of its Socket.
type owner Conn

func (o *owner) Config() *Config       { return o.cfg }
func (o *owner) OnPayload(p []byte)    { o.recv.OnPayload((*Conn)(o), p) }
func (o *owner) OnDrain()              { o.recv.OnDrain((*Conn)(o)) }
func (o *owner) OnDeadline(now uint32) { o.recv.OnDeadline((*Conn)(o), now) }

func (o *owner) OnClosed(r engine.CloseReason, graceful bool, code uint16, err error) {
	o.recv.OnClosed((*Conn)(o), r, graceful, code, err)
}
