package http1

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// Exchange is one request and its answer. It must be answered exactly once, by Reply, Upgrade or HandOver, at once or later; it may be kept until then. After the
// answer, or after the client has gone, all of its methods do nothing. Loop only, except for Ref and the function that Later returns.
type Exchange struct {
	h    *conn // nil once it is over
	c    *engine.Conn
	ref  engine.Ref
	req  *http.Request // nil after DropRequest
	head *[]byte       // pooled
	gone func()
	in   *intake // nil: there is no body, and nobody has asked for it

	isHead  bool // the method is HEAD
	strict  bool // it came by TLS, for a host that is to be used by TLS alone
	last    bool // the client wants the connection to end with it
	oldPeer bool // HTTP/1.0
	expect  bool // the client waits for 100 Continue
	asked   bool // ReadBody was called
	watched bool // CloseOnEOF was called
}

// intake is where an exchange stands with its body.
type intake struct {
	done      func(body []byte, ok bool)
	piece     func(p []byte, last bool) // of ReadPieces
	collected *[]byte                   // pooled: the body so far, if it did not come at once
	max, got  int64
	body      body
	dropped   int
}

// whole says that nothing of the body is missing.
func (x *Exchange) whole() bool { return x.in == nil || x.in.body.complete() }

func newExchange(h *conn, c *engine.Conn, head []byte, fr framing) (*Exchange, *fault) {
	req, f := parse(head)
	if f != nil {
		return nil, f
	}
	req, f = h.origin(c, req)
	if f != nil {
		return nil, f
	}
	if c.Encrypted() {
		if st, ok := c.TLS(); ok {
			req.TLS = &st
		}
	}
	x := &Exchange{
		h: h, c: c, ref: c.Ref(), req: req, head: getBuffer(), expect: fr.expect,
		strict: req.TLS != nil && h.cfg.StrictTransport != "" && StrictHost(req.Host),
		isHead: req.Method == http.MethodHead, last: req.Close, oldPeer: req.ProtoMinor == 0,
	}
	if b := newBody(fr); !b.complete() {
		x.in = &intake{body: b}
	}
	*x.head = append(*x.head, head...)
	return x, nil
}

// Request is the head, read by net/http's own reader; Body is http.NoBody, the context is never cancelled. RemoteAddr and Host are the client's, as far as trusted proxies
// say who that is; proxy.Scheme and proxy.FromContext tell the rest. It may be kept. nil after DropRequest.
func (x *Exchange) Request() *http.Request { return x.req }

// Remote is the client's address, as Request has it; the port may be 0, not known. Invalid: the client has none. (Conn().Remote() is the socket's.) Not after DropRequest.
func (x *Exchange) Remote() netip.AddrPort {
	if o := proxy.FromContext(x.req.Context()); o != nil {
		return o.Client
	}
	if h := x.h; h != nil && h.peer != nil {
		return h.peer.Addr
	}
	return x.c.Remote()
}

// Head is the raw head, including the empty line. Void after the exchange; nil then.
func (x *Exchange) Head() []byte {
	if x.head == nil {
		return nil
	}
	return *x.head
}

// DropRequest lets go of the request and its head, which take some kilobytes: for an exchange whose answer may be long in coming. Request and Head are nil from then on, unless the caller has
// kept what they were; Head's bytes are void at once.
func (x *Exchange) DropRequest() {
	x.req = nil
	putBuffer(x.head)
	x.head = nil
}

// Conn is the connection. Its deadline, its handler and its reading belong to this package until the exchange is over.
func (x *Exchange) Conn() *engine.Conn { return x.c }

// Ref names the connection. Any goroutine.
func (x *Exchange) Ref() engine.Ref { return x.ref }

// OnGone has f called on the loop, once, if the exchange ends without an answer because the connection is gone. One f per exchange; nil: none.
func (x *Exchange) OnGone(f func()) { x.gone = f }

// CloseOnEOF ends the exchange without an answer, and the connection, once the client has ended its direction: for answers that may be long in coming, and that
// nobody waits for who has done that (browsers and libraries that give a request up end the whole connection). Otherwise an exchange is answered all the same.
func (x *Exchange) CloseOnEOF() {
	if h := x.h; h != nil {
		x.watched = true
		if h.eof && h.state == open && !h.inside {
			h.OnEOF(x.c)
		}
	}
}

// ReadBody collects the body (Content-Length or chunked; sends 100 Continue when expected) and calls done once, on the loop: with the body (void
// after done returns), or with a nil body and ok false when the client broke off, was too slow, sent a malformed chunk, or the body is over max bytes; in all but the first case the
// exchange has been answered (408, 400, 413) already. done may run before ReadBody returns. At most once an exchange.
func (x *Exchange) ReadBody(max int64, done func(body []byte, ok bool)) {
	h := x.h
	if h == nil || x.asked {
		if h != nil {
			h.misuse(x, "ReadBody was called twice")
		}
		done(nil, false)
		return
	}
	x.asked = true
	if x.in == nil {
		x.in = new(intake)
	}
	x.in.max = max
	x.in.done = done
	if x.in.body.left > max { // told before a byte of it is read, or asked for
		h.fail(x.c, bodyTooLarge(max), x.isHead)
		return
	}
	h.goOn(x)
}

