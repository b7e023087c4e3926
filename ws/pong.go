package ws

// pongRoom is how many bytes of pongs may wait to go out. A peer that sends pings and does not read the pongs costs this much: from there
// on only its most recent ping is answered, once there is room again, as RFC 6455, section 5.5.3, allows.
const pongRoom = 16 << 10

// pong is the one that waits until there is room.
type pong struct {
	waits bool
	n     uint8
	frame [2 + maxControl]byte
}

// onPing answers a ping. frame is its payload with two bytes of room in front.
func (c *Conn) onPing(frame []byte) {
	frame[0], frame[1] = bitFin|opPong, byte(len(frame)-2)
	if int(c.pongBytes)+len(frame) > pongRoom {
		p := &c.more().pong
		p.n = uint8(copy(p.frame[:], frame))
		if !p.waits {
			p.waits = true
			c.arm()
		}
		return
	}
	if c.pongWaits() {
		c.rare.pong.waits = false // for an older ping
	}
	c.pongBytes += uint16(len(frame))
	c.ec.Write(frame)
}

func (c *Conn) pongWaits() bool { return c.rare != nil && c.rare.pong.waits }

// flushPong sends the pong that waits, if there is room by now. It is tried each second (see arm), when the outbound queue has
// drained, and at the next ping.
func (c *Conn) flushPong() {
	if c.phase != phaseOpen || !c.pongWaits() {
		return
	}
	p := &c.rare.pong
	bytes := c.ec.Buffered() + int(p.n) // all counted as if they were pongs
	if bytes > pongRoom {
		return
	}
	p.waits = false
	c.pongBytes = uint16(bytes)
	c.ec.Write(p.frame[:p.n])
}
