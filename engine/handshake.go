package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"time"
)

const (
	helloMax  = 16 << 10       // bytes of a client before our answer; crypto/tls would take 64 KiB, real ones have 0.2 to 2
	recordMax = 16<<10 + 2<<10 // bytes of a record behind its header: RFC 5246, 6.2.3; RFC 8446, 5.2 allows less

	handshakeSpare = 5 * time.Second // the loop acts within a second or two

	recordHeader    = 5  // RFC 8446, 5.1: type, version, length
	recordHandshake = 22 // the type
	handshakeHeader = 4  // RFC 8446, 4: type, length
)

var (
	errNotTLS    = errors.New("engine: the first bytes are no TLS handshake")
	errPlainHTTP = errors.New("engine: the client sent an HTTP request to a port for HTTPS")
)

// plainHTTPAnswer is what net/http answers to plain HTTP on a port for HTTPS.
const plainHTTPAnswer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

// handshake is the Handler of a connection during its TLS handshake, when for the engine it is still plain: what it reads and writes are the handshake's records.
// The handshake is made by crypto/tls, on a goroutine that does not exist before the ClientHello is complete, computes when the pool lets it, and gives its place to
// others while it waits for the client. Nothing is read while it computes or waits for its turn.
//
// in, out and ended belong to the loop before the goroutine starts and while it waits for the client, and to the goroutine in between: they pass from one to
// the other by Loop.Post and by the pool's turn.
type handshake struct {
	by            *Handshaker           // constant, as are the next seven
	loop          *Loop                 //
	ref           Ref                   //
	then          func(c *Conn) Handler //
	turn          chan struct{}         // from the pool: it may compute
	local, remote net.Addr              //
	gone          context.Context       // the connection has ended

	end     context.CancelFunc // loop
	step    step               // loop
	counted bool               // loop: among Stats.HandshakesRunning
	seal    *sealed            // loop, then the goroutine, then the loop

	in, out []byte
	ended   bool // by the client

	// Of the pool, under its mu.

	started    bool // there is a goroutine
	place      place
	since      time.Time // when it began to wait for its client
	prev, next *handshake
}

// step is what the loop waits for.
type step uint8

const (
	forHello  step = iota // a whole ClientHello
	forServer             // the goroutine
	forClient             // more of the client
	succeeded
	failed
	refused
)

func newHandshake(by *Handshaker, c *Conn, then func(c *Conn) Handler) *handshake {
	c.SetDeadline(c.loop.now + seconds(by.cfg.HandshakeTimeout))
	return &handshake{by: by, loop: c.loop, ref: c.Ref(), then: then}
}

// OnData implements Handler.
func (h *handshake) OnData(c *Conn, p []byte) int {
	c.loop.bytesIn -= int64(len(p)) // which counts what is shown to the handlers above
	switch h.step {
	case forHello:
		h.in = append(h.in, p...)
		switch n, err := helloSize(h.in); {
		case errors.Is(err, errPlainHTTP):
			c.Write([]byte(plainHTTPAnswer))
			h.fail(c, err)
		case err != nil:
			h.fail(c, err)
		case len(h.in) > helloMax:
			h.fail(c, fmt.Errorf("engine: %d bytes have come before the answer to a ClientHello, at most %d may", len(h.in), helloMax))
		case n > 0:
			h.begin(c)
		}
	case forClient:
		if h.in = append(h.in, p...); wholeRecord(h.in) {
			h.resume(c)
		}
	}
	return len(p)
}

// begin starts the handshake proper.
func (h *handshake) begin(c *Conn) {
	// The time is the loop's business. That the context has one, too, ends the goroutine of a connection that has got another handler.
	h.gone, h.end = context.WithTimeout(context.Background(), h.by.cfg.HandshakeTimeout+handshakeSpare)
	h.turn = make(chan struct{}, 1)
	h.local, h.remote = c.Local(), remoteAddr(c)
	h.seal = newSealed(h)
	h.wait(c)
	if !h.by.pool.enter(h) {
		h.step = refused
		c.loop.counters.handshakesRefused.Add(1)
		c.Reset(Refused, fmt.Errorf("engine: %d TLS handshakes are under way, at most %d may be", h.by.cfg.Handshakes, h.by.cfg.Handshakes))
		return
	}
	h.counted = true
	c.loop.counters.handshakesRunning.Add(1)
}