// goOn reads the body, or the next piece of it.
func (h *conn) goOn(x *Exchange) {
	h.state = reading
	after(x.c, h.cfg.bodyTimeout())
	if h.inside {
		return // OnData goes on with it
	}
	if h.left > 0 || h.paused {
		h.again(x.c)
		return
	}
	h.readBody(x.c, nil)
	if h.eof && h.state == reading {
		h.OnEOF(x.c)
	}
}

// maxPiece is how many bytes ReadPieces gives at a time, at most.
const maxPiece = 64 << 10

// ReadPieces reads a body of any length as it comes (100 Continue is sent when expected): piece is called on the loop with up to 64 KiB at a time (void after it returns), and
// after each but the last only once More has been called; meanwhile nothing is read, which is felt by the client. Config.BodyTimeout is for each piece. ok false, with
// no bytes, ends it: the client broke off, was too slow, or sent a malformed chunk; in all but the first case the exchange has been answered. Instead of ReadBody.
func (x *Exchange) ReadPieces(piece func(p []byte, last, ok bool)) {
	if x.in == nil {
		x.in = new(intake)
	}
	x.in.piece = func(p []byte, last bool) { piece(p, last, true) }
	x.ReadBody(math.MaxInt64, func(p []byte, ok bool) {
		x.in.piece = nil
		piece(p, true, ok)
	})
}

// More asks for the next piece.
func (x *Exchange) More() {
	h := x.h
	if h == nil || x.in == nil || x.in.piece == nil || h.state != open {
		return
	}
	h.goOn(x)
}

// Reply answers. header may be nil; Content-Length, Date and Connection are added (Connection: close in header is obeyed). status is 200 to 999. Answers to
// HEAD, and of status 204 and 304, carry no body. A request body that was not asked for is read and dropped up to 64 KiB, else the connection closes.
// body is copied. Reply after the client has gone does nothing.
func (x *Exchange) Reply(status int, header http.Header, body []byte) {
	x.reply(status, header, body, nil)
}

// ReplyFrames is Reply with a body of frames, of which the connection keeps pointers: what many get is in memory once.
func (x *Exchange) ReplyFrames(status int, header http.Header, frames []*engine.Frame) {
	x.reply(status, header, nil, frames)
}

func (x *Exchange) reply(status int, header http.Header, body []byte, frames []*engine.Frame) {
	h, c := x.h, x.c
	if h == nil {
		return
	}
	if status < 200 || status > 999 {
		h.misuse(x, fmt.Sprintf("Reply got status %d: want 200 to 999", status))
		status, header, body, frames = http.StatusInternalServerError, nil, nil, nil
	}
	length := len(body)
	for _, f := range frames {
		length += f.Len()
	}
	var done func([]byte, bool)
	if x.in != nil {
		done, x.in.done = x.in.done, nil
	}
	rest := !x.whole()
	bye := x.last || wantsClose(header) || c.Closed() ||
		h.eof && h.left == 0 && !h.inside ||
		rest && (x.expect || x.in.body.left > maxDrop) // a client that was not told to continue may send the body or not

	buf := getBuffer()
	var dropped string
	var ok bool
	a := answer{status: status, length: length, close: bye, oldPeer: x.oldPeer, now: c.Loop().Time()}
	if x.strict {
		a.strict = h.cfg.StrictTransport
	}
	*buf, dropped, ok = appendHead(*buf, a, header)
	if !ok {
		h.misuse(x, fmt.Sprintf("Reply got the header name %.80q, which is left out", dropped))
	}
	if !x.isHead && !bodiless(status) {
		if len(body) <= firstBuffer {
			*buf = append(*buf, body...)
			body = nil
		}
	} else {
		body, frames = nil, nil
	}
	c.Write(*buf)
	if len(body) > 0 {
		c.Write(body)
	}
	for _, f := range frames {
		c.Send(f)
	}
	putBuffer(buf)
	x.release()
	if done != nil { // answered before the body had come
		h.call(x, func() { done(nil, false) })
	}

	switch {
	case bye:
		h.end(c, engine.ResponseEnd, nil)
	case rest:
		h.state = dropping
		after(c, h.cfg.bodyTimeout())
		h.again(c)
	default:
		h.idle(c)
		h.again(c)
	}
}

// Upgrade writes response (a whole head, copied) and makes to the connection's handler; bytes behind the head go to it. A deadline that to has set on the
// connection already stands. A request that announces a body cannot be upgraded, since nobody could say to whom those bytes belong: it is answered with 400
// and the connection closes, of which to gets the OnClose.
func (x *Exchange) Upgrade(response []byte, to engine.Handler) {
	h, c := x.h, x.c
	if h == nil {
		return
	}
	whole := x.whole()
	x.release()
	h.x = nil
	h.state = gone
	if h.paused {
		c.ResumeRead()
	}
	c.SetHandler(to) // it is told of the client's end again, if that has come
	if !whole {
		f := badRequest("a request with a body cannot be upgraded")
		c.Write(appendFault(nil, f, x.isHead, c.Loop().Time()))
		c.Close(f.reason, f)
		return
	}
	c.Write(response)
}

