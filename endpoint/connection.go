package endpoint

import (
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/ws"
)

// connection is one SignalR connection of an endpoint, and the glue between its WebSocket and its hub connection: it is the
// former's ws.Receiver and the latter's hubrt.Link. One object for all three jobs, because there may be a million.
type connection struct {
	endpoint *Endpoint
	socket   *ws.Conn    // loop; nil until the transport has come
	hub      *hubrt.Conn // loop
	id       hubrt.ID
	token    token
	// transport is under the registry shard's mu; 0: parked. It changes once.
	transport Transports
	binary    bool // loop: the transfer format that the handshake chose
}

// ws.Receiver

func (c *connection) OnPayload(_ *ws.Conn, p []byte) { c.hub.Receive(p) }

func (c *connection) OnDrain(*ws.Conn) {}

func (c *connection) OnDeadline(_ *ws.Conn, now uint32) { c.hub.Deadline(now) }

// OnClosed removes the connection at once, however it ended (wire contract, section 4).
func (c *connection) OnClosed(_ *ws.Conn, r engine.CloseReason, _ bool, _ uint16, err error) {
	c.endpoint.set.registry.remove(c)
	c.hub.Closed(r, err)
}

// hubrt.Link

func (c *connection) Ref() engine.Ref       { return c.socket.Engine().Ref() }
func (c *connection) Format(binary bool)    { c.binary = binary }
func (c *connection) Send(f *engine.Frame)  { c.socket.Send(f) }
func (c *connection) Write(records []byte)  { c.socket.Write(c.binary, records) }
func (c *connection) PauseRead()            { c.socket.PauseRead() }
func (c *connection) ResumeRead()           { c.socket.ResumeRead() }
func (c *connection) SetDeadline(at uint32) { c.socket.SetDeadline(at) }

// End closes with 1000 and no reason, also for a hub's errors (wire contract, trap 20).
func (c *connection) End(r engine.CloseReason, err error) { c.socket.Close(1000, r, err) }

// Fail closes with 1011: the fault lay outside the hub's message loop.
func (c *connection) Fail(err error) { c.socket.Close(1011, engine.InternalError, err) }
