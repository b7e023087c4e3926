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
func (s *Socket) onPing(frame []byte) {
	frame[0], frame[1] = bitFin|opPong, byte(len(frame)-2)
	if int(s.pongBytes)+len(frame) > pongRoom {
		p := &s.more().pong
		p.n = uint8(copy(p.frame[:], frame))
		if !p.waits {
			p.waits = true
			s.arm()
		}
		return
	}
	if s.pongWaits() {
		s.rare.pong.waits = false // for an older ping
	}
	s.pongBytes += uint16(len(frame))
	s.ec.Write(frame)
}

func (s *Socket) pongWaits() bool { return s.rare != nil && s.rare.pong.waits }

// flushPong sends the pong that waits, if there is room by now. It is tried each second (see arm), when the outbound queue has
// drained, and at the next ping.
func (s *Socket) flushPong() {
	if s.phase != phaseOpen || !s.pongWaits() {
		return
	}
	p := &s.rare.pong
	bytes := s.ec.Buffered() + int(p.n) // all counted as if they were pongs
	if bytes > pongRoom {
		return
	}
	p.waits = false
	s.pongBytes = uint16(bytes)
	s.ec.Write(p.frame[:p.n])
}
