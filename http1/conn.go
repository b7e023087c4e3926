package http1

import (
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

type state uint8

const (
	waiting  state = iota // for a head, or for the rest of one
	open                  // an exchange is open; nothing is read past its head (or body)
	reading               // an exchange is open and its body is being collected
	dropping              // the exchange has been answered; the rest of its body is being dropped
	stalled               // answered; the next head must wait until answers have left or others have had their turn
	gone                  // closed, upgraded or handed over: the connection is not ours any more
)

const (
	// readAhead is how many bytes behind an open exchange may lie in the engine's hands before reading is paused. Until then reading goes on, so that the end of the client is seen
	// while it waits for an answer.
	readAhead = 16 << 10

	// pipelined is how many requests of one connection are served before the loop turns to the others.
	pipelined = 16

	// unsent is how many bytes of answers may wait to go out before the next request of a pipeline is looked at.
	unsent = 64 << 10

	// A stalled connection is looked at again after stallFirst, and then at intervals that double up to stallLast: a client that reads is soon served, one that does not costs little.
	// (The engine's OnDrain would not do: it speaks about connections over the engine's own cap, which may be higher, and in which the piece that is being written does not count.)
	stallFirst = time.Millisecond
	stallLast  = 64 * time.Millisecond
)

// conn is the handler of an engine connection. Between two requests it is all there is: no buffer, no timer. // loop
type conn struct {
	cfg  *Config
	peer *proxy.Peer   // by a PROXY header; nil: the socket's
	x    *Exchange     // the open one, or the one whose body is being dropped
	view []byte        // during OnData: what has come, from the start of the present head on
	turn *engine.Timer // stalled
	scan headScan
	left int32 // bytes that the last OnData left in the engine's hands

	state  state
	begun  bool // a head has begun: the head timeout runs, not the keep-alive
	blank  bool // the empty line that may precede a request line was there
	paused bool
	eof    bool // the client has ended its direction
	inside bool // OnData is running
}

// OnData implements engine.Handler.
func (h *conn) OnData(c *engine.Conn, p []byte) (n int) {
	h.inside = true
	served := 0
	for more := true; more; {
		rest := p[n:]
		var m int
		switch h.state {
		case waiting:
			if len(rest) > 0 && (served >= pipelined || c.Buffered() > unsent) {
				h.stall(c)
				more = false
				break
			}
			h.view = rest
			m, more = h.readHead(c, rest)
			served++
		case reading:
			m, more = h.readBody(c, rest)
		case dropping:
			m, more = h.dropBody(c, rest)
		default:
			more = false
		}
		n += m
	}
	h.inside = false
	h.view = nil
	h.left = int32(len(p) - n)
	switch {
	case h.state == gone: // c may be in other hands
	case h.eof: // shown what was left before the end
		h.OnEOF(c)
	case h.state == open && h.left > readAhead && !h.paused:
		h.paused = true
		c.PauseRead()
	}
	return n
}

// again has OnData called with what is left, if anything is, or reading go on.
func (h *conn) again(c *engine.Conn) {
	if h.inside || h.left == 0 && !h.paused {
		return
	}
	if h.paused {
		h.paused = false
		c.ResumeRead()
		return
	}
	c.SetHandler(h) // shows what is left, too, and asks less of a backend than a pause
}

// readHead looks for a whole head; more says that the state has something to do at once.
func (h *conn) readHead(c *engine.Conn, p []byte) (n int, more bool) {
	if len(p) == 0 {
		return 0, false
	}
	if !h.blank && p[0] == '\r' { // RFC 9112, section 2.2: one empty line, which old clients send behind a body
		if len(p) == 1 {
			return 0, false
		}
		if p[1] == '\n' {
			h.blank = true
			return 2, true
		}
	}
	if !h.begun {
		h.begun = true
		after(c, h.cfg.headTimeout())
	}
	end, f := h.scan.look(p, h.cfg.maxHead(), h.cfg.maxHeaders())
	if f != nil {
		h.fail(c, f, false)
		return 0, false
	}
	if end == 0 {
		return 0, false
	}
	fr, f := check(p[:end])
	if f != nil {
		h.fail(c, f, false)
		return 0, false
	}
	x, f := newExchange(h, c, p[:end], fr)
	if f != nil {
		h.fail(c, f, false)
		return 0, false
	}
	h.scan, h.begun, h.blank = headScan{}, false, false
	h.x = x
	h.state = open
	c.SetDeadline(0)
	h.call(x, func() { h.cfg.Serve(x) })
	return end, true
}

// call runs f, which is not ours, and answers for it when it panics.
func (h *conn) call(x *Exchange, f func()) {
	defer func() {
		if v := recover(); v != nil {
			h.cfg.logger().Error("http1: a handler panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			if x.h != nil {
				h.fail(x.c, internalError(), x.isHead)
			}
		}
	}()
	f()
}

// readBody collects the body for the exchange.
func (h *conn) readBody(c *engine.Conn, p []byte) (n int, more bool) {
	x := h.x
	if x.expect {
		x.expect = false
		if len(p) == 0 && !x.in.body.complete() {
			c.Write(continueHead)
		}
	}
	for !x.in.body.complete() {
		m, data, f := x.in.body.next(p[n:])
		n += m
		if f == nil && int64(len(data)) > x.in.max-x.in.got {
			f = bodyTooLarge(x.in.max)
		}
		if f != nil {
			h.fail(c, f, x.isHead)
			return n, false
		}
		x.in.got += int64(len(data))
		if x.in.body.complete() && x.in.collected == nil { // all at once: no copy
			h.bodyRead(c, x, data)
			return n, true
		}
		if len(data) > 0 {
			if x.in.collected == nil {
				x.in.collected = getBuffer()
			}
			*x.in.collected = append(*x.in.collected, data...)
		}
		if x.in.piece != nil && x.in.collected != nil && len(*x.in.collected) >= maxPiece && !x.in.body.complete() {
			h.pieceRead(c, x)
			return n, h.state == reading
		}
		if m == 0 {
			return n, false
		}
	}
	var whole []byte
	if x.in.collected != nil {
		whole = *x.in.collected
	}
	h.bodyRead(c, x, whole)
	return n, true
}

// pieceRead gives what has been collected to the one who asked for pieces, and waits to be asked for more.
func (h *conn) pieceRead(c *engine.Conn, x *Exchange) {
	h.state = open
	c.SetDeadline(0)
	buf := x.in.collected
	x.in.collected = nil
	h.call(x, func() { x.in.piece(*buf, false) })
	putBuffer(buf)
}

var continueHead = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// bodyRead gives the body to the one who asked.
func (h *conn) bodyRead(c *engine.Conn, x *Exchange, p []byte) {
	h.state = open
	c.SetDeadline(0)
	done, buf := x.in.done, x.in.collected
	x.in.done, x.in.collected = nil, nil
	if p == nil {
		p = []byte{}
	}
	h.call(x, func() { done(p, true) })
	putBuffer(buf)
}

// dropBody reads past a body that nobody asked for.
func (h *conn) dropBody(c *engine.Conn, p []byte) (n int, more bool) {
	x := h.x
	for !x.in.body.complete() {
		m, _, f := x.in.body.next(p[n:])
		n += m
		x.in.dropped += m
		if f != nil { // the answer is out already
			h.end(c, f.reason, f)
			return n, false
		}
		if x.in.dropped > maxDrop {
			h.end(c, engine.ResponseEnd, nil)
			return n, false
		}
		if m == 0 {
			return n, false
		}
	}
	h.idle(c)
	return n, true
}

// idle waits for the next request.
func (h *conn) idle(c *engine.Conn) {
	h.x = nil
	h.state = waiting
	after(c, h.cfg.keepAlive())
}

// stall lets the loop go on, and comes back.
func (h *conn) stall(c *engine.Conn) {
	h.state = stalled
	after(c, h.cfg.bodyTimeout())
	if !h.paused {
		h.paused = true
		c.PauseRead()
	}
	h.look(c, stallFirst)
}

// look ends a stall once the answers have left.
func (h *conn) look(c *engine.Conn, d time.Duration) {
	h.turn = c.Loop().AfterFunc(d, func() {
		h.turn = nil
		if c.Buffered() > unsent {
			h.look(c, min(2*d, stallLast))
			return
		}
		h.idle(c)
		h.again(c)
	})
}

// fail answers a fault and closes the connection. noBody: the request was HEAD.
func (h *conn) fail(c *engine.Conn, f *fault, noBody bool) {
	if !c.Closed() {
		buf := getBuffer()
		*buf = appendFault(*buf, f, noBody, c.Loop().Time())
		c.Write(*buf)
		putBuffer(buf)
	}
	h.end(c, f.reason, f)
}

// end closes the connection once what is queued has left.
func (h *conn) end(c *engine.Conn, r engine.CloseReason, err error) {
	h.leave()
	c.SetDeadline(0)
	c.Close(r, err)
}

// leave lets go of all that the connection held. The exchange, if one is open, is over without an answer.
func (h *conn) leave() {
	h.state = gone
	if h.turn != nil {
		h.turn.Stop()
		h.turn = nil
	}
	if x := h.x; x != nil {
		h.x = nil
		x.abandon()
	}
}

// OnEOF implements engine.Handler.
func (h *conn) OnEOF(c *engine.Conn) {
	h.eof = true
	switch h.state {
	case waiting:
		if h.begun && h.left > 0 {
			h.end(c, engine.PeerClosed, io.ErrUnexpectedEOF)
		} else {
			h.end(c, engine.PeerClosed, nil)
		}
	case reading:
		h.end(c, engine.PeerClosed, io.ErrUnexpectedEOF)
	case dropping:
		h.end(c, engine.ResponseEnd, nil)
	case open:
		if h.x != nil && h.x.watched {
			h.end(c, engine.PeerClosed, nil)
		}
	}
	// Any other open exchange is answered all the same: a client may end its direction behind its last request.
}

// OnDrain implements engine.Handler. See look.
func (h *conn) OnDrain(*engine.Conn) {}

// OnDeadline implements engine.Handler.
func (h *conn) OnDeadline(c *engine.Conn, _ uint32) {
	switch h.state {
	case waiting:
		if h.begun {
			h.fail(c, headTooSlow(h.cfg), false)
		} else {
			h.end(c, engine.KeepAliveTimeout, nil)
		}
	case reading:
		h.fail(c, bodyTooSlow(h.cfg), h.x.isHead)
	case dropping:
		h.end(c, engine.BodyTimeout, bodyTooSlow(h.cfg))
	case stalled:
		h.leave()
		c.Reset(engine.SendTimeout, nil)
	}
}

// Idle implements engine.Idler: between two requests.
func (h *conn) Idle() bool { return h.state == waiting && !h.begun && h.left == 0 }

// OnClose implements engine.Handler.
func (h *conn) OnClose(*engine.Conn, engine.CloseReason, error) { h.leave() }
