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

// SetDeadline is the owner's deadline, in seconds of the loop's clock, beside those of the close handshake and the
// keep-alive; 0 clears it. After OnClosed it does nothing.
func (s *Socket) SetDeadline(at uint32) {
	s.ownAt = at
	s.arm()
}

// arm gives the engine, which keeps one deadline per connection, the earliest of ours.
func (s *Socket) arm() {
	if s.phase >= phaseEnding {
		return // the engine's connection may be somebody else's by now
	}
	at := earlier(earlier(s.ownAt, s.keepAt), s.dueAt())
	if s.pongWaits() {
		at = earlier(at, s.ec.Loop().Now()+1)
	}
	s.ec.SetDeadline(at)
}

func (s *Socket) dueAt() uint32 {
	if s.rare == nil {
		return 0
	}
	return s.rare.dueAt
}

// earlier is the smaller of two stamps, where 0 is never.
func earlier(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// after is the stamp by which at least d seconds will have passed: the present second has begun already.
func (s *Socket) after(d uint32) uint32 { return s.ec.Loop().Now() + d + 1 }

// OnDeadline is engine.Handler's.
func (s *Socket) OnDeadline(o Owner, now uint32) {
	if due := s.dueAt(); due != 0 && now >= due {
		s.onOverdue(o)
		if s.phase >= phaseEnding {
			return
		}
	}
	if s.keepAt != 0 && now >= s.keepAt {
		s.keepAlive(o.Config(), now)
	}
	s.flushPong()
	asked := s.ownAt != 0 && now >= s.ownAt
	if asked {
		s.ownAt = 0
	}
	s.arm()
	if asked {
		o.OnDeadline(now)
	}
}

// onOverdue ends a connection whose peer owes its close frame or a pong.
func (s *Socket) onOverdue(o Owner) {
	switch {
	case s.phase == phaseClosing:
		err := s.closeErr()
		if err == nil {
			err = errCloseLate
		}
		s.end(o, s.reason, false, closeAbnormal, err, (*engine.Conn).Reset)
	case s.paused:
		s.rare.dueAt = 0 // ResumeRead sets it anew
	default:
		s.end(o, engine.WebSocketTimeout, false, closeAbnormal, errPongLate, (*engine.Conn).Reset)
	}
}

// keepAlive gives the sign of life that is due (wire contract, section 4).
func (s *Socket) keepAlive(cfg *Config, now uint32) {
	s.keepAt = now + cfg.keepAlive()
	timeout := cfg.keepAliveTimeout()
	switch {
	case timeout == 0:
		if s.ec.Buffered() == 0 { // else what waits to go out is sign enough
			s.ec.Send(sign)
		}
	case !s.awaited: // one ping at a time, so that its pong is known by its counter
		r := s.more()
		r.pings++
		r.dueAt = s.after(timeout)
		s.awaited = true
		s.ec.Write(binary.BigEndian.AppendUint64([]byte{bitFin | opPing, 8}, uint64(r.pings)))
	}
}

// onPong takes the answer to our ping; pongs that were not asked for mean nothing (RFC 6455, section 5.5.3).
func (s *Socket) onPong(payload []byte) {
	if s.phase == phaseOpen && s.awaited && len(payload) == 8 && binary.BigEndian.Uint64(payload) == uint64(s.rare.pings) {
		s.awaited = false
		s.rare.dueAt = 0
		s.arm()
	}
}
