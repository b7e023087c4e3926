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

// Conn is the WebSocket on an engine connection; it is the connection's engine.Handler. All methods and fields belong to
// the connection's loop.
type Conn struct {
	ec   *engine.Conn
	cfg  *Config
	recv Receiver
	rare *rare // nil for most connections, for life
	m    machine

	recvAt uint32 // the receiver's own deadline; 0: none
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

var defaults Config

var _ engine.Handler = (*Conn)(nil)

// NewConn makes the state machine; the caller has queued the 101 response, or does so in the same call on the loop, and makes it
// the engine connection's handler. cfg may be nil. From here on the engine connection's deadline is the Conn's: a handler that hands over clears its own
// before this call, not after it.
func NewConn(ec *engine.Conn, cfg *Config, recv Receiver) *Conn {
	c := new(Conn)
	c.Begin(ec, cfg, recv)
	return c
}

// Begin is NewConn for a Conn that is a part of another object, which saves one. It must be zero, and may not be copied afterwards.
func (c *Conn) Begin(ec *engine.Conn, cfg *Config, recv Receiver) {
	if cfg == nil {
		cfg = &defaults
	}
	c.ec, c.cfg, c.recv = ec, cfg, recv
	if every := cfg.keepAlive(); every != 0 {
		c.keepAt = ec.Loop().Now() + every
	}
	c.arm()
}

// Engine is the connection underneath. Its bytes, handler, deadline and pauses belong to the Conn.
func (c *Conn) Engine() *engine.Conn { return c.ec }

// Send sends a shared frame, whose header must be one made by AppendHeader. After Close it does nothing.
func (c *Conn) Send(f *engine.Frame) {
	if c.phase == phaseOpen {
		c.ec.Send(f)
	}
}

// Write sends payload, copied, as one message, or as a part of one: it is added to the message before it, if that is of the same kind and still waits to leave, and both
// together are not more than joinMax. So what is sent in one iteration of the loop leaves in one message. After Close it does nothing.
func (c *Conn) Write(isBinary bool, payload []byte) {
	if c.phase != phaseOpen {
		return
	}
	var h [MaxHeader]byte
	if last := c.ec.LastMessage(); len(last) > 0 && last[0] == firstByte(isBinary) {
		old, n := serverHeader(last)
		if n += len(payload); n <= joinMax {
			c.ec.ExtendMessage(old, AppendHeader(h[:0], isBinary, n), payload)
			return
		}
	}
	c.ec.WriteMessage(AppendHeader(h[:0], isBinary, len(payload)), payload)
}

// joinMax is up to how many bytes of payload messages are joined: of longer ones the header is next to nothing, and each copy costs more.
const joinMax = 4<<10 - MaxHeader // with the header it fits a pooled buffer of 4 KiB

// PauseRead stops OnPayload from now on (also within OnPayload: what follows the present piece is kept), so that TCP slows
// the peer. Control frames are not seen either. After Close it does nothing.
func (c *Conn) PauseRead() {
	if c.phase == phaseOpen && !c.paused {
		c.paused = true
		c.ec.PauseRead()
	}
}

// ResumeRead ends the pause.
func (c *Conn) ResumeRead() {
	if !c.paused || c.phase >= phaseEnding {
		return
	}
	c.paused = false
	if c.phase == phaseOpen && c.awaited {
		// The pong may stand among what was not read.
		c.more().dueAt = c.after(c.cfg.keepAliveTimeout())
		c.arm()
	}
	c.ec.ResumeRead()
}

// Close sends a close frame behind what is queued and waits up to CloseTimeout for the peer's; then TCP ends with reason r (by
// reset, if the peer's did not come in time). Code 1005 sends a close frame without a code. After an internal error, 1011, TCP ends
// without waiting (wire contract, section 4). A code that no endpoint may send is replaced by 1011. r and err are what OnClosed
// gets. Close after Close, or after OnClosed, does nothing.
func (c *Conn) Close(code uint16, r engine.CloseReason, err error) {
	if c.phase != phaseOpen {
		return
	}
	if code != closeNoCode && !closeCodeLegal(code) {
		code = closeInternal
	}
	c.phase = phaseClosing
	c.reason = r
	if err != nil {
		c.more().err = err
	}
	c.writeClose(code)
	if code == closeInternal {
		c.phase = phaseEnding
		c.ec.Close(r, err) // the frame goes first
		return
	}
	c.awaited = false
	c.keepAt = 0
	c.more().dueAt = c.after(c.cfg.closeTimeout())
	c.arm()
	c.ResumeRead() // the peer's close frame may be waiting
}

// OnData implements engine.Handler.
func (c *Conn) OnData(_ *engine.Conn, p []byte) int {
	if c.pongBytes != 0 && c.ec.Buffered() == 0 { // looked at here, before an echo fills the queue again
		c.pongBytes = 0
	}
	off := 0
	for c.phase < phaseEnding {
		if c.paused && c.m.fault == faultNone {
			return off
		}
		ev, payload, n := c.m.next(p[off:])
		off += n
		switch ev {
		case eventMore:
			return off
		case eventData:
			if len(payload) > 0 && c.phase == phaseOpen {
				c.recv.OnPayload(c, payload)
			}
		case eventPing:
			if c.phase == phaseOpen {
				// The payload has at least its header and mask, 6 bytes, in front of it, which make room for the pong's header.
				c.onPing(p[off-len(payload)-2 : off])
			}
		case eventPong:
			c.onPong(payload)
		case eventClose:
			code, _ := readClose(payload) // it has been checked
			c.onPeerClose(code)
		case eventFault:
			c.onFault(c.m.fault)
		}
	}
	return len(p)
}

// OnEOF implements engine.Handler. TCP that ends without a close frame is no graceful end (wire contract, section 4).
func (c *Conn) OnEOF(_ *engine.Conn) {
	if c.phase == phaseClosing {
		c.end(c.reason, false, closeAbnormal, c.closeErr(), (*engine.Conn).Close)
		return
	}
	c.end(engine.PeerClosed, false, closeAbnormal, nil, (*engine.Conn).Close)
}

// OnDrain implements engine.Handler.
func (c *Conn) OnDrain(_ *engine.Conn) {
	if c.phase != phaseOpen {
		return
	}
	c.flushPong()
	c.recv.OnDrain(c)
}

// OnClose implements engine.Handler.
func (c *Conn) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	switch c.phase {
	case phaseEnded:
		return
	case phaseClosing:
		r, err = c.reason, c.closeErr()
	}
	c.phase = phaseEnded
	c.recv.OnClosed(c, r, false, closeAbnormal, err)
}

