package hubrt

import "github.com/spokehub/spoke/engine"

// Link is a hub connection's way out. The transports implement it; all methods on the connection's loop. A Link may call
// Conn.Closed from within any of them, and is not called any more after that.
type Link interface {
	// Loop is the one to which the connection belongs for life.
	Loop() *engine.Loop
	// Format says once, after a successful handshake and before its response is written, whether messages are binary from now on.
	Format(binary bool)
	// Send sends a shared frame of the connection's Framing.
	Send(f *engine.Frame)
	// Write sends whole records, copied, as (a part of) one transport message.
	Write(records []byte)
	// Room reports that what waits to go out is below the transport's cap. Once it has said no, the transport calls Conn.Drained when there is room again.
	Room() bool
	PauseRead()
	ResumeRead()
	// SetDeadline asks for Conn.Deadline at that second of the loop's clock; 0: never.
	SetDeadline(at uint32)
	// End ends the transport after what was written has gone (WebSocket: close frame 1000).
	End(r engine.CloseReason, err error)
	// Fail ends it with the transport's sign for an internal error (WebSocket: close frame 1011).
	Fail(err error)
}
