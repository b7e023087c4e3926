package longpoll

import "github.com/spokehub/spoke/engine"

// Stream is an event stream on an engine connection: the connection's handler once its request is answered with StreamHead. Loop only.
type Stream struct {
	conn
	ec    *engine.Conn
	plain bool // without chunks; constant
	ended bool
}

// StreamHead is the beginning of the answer to a request for an event stream, the head and the first event (wire contract, section 5). date is in HTTP's format.
// plain is for a client of HTTP/1.0, which knows no chunks: the end of the connection is that of the answer.
func StreamHead(dst []byte, date string, plain bool) []byte {
	dst = append(dst, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache,no-store\r\nContent-Encoding: identity\r\nDate: "...)
	dst = append(dst, date...)
	dst = append(dst, "\r\nPragma: no-cache\r\nConnection: close\r\n"...) // else a client's pool would take the connection, which ends with the stream, for its next request
	if plain {
		return append(dst, "\r\n"+Hello...)
	}
	dst = append(dst, "Transfer-Encoding: chunked\r\n\r\n"...)
	return appendChunk(dst, []byte(Hello))
}

// Begin starts the stream; its head has been, or will at once be, written. plain is that of StreamHead; then shared frames are to be records alone.
func (s *Stream) Begin(ec *engine.Conn, recv Receiver, plain bool) {
	s.ec, s.plain = ec, plain
	s.conn = conn{loop: ec.Loop(), recv: recv}
}

// SetDeadline is the engine connection's.
func (s *Stream) SetDeadline(at uint32) { s.ec.SetDeadline(at) }

// Send sends a shared frame made with AppendChunk.
func (s *Stream) Send(f *engine.Frame) {
	if s.plain {
		s.Write(f.Payload())
		return
	}
	s.ec.Send(f)
}

// Write sends records, copied, as one event.
func (s *Stream) Write(records []byte) {
	if s.plain {
		s.ec.Write(AppendEvent(nil, records))
		return
	}
	if len(records) > maxOwnEvent {
		s.ec.Write(AppendChunk(nil, records))
		return
	}
	var room [maxOwnEvent + 64]byte
	s.ec.Write(AppendChunk(room[:0], records))
}

// maxOwnEvent is up to which size an event is made on the stack.
const maxOwnEvent = 1 << 10

// Room says that what can wait may be written.
func (s *Stream) Room() bool { return !s.ec.Over() }

// End ends the answer properly, and the connection with it. OnClosed comes from within.
func (s *Stream) End(r engine.CloseReason, err error) {
	if s.ended {
		return
	}
	s.ended = true
	if !s.plain {
		s.ec.Write([]byte(lastChunk))
	}
	s.ec.Close(r, err)
	s.end(r, err) // the rest is the engine's
}

// Fail breaks the answer off, so that nobody takes it for whole.
func (s *Stream) Fail(err error) {
	s.ended = true
	s.ec.Close(engine.InternalError, err)
	s.end(engine.InternalError, err)
}

// OnData implements engine.Handler. Nothing that comes behind the request for a stream could ever be answered, since the stream's end is the connection's.
func (s *Stream) OnData(_ *engine.Conn, p []byte) int { return len(p) }

// OnEOF implements engine.Handler: the client has gone.
func (s *Stream) OnEOF(c *engine.Conn) { c.Close(engine.PeerClosed, nil) }

// OnDrain implements engine.Handler.
func (s *Stream) OnDrain(*engine.Conn) {
	if !s.ended {
		s.recv.OnDrain()
	}
}

// OnDeadline implements engine.Handler.
func (s *Stream) OnDeadline(_ *engine.Conn, now uint32) {
	if !s.ended {
		s.recv.OnDeadline(now)
	}
}

// OnClose implements engine.Handler.
func (s *Stream) OnClose(_ *engine.Conn, r engine.CloseReason, err error) { s.end(r, err) }
