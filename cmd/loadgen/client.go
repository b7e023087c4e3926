package main

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/spokehub/spoke/engine"
)

// step is how far a connection has come.
type step uint8

const (
	stepNew step = iota
	stepNegotiate
	stepUpgrade
	stepHandshake
	stepJoin
	stepReady
	stepLeaving // we have ended it
	stepGone
)

var stepNames = [...]string{"connect", "negotiate", "upgrade", "handshake", "join", "ready", "leaving", "gone"}

// client is one SignalR client: negotiate and upgrade on one TCP connection, handshake, join, then what its shard does with it. With the other transports the request for
// events, or the polls, take the place of the upgrade, and what it sends goes out on its shard's posters.
// It implements engine.Handler.
type client struct { // loop, but for what dial and open use: these come before
	worker *worker
	shard  *shard
	conn   *engine.Conn
	step   step

	number    int32 // of all connections of the run
	publisher int32 // -1: none
	group     int32
	slow      bool

	token    string // of negotiate, when the server has ended the connection after it
	began    int64  // when the connection was due, nanoseconds
	deadline uint32 // for the connection to be ready, in seconds of the loop
	heard    uint32 // when the server last sent, in seconds of the loop
	place    int32  // in shard.senders; -1: not there
	counted  bool   // among the ready ones of its shard
	settled  bool   // the ramp knows what became of it
	broken   bool   // its end was an error
	again    bool   // negotiate: another connection takes the place of this one when it has ended
	asked    bool   // negotiate: an answer is awaited
	due      int64  // negotiate: when the call was due that is under way

	sent     int64
	streams  []stream // what is received, by publisher / groups; of an echo: one
	window   *window  // of a publisher in a closed loop
	fragment []byte   // beginning of a fragmented message, or of an event

	timer *engine.Timer // of a slow reader or a short life
}

// open gives the connection to the client. It runs on the connection's loop.
func (c *client) open(conn *engine.Conn) engine.Handler {
	c.shard = c.worker.shards[conn.Loop().Index()]
	c.conn = conn
	c.heard = conn.Loop().Now()
	if c.deadline == 0 {
		c.deadline = c.heard + uint32(c.worker.opts.connectTime.Seconds()) + 1
	}
	if c.worker.opts.scenario == negotiate {
		c.awaitCalls()
		return c
	}
	conn.SetDeadline(c.deadline)
	if c.worker.opts.skip || c.token != "" {
		c.sendUpgrade()
	} else {
		c.step = stepNegotiate
		c.write(c.worker.negotiation(c.number))
	}
	return c
}

// write queues bytes for the server.
func (c *client) write(p []byte) {
	c.shard.tally.BytesOut += int64(len(p))
	c.conn.Write(p)
}

// sendRecords sends hub records in one WebSocket message, or in one POST.
func (c *client) sendRecords(records []byte) { c.sendAs(c.worker.protocol.op, records) }

func (c *client) sendAs(op opcode, records []byte) {
	if c.worker.opts.transport == webSockets {
		c.sendFrame(op, records)
		return
	}
	c.poster().post(c, records)
}

// unsent is how many bytes wait to be sent.
func (c *client) unsent() int {
	if c.worker.opts.transport == webSockets {
		return c.conn.Buffered()
	}
	return c.poster().bytes
}

func (c *client) sendFrame(op opcode, p []byte) {
	c.shard.frame = appendFrame(c.shard.frame[:0], op, p)
	c.write(c.shard.frame)
}

// sendUpgrade sends the request for the transport.
func (c *client) sendUpgrade() {
	c.step = stepUpgrade
	if c.worker.opts.transport == webSockets {
		c.write(c.worker.upgrade(c.number, c.token))
		return
	}
	c.write(c.listenRequest())
}

// OnData implements engine.Handler.
func (c *client) OnData(_ *engine.Conn, p []byte) int {
	c.heard = c.conn.Loop().Now()
	c.shard.at = c.worker.clock.now()
	n := 0
	for n < len(p) && c.step < stepLeaving {
		handle := c.onFrame
		switch transport := c.worker.opts.transport; {
		case c.worker.opts.scenario == negotiate:
			handle = c.onNegotiation
		case c.step <= stepNegotiate:
			handle = c.onHTTP
		case transport == longPolling:
			handle = c.onPoll
		case c.step == stepUpgrade && transport == serverSentEvents:
			handle = c.onStreamHead
		case c.step == stepUpgrade:
			handle = c.onHTTP
		case transport == serverSentEvents:
			handle = c.onChunk
		}
		k := handle(p[n:])
		if k == 0 {
			break
		}
		n += k
	}
	c.shard.tally.BytesIn += int64(n)
	if c.slow && n > 0 {
		c.shard.slowDown(c, n)
	}
	if c.step >= stepLeaving {
		return len(p)
	}
	return n
}