// countOut: the handshake is no longer under way.
func (h *handshake) countOut() {
	if h.counted {
		h.counted = false
		h.loop.counters.handshakesRunning.Add(-1)
	}
}

func (h *handshake) resume(c *Conn) {
	h.wait(c)
	h.by.pool.resume(h)
}

// wait leaves the rest of what the client sends to TCP until the goroutine asks for it. It is no pause that anybody should count.
func (h *handshake) wait(c *Conn) {
	h.step = forServer
	c.flags |= flagPaused
}

// OnEOF implements Handler.
func (h *handshake) OnEOF(c *Conn) {
	switch {
	case h.step == forClient: // crypto/tls says what it thinks of that
		h.ended = true
		h.resume(c)
	case h.step == forHello && len(h.in) == 0:
		c.Close(PeerClosed, nil)
	default:
		h.fail(c, io.ErrUnexpectedEOF)
	}
}

// OnDeadline implements Handler.
func (h *handshake) OnDeadline(c *Conn, _ uint32) {
	c.Reset(TLSHandshakeTimeout, fmt.Errorf("engine: no TLS handshake within %v", h.by.cfg.HandshakeTimeout))
}

// displace ends a handshake that has lost its place to another. Under the pool's mu.
func (h *handshake) displace() {
	h.loop.Post(TaskFunc(func(*Loop) {
		if c := h.ref.Conn(); c != nil && h.step != succeeded {
			c.Reset(TLSHandshakeTimeout, fmt.Errorf("engine: %d TLS handshakes are under way, and this one has waited for its client for more than %v", h.by.cfg.Handshakes, handshakeGrace))
		}
	})) // false: the loop has ended, and the connection before it
}

// OnDrain implements Handler.
func (h *handshake) OnDrain(*Conn) {}

// Idle implements Idler: nobody stops later for a client that has not said who it is.
func (h *handshake) Idle() bool { return true }

// OnClose implements Handler. It also runs for a connection that is closed in then.
func (h *handshake) OnClose(c *Conn, _ CloseReason, _ error) {
	if h.end != nil {
		h.end()
		h.by.pool.abandon(h)
		h.countOut()
	}
	if h.step != succeeded && h.step != refused {
		c.loop.counters.handshakesFailed.Add(1)
	}
}

// fail ends the connection, behind the alert if there is one.
func (h *handshake) fail(c *Conn, err error) {
	h.step = failed
	h.in = nil
	c.Close(TLSHandshakeFailed, err)
}

// run is the goroutine.
func (h *handshake) run() {
	err := h.compute()
	h.by.pool.leave(h)
	h.loop.Post(TaskFunc(func(l *Loop) { h.computed(err) })) // false: the loop has ended, and the connection before it
}

