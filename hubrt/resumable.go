package hubrt

import (
	"fmt"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// Keeper is who opened a connection whose client has asked for stateful reconnect.
type Keeper interface {
	// Dropped says that the connection ends while it has no transport, so nobody may come back to it any more. On its loop.
	Dropped()
}

// resumable is the Link of a connection whose client may come back to it after a loss (wire contract, section 18): it stands before the transport's own Link, numbers
// and keeps what is counted, and stays when the transport goes. A connection without the agreement has none, and costs nothing more. Loop only.
type resumable struct {
	conn   *Conn
	keeper Keeper // nil: nobody may come back, and all that is done is to count and acknowledge
	link   Link   // the transport's; nil: away
	agreed bool   // the handshake was of version 2, and there is a keeper

	waiting bool // replies wait for the client's acknowledgement
	out     backlog

	expected int64  // number of the next message from the client
	done     int64  // the highest that was handled
	ackAt    uint32 // second of the next Ack; 0: there is nothing to acknowledge

	// Away.
	timer          *engine.Timer
	since          int64 // see ledger.oldest; 0: not away
	before, behind *resumable
	reason         engine.CloseReason // why the transport has gone
}

// sharedFactor is how much more a client may let wait of what is shared with others than of what is its own: the former costs a pointer.
const sharedFactor = 16

// resumable is nil for a connection that ends with its transport.
func (c *Conn) resumable() *resumable {
	r, _ := c.link.(*resumable)
	return r
}

// agree is the end of the handshake: version 2 makes the agreement, any other ends it silently (wire contract, section 18.1).
func (c *Conn) agree(version int) {
	r := c.resumable()
	switch {
	case r == nil:
	case version == maxVersion:
		r.expected = 1
		if r.keeper == nil { // the reference keeps what it sends here, too, until there is an Ack; but nobody could ever ask for it
			return
		}
		r.agreed = true
		r.out.begin(&c.shard.local.ledger, c.protocol().Protocol, c.hub().opt.StatefulMax/2)
	default:
		c.link = r.link
	}
}

// Stateful reports whether the client may come back to the connection with another transport. Loop only.
func (c *Conn) Stateful() bool {
	r := c.resumable()
	return r != nil && r.agreed
}

// Carries reports whether link is the connection's transport: one that another has taken over from is not, and what becomes of it means nothing any more. Loop only.
func (c *Conn) Carries(link Link) bool {
	if r := c.resumable(); r != nil {
		return r.link == link
	}
	return c.link == link
}

// Loop implements Link.
func (r *resumable) Loop() *engine.Loop { return r.conn.shard.loop }

// Format implements Link.
func (r *resumable) Format(binary bool) { r.link.Format(binary) }

// Send implements Link. Pings are not counted (wire contract, section 18.2).
func (r *resumable) Send(f *engine.Frame) {
	if !r.agreed || f == r.conn.protocol().ping {
		if r.link != nil {
			r.link.Send(f)
		}
		return
	}
	if r.conn.state != stateOpen {
		return
	}
	r.out.addFrame(f)
	r.forward()
	r.bound()
}

// Write implements Link. What is written so waits while more than Options.StatefulBuffer is not acknowledged (wire contract, section 18.4).
func (r *resumable) Write(records []byte) {
	if !r.agreed {
		r.link.Write(records)
		return
	}
	r.write(records, true)
}

// push is Write for what nobody has asked for: its sender does not wait, so to hold it back would bound nothing.
func (r *resumable) push(records []byte) {
	if !r.agreed {
		r.link.Write(records)
		return
	}
	r.write(records, false)
}

func (r *resumable) write(records []byte, waits bool) {
	if r.conn.state != stateOpen {
		return
	}
	if r.link != nil && !r.out.pending() && r.link.Room() && !(waits && r.full()) {
		r.out.addSent(records)
		r.link.Write(records)
	} else {
		r.out.addRecords(records, waits)
	}
	r.bound()
}

// control sends a record that is not counted.
func (r *resumable) control(record []byte) {
	if r.link != nil {
		r.link.Write(record)
	}
}

// forward gives the transport what it may have now.
func (r *resumable) forward() {
	for r.link != nil && r.out.pending() && r.link.Room() {
		if r.out.pieces[r.out.cursor].waits && r.full() {
			return
		}
		r.out.forward().send(r.link)
	}
}

// flush gives it all.
func (r *resumable) flush() {
	for r.link != nil && r.out.pending() {
		r.out.forward().send(r.link)
	}
}

// full says that replies have to wait: more than the buffer is not acknowledged, and until it is less (wire contract, section 18.4).
func (r *resumable) full() bool {
	limit := r.conn.hub().opt.StatefulBuffer
	r.waiting = r.out.sent > limit || r.waiting && r.out.sent == limit
	return r.waiting
}

// owed says that so much of the client's own is not acknowledged that no more calls should add to it.
func (r *resumable) owed() bool { return r.out.owned > r.conn.hub().opt.StatefulMax/2 }

// Room implements Link.
func (r *resumable) Room() bool {
	switch {
	case !r.agreed:
		return r.link.Room()
	case r.out.bytes > r.conn.hub().opt.StatefulBuffer:
		return false
	}
	return r.link == nil || !r.out.pending() && r.link.Room()
}

// bound ends a connection that keeps too much: nothing else bounds what is sent to a client that does not acknowledge. One message of its own may have any size, as a buffer that is
// not full takes any (wire contract, section 18.4), and counts for nothing until its Ack; what stands around it is bounded as ever.
func (r *resumable) bound() {
	c := r.conn
	if c.state != stateOpen {
		return
	}
	most := c.hub().opt.StatefulMax
	switch {
	case r.out.owned-r.out.giant > most:
		r.overflow(fmt.Errorf("hubrt: the client has not acknowledged messages that take %d bytes, at most %d may wait beside one message (StatefulMax)", r.out.owned-r.out.giant, most))
	case r.out.shared > sharedFactor*most:
		r.overflow(fmt.Errorf("hubrt: the client has not acknowledged %d bytes of messages to many, at most %d may wait (%d times StatefulMax)", r.out.shared, sharedFactor*most, sharedFactor))
	case r.out.len() > maxPieces:
		r.overflow(fmt.Errorf("hubrt: the client has not acknowledged %d messages, at most %d may wait", r.out.len(), maxPieces))
	case r.out.ledger.over() && r.out.bytes > c.hub().opt.StatefulBuffer:
		r.overflow(c.hub().rt.errStatefulMemory())
	}
}

func (rt *Runtime) errStatefulMemory() error {
	return fmt.Errorf("hubrt: all connections together keep more for stateful reconnect than %d bytes (StatefulMemory)", rt.cfg.StatefulMemory)
}

func (r *resumable) overflow(err error) {
	r.out.drop() // it has to overtake what waits
	r.conn.fail(engine.OutboundOverflow, err)
}

// PauseRead implements Link.
func (r *resumable) PauseRead() {
	if r.link != nil {
		r.link.PauseRead()
	}
}

// ResumeRead implements Link.
func (r *resumable) ResumeRead() {
	if r.link != nil {
		r.link.ResumeRead()
	}
}

// SetDeadline implements Link. No clock but that of the way back runs while the client is away.
func (r *resumable) SetDeadline(at uint32) {
	if r.link != nil {
		r.link.SetDeadline(at)
	}
}

// End implements Link.
func (r *resumable) End(reason engine.CloseReason, err error) {
	if r.link != nil {
		r.link.End(reason, err)
	} else {
		r.drop(reason, err)
	}
}

// Fail implements Link.
func (r *resumable) Fail(err error) {
	if r.link != nil {
		r.link.Fail(err)
	} else {
		r.drop(engine.InternalError, err)
	}
}

// drop ends a connection that is away.
func (r *resumable) drop(reason engine.CloseReason, err error) {
	r.keeper.Dropped() // first: it may have the connection's place
	r.conn.Closed(reason, err)
}

// dropKept lets go of what is kept for a client that cannot come back any more.
func (c *Conn) dropKept() {
	if r := c.resumable(); r != nil && r.agreed {
		r.stopWindow()
		r.out.drop()
	}
}

// counted are the kinds of wire contract, section 18.2.
func counted(k codec.Kind) bool { return k >= codec.Invocation && k <= codec.CancelInvocation }
