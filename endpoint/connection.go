package endpoint

import (
	"unsafe"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/ws"
)

// connection is one SignalR connection of an endpoint on its WebSocket, and the glue between that and its hub connection: it is the
// former's ws.Owner, the engine connection's handler, and the latter's hubrt.Link. One object for all jobs, 224 bytes, because there may be a million; what a broadcast touches comes first.
type connection struct {
	socket ws.Socket  // loop
	hub    hubrt.Conn // loop
	mode   *mode      // under the registry shard's mu; the loop, which alone changes it, reads it without
	token  token      // constant
}

// mode is what a connection shares with others of its endpoint: a pointer costs less than what it says. Constant.
type mode struct {
	endpoint  *Endpoint
	transport Transports
	binary    bool // the transfer format that the handshake has chosen
	stateful  bool // the client may come back to it with another WebSocket
}

// at implements places. Each hub connection in an index is the field of a connection, which is therefore found by its place in memory: a pointer to it, in another roster,
// would be one more for the collector to follow.
func (e *Endpoint) at(p hubrt.Place) *connection {
	h := e.hub.At(p)
	return (*connection)(unsafe.Add(unsafe.Pointer(h), -int(unsafe.Offsetof(connection{}.hub))))
}

// engine.Handler

func (c *connection) OnData(_ *engine.Conn, p []byte) int   { return c.socket.OnData((*owner)(c), p) }
func (c *connection) OnEOF(*engine.Conn)                    { c.socket.OnEOF((*owner)(c)) }
func (c *connection) OnDrain(*engine.Conn)                  { c.socket.OnDrain((*owner)(c)) }
func (c *connection) OnDeadline(_ *engine.Conn, now uint32) { c.socket.OnDeadline((*owner)(c), now) }
func (c *connection) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	c.socket.OnClose((*owner)(c), r, err)
}

// owner is a connection as the ws.Owner of its socket.
type owner connection

func (o *owner) Config() *ws.Config    { return &o.mode.endpoint.opt.WebSocket }
func (o *owner) OnPayload(p []byte)    { o.hub.Receive(p) }
func (o *owner) OnDrain()              { o.hub.Drained() }
func (o *owner) OnDeadline(now uint32) { o.hub.Deadline(now) }

// OnClosed removes the connection at once, however it ended (wire contract, section 4), unless its client may come back.
func (o *owner) OnClosed(r engine.CloseReason, graceful bool, _ uint16, err error) {
	c := (*connection)(o)
	if c.mode.stateful {
		c.lost(c, r, graceful, err)
		return
	}
	c.Dropped()
	c.hub.Closed(r, err)
}

// hubrt.Link

func (c *connection) Loop() *engine.Loop    { return c.socket.Engine().Loop() }
func (c *connection) Send(f *engine.Frame)  { c.socket.Send(f) }
func (c *connection) Write(records []byte)  { c.socket.Write(c.mode.binary, records) }
func (c *connection) Room() bool            { return !c.socket.Engine().Over() }
func (c *connection) PauseRead()            { c.socket.PauseRead() }
func (c *connection) ResumeRead()           { c.socket.ResumeRead((*owner)(c)) }
func (c *connection) SetDeadline(at uint32) { c.socket.SetDeadline(at) }

// Format changes to binary messages, and lets the client come back if that has been agreed on; all begin with text and without.
func (c *connection) Format(binary bool) {
	if m := c.mode.endpoint.mode(binary, c.hub.Stateful()); m != c.mode {
		m.endpoint.set.registry.change(c, m)
	}
}

// End closes with 1000 and no reason, also for a hub's errors (wire contract, trap 20).
func (c *connection) End(r engine.CloseReason, err error) { c.socket.Close((*owner)(c), 1000, r, err) }

// Fail closes with 1011: the fault lay outside the hub's message loop.
func (c *connection) Fail(err error) { c.socket.Close((*owner)(c), 1011, engine.InternalError, err) }