// onPeerClose answers the peer's close frame, or takes it as the answer to ours. Either way nothing behind it is read.
func (c *Conn) onPeerClose(code uint16) {
	if c.phase == phaseClosing {
		c.end(c.reason, true, code, c.closeErr(), (*engine.Conn).Close)
		return
	}
	// 1000 whatever the peer's code was (wire contract, section 4).
	c.writeClose(closeNormal)
	c.end(engine.ClientClosed, true, code, nil, (*engine.Conn).Close)
}

// onFault ends a connection whose peer broke the protocol: close frame, then the end of TCP without waiting.
func (c *Conn) onFault(f fault) {
	if c.phase == phaseClosing {
		c.end(c.reason, false, closeAbnormal, c.closeErr(), (*engine.Conn).Close)
		return
	}
	c.writeClose(f.code())
	c.end(engine.WebSocketProtocol, false, closeAbnormal, f, (*engine.Conn).Close)
}

// end ends TCP by how, which is the engine connection's Close or Reset, and tells the receiver.
func (c *Conn) end(r engine.CloseReason, graceful bool, code uint16, err error, how func(*engine.Conn, engine.CloseReason, error)) {
	c.phase = phaseEnded
	how(c.ec, r, err)
	c.recv.OnClosed(c, r, graceful, code, err)
}

// writeClose queues a close frame with code, without one if it is closeNoCode, and always without a reason text.
func (c *Conn) writeClose(code uint16) {
	if code == closeNoCode {
		c.ec.Write([]byte{bitFin | opClose, 0})
		return
	}
	c.ec.Write(binary.BigEndian.AppendUint16([]byte{bitFin | opClose, 2}, code))
}

func (c *Conn) closeErr() error {
	if c.rare == nil {
		return nil
	}
	return c.rare.err
}

func (c *Conn) more() *rare {
	if c.rare == nil {
		c.rare = new(rare)
	}
	return c.rare
}