func (h *handshake) compute() (err error) {
	defer func() { // of a function of the configuration
		if r := recover(); r != nil {
			h.loop.counters.panics.Add(1)
			h.loop.engine.cfg.Logger.Error("panic in a TLS handshake", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("engine: panic in a TLS handshake: %v", r)
		}
	}()
	if err := h.seal.tc.HandshakeContext(h.gone); err != nil {
		return err
	}
	if v := h.seal.tc.ConnectionState().Version; v < tls.VersionTLS12 { // by GetConfigForClient
		return fmt.Errorf("engine: the handshake has agreed on %s, but at least TLS 1.2 is expected", tls.VersionName(v))
	}
	return nil
}

// read is what crypto/tls reads with: whole records, which it asks for until it has what it needs.
func (h *handshake) read(p []byte) (int, error) {
	for {
		if cut := &h.seal.cut; len(h.in) > 0 && (cut.rest > 0 || wholeRecord(h.in)) {
			n := copy(p, h.in[:cut.next(h.in, len(p))])
			h.in = h.in[n:]
			return n, nil
		}
		if h.ended {
			return 0, io.EOF
		}
		if h.gone.Err() != nil {
			return 0, net.ErrClosed
		}
		h.by.pool.await(h) // before the loop can hear of it, and have it resumed
		if !h.loop.Post(TaskFunc(func(*Loop) { h.awaits() })) {
			return 0, net.ErrClosed
		}
		select {
		case <-h.turn:
		case <-h.gone.Done():
			return 0, net.ErrClosed
		}
	}
}

// write is what crypto/tls writes with.
func (h *handshake) write(p []byte) (int, error) {
	h.out = append(h.out, p...)
	return len(p), nil
}

// send queues what the goroutine has written.
func (h *handshake) send(c *Conn) {
	c.loop.bytesOut -= int64(len(h.out))
	c.Write(h.out)
	h.out = nil
}

// awaits: the goroutine waits for the client. Loop.
func (h *handshake) awaits() {
	c := h.ref.Conn()
	if c == nil || h.step != forServer {
		return // ended meanwhile
	}
	h.send(c)
	h.step = forClient
	c.ResumeRead()
}

// computed: the goroutine has ended. Loop.
func (h *handshake) computed(err error) {
	h.countOut()
	h.end()
	c := h.ref.Conn()
	if c == nil || h.step != forServer {
		return
	}
	h.send(c)
	if c.Closed() { // over a cap that is far too low
		return
	}
	if err != nil {
		h.fail(c, fmt.Errorf("engine: TLS handshake: %w", err))
		return
	}
	h.step = succeeded
	c.loop.counters.handshakes.Add(1)
	c.SetDeadline(0)
	if !h.loop.encrypt(c, h.seal, h.in) {
		return
	}
	h.in = nil
	c.flags &^= flagPaused
	next := h.loop.callOpen(c, h.then)
	if next == nil {
		c.handler = nil
		c.Reset(Refused, nil)
		return
	}
	c.SetHandler(next) // who has closed the connection is told of its end
}

// remoteAddr is the peer's address, for functions of the configuration that ask for it.
func remoteAddr(c *Conn) net.Addr {
	switch a := c.Remote(); {
	case a.IsValid():
		return net.TCPAddrFromAddrPort(a)
	case c.loop.engine.cfg.Backend == backendMemory:
		return memoryAddr{}
	}
	return &net.UnixAddr{Net: "unix"}
}

// wholeRecord reports that p begins with a whole record, or with the header of one that is too large.
func wholeRecord(p []byte) bool {
	if len(p) < recordHeader {
		return false
	}
	n := recordLen(p)
	return n > recordMax || len(p) >= recordHeader+n
}

// recordLen is the length in a record's header.
func recordLen(header []byte) int { return int(header[3])<<8 | int(header[4]) }

// helloSize is the number of bytes in the records of the ClientHello that p begins with; 0 if there is more to come. It looks at no more than what it needs for
// that: crypto/tls sees all of it later.
func helloSize(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if p[0] != recordHandshake {
		return 0, notTLS(p)
	}
	var message []byte // its header
	need, have := handshakeHeader, 0
	for at := 0; ; {
		if len(p)-at < recordHeader {
			return 0, nil
		}
		n := recordLen(p[at:])
		if p[at] != recordHandshake || p[at+1] != 3 || n == 0 || n > recordMax {
			return 0, errNotTLS
		}
		at += recordHeader
		body := p[at:min(len(p), at+n)]
		if k := handshakeHeader - len(message); k > 0 {
			if message = append(message, body[:min(k, len(body))]...); len(message) == handshakeHeader {
				need += int(message[1])<<16 | int(message[2])<<8 | int(message[3])
			}
		}
		have += len(body)
		at += n
		switch {
		case need > helloMax:
			return 0, fmt.Errorf("engine: a ClientHello of %d bytes, at most %d are accepted", need, helloMax)
		case at > len(p):
			return 0, nil
		case len(message) == handshakeHeader && have >= need:
			return at, nil
		}
	}
}

// notTLS says what the first bytes are that are no TLS: nil if it could be either kind of wrong still.
func notTLS(p []byte) error {
	for _, begin := range [...]string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO"} { // as net/http decides it
		if n := min(len(p), len(begin)); string(p[:n]) == begin[:n] {
			if n < len(begin) {
				return nil
			}
			return errPlainHTTP
		}
	}
	return errNotTLS
}
