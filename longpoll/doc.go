// Package longpoll carries hub connections over plain HTTP requests: what the client says comes in POSTs, what the hub says leaves as an event
// stream or in the answers to polls. Wire contract, sections 5 to 8.
//
// Everything runs on the loop that the hub connection belongs to. Requests that come in elsewhere, on another loop or on a goroutine of
// net/http, get there by posting; what they hold is one Post or one Waiter. A poll that waits, and a stream on an engine connection, cost no goroutine.
package longpoll

import "github.com/spokehub/spoke/engine"

// Receiver is the hub's side of a connection. All methods run on the connection's loop.
type Receiver interface {
	// OnPayload gets the next bytes of the client's stream; where POSTs begin and end means nothing. p is void after the call. It is not called
	// while reading is paused.
	OnPayload(p []byte)
	// OnDrain says that the bytes waiting to go out have fallen below the cap after having been over it.
	OnDrain()
	// OnDeadline says that the second set by SetDeadline has come.
	OnDeadline(now uint32)
	// OnClosed is the last call, and comes exactly once.
	OnClosed(r engine.CloseReason, err error)
}

// Limits of what may wait to go out to one client. The hard ones are looked at before each piece, so a single large one passes. The zero value of each has the stated default.
type Limits struct {
	Outbound    int // bytes over which there is no room for more of what can wait (streams); default 64 KiB
	OutboundMax int // bytes over which the next piece ends the connection; frames that others share count in full; default 64 MiB
	OwnedMax    int // likewise, of the bytes that nobody shares; default 1 MiB
	FramesMax   int // frames at which the next one ends it; default 65,536
}

// Defaults fills in what is zero.
func (l Limits) Defaults() Limits {
	for _, f := range []struct {
		p   *int
		def int
	}{{&l.Outbound, 64 << 10}, {&l.OutboundMax, 64 << 20}, {&l.OwnedMax, 1 << 20}, {&l.FramesMax, 1 << 16}} {
		if *f.p <= 0 {
			*f.p = f.def
		}
	}
	return l
}
