package ws

import (
	"encoding/binary"

	"github.com/spokehub/spoke/engine"
)

// phase is how far the closing of a WebSocket has come.
type phase uint8

const (
	phaseOpen    phase = iota
	phaseClosing       // our close frame is queued, the peer's is awaited; what else comes is thrown away
	phaseEnding        // the engine has been asked to end TCP, after which it calls nothing but OnClose
	phaseEnded         // OnClosed has been called; the engine may still be ending TCP
)

// Owner is the object that a Socket is a part of. It is the engine connection's handler, and passes on to the Socket's methods of the same names what it is
// told there, together with itself: a million pointers from Sockets to what they are parts of would cost the collector a look at each. All methods run on the
// connection's loop; but for Config, they are those of a Receiver, whose rules hold.
type Owner interface {
	// Config is the same for life, and not nil.
	Config() *Config
	OnPayload(p []byte)
	OnDrain()
	OnDeadline(now uint32)
	OnClosed(r engine.CloseReason, graceful bool, code uint16, err error)
}

// Socket is the WebSocket on an engine connection, as a part of a larger object, its Owner; Conn is one by itself. It must be zero before Begin, and may not be
// copied afterwards. All methods and fields belong to the connection's loop.
type Socket struct {
	ec   *engine.Conn
	rare *rare // nil for most connections, for life
	m    machine

	ownAt  uint32 // the owner's deadline; 0: none
	keepAt uint32 // the next sign of life; 0: none

	pongBytes uint16 // bytes of pongs queued since nothing was waiting to go out
	phase     phase
	reason    engine.CloseReason // given to Close
	paused    bool
	awaited   bool // the pong of the last ping has not come
}

// rare is what few connections need.
type rare struct {
	err   error // given to Close
	pong  pong
	dueAt uint32 // open: the pong must have come; closing: the peer's close frame must have come; 0: none
	pings uint32 // pings sent, so the counter in the last one
}

// Begin makes the Socket that of an engine connection. Its owner has queued the 101 response, or does so in the same call on the loop, and becomes the engine
// connection's handler. cfg is what Owner.Config returns. From here on the engine connection's deadline is the Socket's: a handler that hands over clears its own
// before this call, not after it.
func (s *Socket) Begin(ec *engine.Conn, cfg *Config) {
	s.ec = ec
	if every := cfg.keepAlive(); every != 0 {
		s.keepAt = ec.Loop().Now() + every
	}
	s.arm()
}

// Engine is the connection underneath. Its bytes, handler, deadline and pauses belong to the Socket.
func (s *Socket) Engine() *engine.Conn { return s.ec }

// Send sends a shared frame, whose header must be one made by AppendHeader. After Close it does nothing.
func (s *Socket) Send(f *engine.Frame) {
	if s.phase == phaseOpen {
		s.ec.Send(f)
	}
}

// Write sends payload, copied, as one message, or as a part of one: it is added to the message before it, if that is of the same kind and still waits to leave, and both
// together are not more than joinMax. So what is sent in one iteration of the loop leaves in one message. After Close it does nothing.
func (s *Socket) Write(isBinary bool, payload []byte) {
	if s.phase != phaseOpen {
		return
	}
	var h [MaxHeader]byte
	if last := s.ec.LastMessage(); len(last) > 0 && last[0] == firstByte(isBinary) {
		old, n := serverHeader(last)
		if n += len(payload); n <= joinMax {
			s.ec.ExtendMessage(old, AppendHeader(h[:0], isBinary, n), payload)
			return
		}
	}
	s.ec.WriteMessage(AppendHeader(h[:0], isBinary, len(payload)), payload)
}

// joinMax is up to how many bytes of payload messages are joined: of longer ones the header is next to nothing, and each copy costs more.
const joinMax = 4<<10 - MaxHeader // with the header it fits a pooled buffer of 4 KiB

// PauseRead stops OnPayload from now on (also within OnPayload: what follows the present piece is kept), so that TCP slows
// the peer. Control frames are not seen either. After Close it does nothing.
func (s *Socket) PauseRead() {
	if s.phase == phaseOpen && !s.paused {
		s.paused = true
		s.ec.PauseRead()
	}
}

// ResumeRead ends the pause.
func (s *Socket) ResumeRead(o Owner) {
	if !s.paused || s.phase >= phaseEnding {
		return
	}
	s.paused = false
	if s.phase == phaseOpen && s.awaited {
		// The pong may stand among what was not read.
		s.more().dueAt = s.after(o.Config().keepAliveTimeout())
		s.arm()
	}
	s.ec.ResumeRead()
}