// HandOver gives the connection, with this request's bytes in front, to Config.HandOver. Not after ReadBody or DropRequest.
func (x *Exchange) HandOver() {
	h := x.h
	switch {
	case h == nil:
	case x.asked || x.head == nil:
		h.misuse(x, "HandOver was called after ReadBody or DropRequest")
		x.Reply(http.StatusInternalServerError, nil, nil)
	case h.cfg.HandOver == nil:
		h.misuse(x, "HandOver was called without Config.HandOver")
		x.Reply(http.StatusInternalServerError, nil, nil)
	default:
		cfg, peer := h.cfg, h.peer
		x.detach(func(nc net.Conn) { cfg.handOver(nc, peer) })
	}
}

// Move gives the connection to another loop, where the request is read and served again. Not after ReadBody or DropRequest.
func (x *Exchange) Move(to *engine.Loop) {
	h := x.h
	switch {
	case h == nil:
	case x.asked || x.head == nil:
		h.misuse(x, "Move was called after ReadBody or DropRequest")
		x.Reply(http.StatusInternalServerError, nil, nil)
	default:
		cfg, peer := h.cfg, h.peer
		x.detach(func(nc net.Conn) { cfg.move(nc, peer, to) })
	}
}

// move runs on a goroutine of its own.
func (cfg *Config) move(nc net.Conn, peer *proxy.Peer, to *engine.Loop) {
	// An answer to a request before this one may wait to go out.
	err := nc.SetWriteDeadline(time.Now().Add(moveTimeout))
	if err == nil {
		_, err = nc.Write(nil)
	}
	if err == nil {
		err = to.Attach(nc, nil, func(c *engine.Conn) engine.Handler { return cfg.begin(c, peer) })
	}
	if err != nil {
		cfg.logger().Debug("http1: the connection could not be moved to another loop", "error", err)
		_ = nc.Close()
	}
}

// moveTimeout bounds the wait for a client that is to change loops and does not take what it was sent before.
const moveTimeout = 10 * time.Second

func (x *Exchange) detach(take func(nc net.Conn)) {
	if h := x.h; h.inside {
		h.detach(x, h.view, take)
	} else { // the engine adds what it has shown and kept
		h.detach(x, *x.head, take)
	}
}

// detach takes the connection out of the engine; p begins with the head of x. take gets it, on a goroutine of its own.
func (h *conn) detach(x *Exchange, p []byte, take func(nc net.Conn)) {
	c := x.c
	c.SetDeadline(0)
	nc, err := c.Detach(p)
	if err != nil {
		if !errors.Is(err, engine.ErrClosed) { // else it was the client who left
			h.cfg.logger().Error("http1: the connection could not be handed over", "error", err)
		}
		h.fail(c, internalError(), x.isHead)
		return
	}
	x.release()
	h.x = nil
	h.state = gone
	go take(nc)
}

func (cfg *Config) handOver(nc net.Conn, peer *proxy.Peer) {
	defer func() {
		if v := recover(); v != nil {
			cfg.logger().Error("http1: HandOver panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			if err := nc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				cfg.logger().Error("http1: the connection of a HandOver that panicked does not close", "err", err)
			}
		}
	}()
	cfg.HandOver(nc, peer)
}

// Later lets other goroutines answer: it returns a function that posts f to the loop, on any goroutine, any number of times. Nothing is read past the exchange meanwhile. f does not run when the
// exchange is over by then.
func (x *Exchange) Later() (post func(f func())) {
	h, ref := x.h, x.ref
	if h == nil {
		return func(func()) {}
	}
	return func(f func()) {
		ref.Loop().Post(engine.TaskFunc(func(*engine.Loop) {
			if ref.Conn() != nil && x.h != nil {
				h.call(x, f)
			}
		}))
	}
}

// release ends the exchange, which has been answered.
func (x *Exchange) release() {
	x.h = nil
	putBuffer(x.head)
	x.head, x.gone = nil, nil
	if x.in != nil {
		putBuffer(x.in.collected)
		x.in.collected = nil
	}
}

// abandon ends the exchange when it cannot be answered any more, or has been by a fault.
func (x *Exchange) abandon() {
	if x.h == nil {
		return // answered; only its body was being dropped
	}
	gone := x.gone
	var done func([]byte, bool)
	if x.in != nil {
		done, x.in.done = x.in.done, nil
	}
	h := x.h
	x.release()
	if done != nil {
		h.call(x, func() { done(nil, false) })
	}
	if gone != nil {
		h.call(x, gone)
	}
}

func (h *conn) misuse(x *Exchange, what string) {
	h.cfg.logger().Error("http1: "+what, "request", x.describe())
}

// describe is for the log.
func (x *Exchange) describe() string {
	if x.req == nil {
		return "dropped"
	}
	return fmt.Sprintf("%s %.100q", x.req.Method, x.req.URL.Path)
}