// onHTTP handles the answer to negotiate or upgrade.
func (c *client) onHTTP(p []byte) int {
	a, n, err := parseAnswer(p)
	if err != nil {
		c.fail(stepNames[c.step], err.Error())
		return 0
	}
	if n == 0 {
		return 0
	}
	if c.step == stepNegotiate {
		if a.status != 200 {
			c.fail(fmt.Sprintf("negotiate: HTTP %d", a.status), statusText(a))
			return n
		}
		if c.token, err = readNegotiation(a.body, transportNames[c.worker.opts.transport]); err != nil {
			c.fail("negotiate: refused", err.Error())
			return n
		}
		if a.close { // OnClose dials again, with the token
			c.conn.Close(engine.ResponseEnd, nil)
			return n
		}
		c.sendUpgrade()
		return n
	}
	switch {
	case a.status != 101:
		c.fail(fmt.Sprintf("upgrade: HTTP %d", a.status), statusText(a))
	case a.accept != acceptKey:
		c.fail("upgrade: wrong answer", fmt.Sprintf("Sec-WebSocket-Accept is %q, %q is expected", a.accept, acceptKey))
	default:
		c.shakeHands()
	}
	return n
}

func (c *client) shakeHands() {
	c.step = stepHandshake
	c.sendAs(opText, c.worker.protocol.handshake)
}

func statusText(a answer) string {
	s := fmt.Sprintf("the server answered with status %d", a.status)
	if len(a.body) > 0 {
		s += ": " + excerpt(a.body)
	}
	if a.status == 404 {
		s += "; is this the hub's URL?"
	}
	return s
}

// onFrame handles one whole frame; 0: more bytes are needed, or the connection has failed.
func (c *client) onFrame(p []byte) int {
	h, n, err := parseFrameHeader(p)
	if err != nil {
		c.fail("websocket: protocol error", err.Error())
		return 0
	}
	if n == 0 || len(p)-n < h.length {
		return 0
	}
	body := p[n : n+h.length]
	n += h.length
	switch h.op {
	case opPing:
		c.sendFrame(opPong, body)
		return n
	case opPong:
		return n
	case opClose:
		c.onCloseFrame(body)
		return n
	}
	begins := h.op != opContinuation
	if begins == (c.fragment != nil) {
		c.fail("websocket: protocol error", fmt.Sprintf("a frame with opcode %d where a message was, or was not, begun", h.op))
		return n
	}
	if h.fin && begins {
		c.onMessage(body)
		return n
	}
	if c.fragment == nil {
		c.fragment = []byte{}
	}
	if len(c.fragment)+len(body) > maxMessage {
		c.fail("websocket: protocol error", fmt.Sprintf("a message has more than %d bytes", maxMessage))
		return n
	}
	c.fragment = append(c.fragment, body...)
	if h.fin {
		whole := c.fragment
		c.fragment = nil
		c.onMessage(whole)
	}
	return n
}

// onCloseFrame answers the server's close frame; the server then ends TCP.
func (c *client) onCloseFrame(body []byte) {
	text := "the server sent a close frame without a code"
	if len(body) >= 2 {
		text = fmt.Sprintf("the server sent a close frame with code %d %s", int(body[0])<<8|int(body[1]), excerpt(body[2:]))
		body = body[:2]
	}
	c.sendFrame(opClose, body)
	c.fail("the server closed the connection", text)
}

// onMessage handles a WebSocket message: whole hub records.
func (c *client) onMessage(p []byte) {
	for len(p) > 0 && c.step < stepLeaving {
		cut := c.worker.protocol.cut
		if c.step == stepHandshake {
			cut = cutText // whatever the protocol
		}
		rec, rest, err := cut(p)
		if err != nil {
			c.fail("hub: protocol error", err.Error())
			return
		}
		p = rest
		if c.step == stepHandshake {
			c.onHandshake(rec)
			continue
		}
		r, err := c.worker.protocol.read(&c.worker.reader, rec)
		if err != nil {
			c.fail("hub: protocol error", err.Error())
			return
		}
		c.onRecord(&r)
	}
}

func (c *client) onHandshake(rec []byte) {
	if err := readHandshake(rec); err != nil {
		c.fail("handshake: refused", err.Error())
		return
	}
	// The first ping starts the server's client timeout, as with the official clients (wire contract, section 25); who polls has none.
	if c.worker.opts.transport == longPolling {
		if c.worker.opts.scenario == group {
			c.step = stepJoin
			c.sendRecords(c.worker.joins[c.group])
			return
		}
		c.becomeReady()
		return
	}
	if c.worker.opts.scenario == group {
		c.step = stepJoin
		c.shard.text = append(c.shard.text[:0], c.worker.protocol.ping...)
		c.shard.text = append(c.shard.text, c.worker.joins[c.group]...)
		c.sendRecords(c.shard.text)
		return
	}
	c.sendRecords(c.worker.protocol.ping)
	c.becomeReady()
}

func (c *client) becomeReady() {
	c.step = stepReady
	c.deadline = 0
	ping := uint32(c.worker.opts.ping.Seconds())
	// The first pings are spread over the interval, so that a fast ramp does not make a herd.
	c.conn.SetDeadline(c.conn.Loop().Now() + 1 + uint32(c.number)%ping)
	c.shard.ready(c)
}