// Close sends a close frame behind what is queued and waits up to CloseTimeout for the peer's; then TCP ends with reason r (by
// reset, if the peer's did not come in time). Code 1005 sends a close frame without a code. After an internal error, 1011, TCP ends
// without waiting (wire contract, section 4). A code that no endpoint may send is replaced by 1011. r and err are what OnClosed
// gets. Close after Close, or after OnClosed, does nothing.
func (s *Socket) Close(o Owner, code uint16, r engine.CloseReason, err error) {
	if s.phase != phaseOpen {
		return
	}
	if code != closeNoCode && !closeCodeLegal(code) {
		code = closeInternal
	}
	s.phase = phaseClosing
	s.reason = r
	if err != nil {
		s.more().err = err
	}
	s.writeClose(code)
	if code == closeInternal {
		s.phase = phaseEnding
		s.ec.Close(r, err) // the frame goes first
		return
	}
	s.awaited = false
	s.keepAt = 0
	s.more().dueAt = s.after(o.Config().closeTimeout())
	s.arm()
	s.ResumeRead(o) // the peer's close frame may be waiting
}

// OnData is engine.Handler's.
func (s *Socket) OnData(o Owner, p []byte) int {
	if s.pongBytes != 0 && s.ec.Buffered() == 0 { // looked at here, before an echo fills the queue again
		s.pongBytes = 0
	}
	off := 0
	for s.phase < phaseEnding {
		if s.paused && s.m.fault == faultNone {
			return off
		}
		ev, payload, n := s.m.next(p[off:])
		off += n
		switch ev {
		case eventMore:
			return off
		case eventData:
			if len(payload) > 0 && s.phase == phaseOpen {
				o.OnPayload(payload)
			}
		case eventPing:
			if s.phase == phaseOpen {
				// The payload has at least its header and mask, 6 bytes, in front of it, which make room for the pong's header.
				s.onPing(p[off-len(payload)-2 : off])
			}
		case eventPong:
			s.onPong(payload)
		case eventClose:
			code, _ := readClose(payload) // it has been checked
			s.onPeerClose(o, code)
		case eventFault:
			s.onFault(o, s.m.fault)
		}
	}
	return len(p)
}

// OnEOF is engine.Handler's. TCP that ends without a close frame is no graceful end (wire contract, section 4).
func (s *Socket) OnEOF(o Owner) {
	if s.phase == phaseClosing {
		s.end(o, s.reason, false, closeAbnormal, s.closeErr(), (*engine.Conn).Close)
		return
	}
	s.end(o, engine.PeerClosed, false, closeAbnormal, nil, (*engine.Conn).Close)
}

// OnDrain is engine.Handler's.
func (s *Socket) OnDrain(o Owner) {
	if s.phase != phaseOpen {
		return
	}
	s.flushPong()
	o.OnDrain()
}

// OnClose is engine.Handler's.
func (s *Socket) OnClose(o Owner, r engine.CloseReason, err error) {
	switch s.phase {
	case phaseEnded:
		return
	case phaseClosing:
		r, err = s.reason, s.closeErr()
	}
	s.phase = phaseEnded
	o.OnClosed(r, false, closeAbnormal, err)
}

// onPeerClose answers the peer's close frame, or takes it as the answer to ours. Either way nothing behind it is read.
func (s *Socket) onPeerClose(o Owner, code uint16) {
	if s.phase == phaseClosing {
		s.end(o, s.reason, true, code, s.closeErr(), (*engine.Conn).Close)
		return
	}
	// 1000 whatever the peer's code was (wire contract, section 4).
	s.writeClose(closeNormal)
	s.end(o, engine.ClientClosed, true, code, nil, (*engine.Conn).Close)
}

// onFault ends a connection whose peer broke the protocol: close frame, then the end of TCP without waiting.
func (s *Socket) onFault(o Owner, f fault) {
	if s.phase == phaseClosing {
		s.end(o, s.reason, false, closeAbnormal, s.closeErr(), (*engine.Conn).Close)
		return
	}
	s.writeClose(f.code())
	s.end(o, engine.WebSocketProtocol, false, closeAbnormal, f, (*engine.Conn).Close)
}

// end ends TCP by how, which is the engine connection's Close or Reset, and tells the owner.
func (s *Socket) end(o Owner, r engine.CloseReason, graceful bool, code uint16, err error, how func(*engine.Conn, engine.CloseReason, error)) {
	s.phase = phaseEnded
	how(s.ec, r, err)
	o.OnClosed(r, graceful, code, err)
}

// writeClose queues a close frame with code, without one if it is closeNoCode, and always without a reason text.
func (s *Socket) writeClose(code uint16) {
	if code == closeNoCode {
		s.ec.Write([]byte{bitFin | opClose, 0})
		return
	}
	s.ec.Write(binary.BigEndian.AppendUint16([]byte{bitFin | opClose, 2}, code))
}

func (s *Socket) closeErr() error {
	if s.rare == nil {
		return nil
	}
	return s.rare.err
}

func (s *Socket) more() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}
