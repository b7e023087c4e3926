package ws

import (
	"encoding/binary"
	"errors"

	"github.com/spokehub/spoke/engine"
)

var (
	errPongLate  = errors.New("ws: no pong to the keep-alive ping within the keep-alive timeout")
	errCloseLate = errors.New("ws: no close frame from the peer within the close timeout")
)

// sign is the sign of life without a ping. It is shared, because what is sent to very many connections in one second must not be
// copied for each.
var sign = engine.NewFrame([]byte{bitFin | opPong, 0}, 2)

// SetDeadline is the receiver's own deadline, in seconds of the loop's clock, beside those of the close handshake and the
// keep-alive; 0 clears it. After OnClosed it does nothing.
func (c *Conn) SetDeadline(at uint32) {
	c.recvAt = at
	c.arm()
}

// arm gives the engine, which keeps one deadline per connection, the earliest of ours.
func (c *Conn) arm() {
	if c.phase >= phaseEnding {
		return // the engine's connection may be somebody else's by now
	}
	at := earlier(earlier(c.recvAt, c.keepAt), c.dueAt())
	if c.pongWaits() {
		at = earlier(at, c.ec.Loop().Now()+1)
	}
	c.ec.SetDeadline(at)
}

func (c *Conn) dueAt() uint32 {
	if c.rare == nil {
		return 0
	}
	return c.rare.dueAt
}

// earlier is the smaller of two stamps, where 0 is never.
func earlier(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// after is the stamp by which at least d seconds will have passed: the present second has begun already.
func (c *Conn) after(d uint32) uint32 { return c.ec.Loop().Now() + d + 1 }

// OnDeadline implements engine.Handler.
func (c *Conn) OnDeadline(_ *engine.Conn, now uint32) {
	if due := c.dueAt(); due != 0 && now >= due {
		c.onOverdue()
		if c.phase >= phaseEnding {
			return
		}
	}
	if c.keepAt != 0 && now >= c.keepAt {
		c.keepAlive(now)
	}
	c.flushPong()
	asked := c.recvAt != 0 && now >= c.recvAt
	if asked {
		c.recvAt = 0
	}
	c.arm()
	if asked {
		c.recv.OnDeadline(c, now)
	}
}

// onOverdue ends a connection whose peer owes its close frame or a pong.
func (c *Conn) onOverdue() {
	switch {
	case c.phase == phaseClosing:
		err := c.closeErr()
		if err == nil {
			err = errCloseLate
		}
		c.end(c.reason, false, closeAbnormal, err, (*engine.Conn).Reset)
	case c.paused:
		c.rare.dueAt = 0 // ResumeRead sets it anew
	default:
		c.end(engine.WebSocketTimeout, false, closeAbnormal, errPongLate, (*engine.Conn).Reset)
	}
}

// keepAlive gives the sign of life that is due (wire contract, section 4).
func (c *Conn) keepAlive(now uint32) {
	c.keepAt = now + c.cfg.keepAlive()
	timeout := c.cfg.keepAliveTimeout()
	switch {
	case timeout == 0:
		if c.ec.Buffered() == 0 { // else what waits to go out is sign enough
			c.ec.Send(sign)
		}
	case !c.awaited: // one ping at a time, so that its pong is known by its counter
		r := c.more()
		r.pings++
		r.dueAt = c.after(timeout)
		c.awaited = true
		c.ec.Write(binary.BigEndian.AppendUint64([]byte{bitFin | opPing, 8}, uint64(r.pings)))
	}
}

// onPong takes the answer to our ping; pongs that were not asked for mean nothing (RFC 6455, section 5.5.3).
func (c *Conn) onPong(payload []byte) {
	if c.phase == phaseOpen && c.awaited && len(payload) == 8 && binary.BigEndian.Uint64(payload) == uint64(c.rare.pings) {
		c.awaited = false
		c.rare.dueAt = 0
		c.arm()
	}
}