func (c *client) onRecord(r *record) {
	switch r.kind {
	case kindInvocation:
		if c.step == stepReady && strings.EqualFold(string(r.target), c.worker.opts.clientMethod) {
			c.shard.delivered(c, r.text)
		}
	case kindCompletion:
		if c.step == stepJoin {
			if r.failed {
				c.fail("join: refused", r.reason)
				return
			}
			c.becomeReady()
			return
		}
		c.shard.completed(c, r)
	case kindClose:
		text := fmt.Sprintf("the hub closed the connection, allowReconnect %t", r.retry)
		if r.failed {
			text += ": " + r.reason
		}
		c.fail("the hub closed the connection", text)
	}
}

// fail ends the connection with an error.
func (c *client) fail(kind, text string) {
	if c.step >= stepLeaving {
		return
	}
	c.shard.failed(c, kind, text)
	c.conn.Close(engine.ClientClosed, nil)
}

// leave ends the connection in good order, or by reset.
func (c *client) leave(reset bool) {
	if c.step >= stepLeaving {
		return
	}
	ready := c.step == stepReady
	c.step = stepLeaving
	c.stopTimer()
	c.shard.retire(c)
	if reset {
		c.conn.Reset(engine.ClientClosed, nil)
		return
	}
	switch transport := c.worker.opts.transport; {
	case transport == longPolling:
		c.poster().delete(c)
	case ready && transport == webSockets && c.worker.opts.scenario != negotiate:
		c.sendRecords(c.worker.protocol.bye)
		c.sendFrame(opClose, []byte{0x03, 0xe8}) // 1000
	}
	c.conn.Close(engine.ClientClosed, nil)
}

// OnEOF implements engine.Handler.
func (c *client) OnEOF(conn *engine.Conn) {
	if c.worker.opts.scenario == negotiate && c.step == stepReady && !c.asked {
		c.comeAgain(engine.PeerClosed) // the server's idle timeout
		return
	}
	c.fail("the server ended TCP", "the server ended TCP in step "+stepNames[c.step]+" without a close frame")
	conn.Close(engine.PeerClosed, nil)
}

// OnDrain implements engine.Handler.
func (c *client) OnDrain(*engine.Conn) {}

// OnDeadline implements engine.Handler: it pings, and looks for a server that is silent or slow.
func (c *client) OnDeadline(conn *engine.Conn, now uint32) {
	if c.worker.opts.scenario == negotiate {
		c.lookForAnswer(now)
		return
	}
	if c.step != stepReady {
		c.fail(stepNames[c.step]+": timeout", fmt.Sprintf("the connection was not ready within %v; it was in step %s", c.worker.opts.connectTime, stepNames[c.step]))
		return
	}
	if s := c.patience(); s > 0 && now-c.heard > uint32(s.Seconds()) && !c.slow {
		c.fail("the server is silent", fmt.Sprintf("nothing came from the server for %v", s))
		return
	}
	if c.worker.opts.transport != longPolling { // who polls does not ping (wire contract, section 6)
		c.sendRecords(c.worker.protocol.ping)
	}
	conn.SetDeadline(now + uint32(c.worker.opts.ping.Seconds()))
}

// OnClose implements engine.Handler.
func (c *client) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	c.stopTimer()
	if c.step == stepNegotiate && r == engine.ResponseEnd && c.token != "" {
		c.step = stepNew
		c.worker.dialer.dial(c)
		return
	}
	if c.step < stepLeaving {
		kind := "the connection was lost: " + r.String()
		if c.step < stepReady {
			kind = stepNames[c.step] + ": " + r.String()
		}
		text := r.String()
		if err != nil {
			text = err.Error()
		}
		c.shard.failed(c, kind, text)
	}
	c.step = stepGone
	c.conn = nil
	c.shard.gone(c)
}

func (c *client) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// The key and answer of the upgrade (RFC 6455, section 4.1). A fresh key for each connection would tell a server nothing more.
var (
	upgradeKey = func() string {
		var k [16]byte
		_, _ = rand.Read(k[:]) // it does not fail
		return base64.StdEncoding.EncodeToString(k[:])
	}()
	acceptKey = accept(upgradeKey)
)

func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// negotiateRequest is the request that begins a connection.
func negotiateRequest(o *options, t target) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\n", t.request("/negotiate", "negotiateVersion=1"))
	writeHeaders(&b, o)
	b.WriteString("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 0\r\nX-Requested-With: XMLHttpRequest\r\n\r\n")
	return []byte(b.String())
}

// upgradeRequest is the request for a WebSocket; token "": without negotiate.
func upgradeRequest(o *options, t target, token string) []byte {
	id := ""
	if token != "" {
		id = "id=" + url.QueryEscape(token)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", t.request("", id))
	writeHeaders(&b, o)
	fmt.Fprintf(&b, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", upgradeKey)
	return []byte(b.String())
}

func writeHeaders(b *strings.Builder, o *options) {
	fmt.Fprintf(b, "Host: %s\r\nUser-Agent: spoke-loadgen\r\n", o.target.host)
	if o.token != "" {
		fmt.Fprintf(b, "Authorization: Bearer %s\r\n", o.token)
	}
	for _, h := range o.headers {
		b.WriteString(h)
		b.WriteString("\r\n")
	}
}
