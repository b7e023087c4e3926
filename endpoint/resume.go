package endpoint

import (
	"maps"
	"net/http"
	"slices"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/ws"
)

// later is a WebSocket with which a client has come back to its connection (wire contract, section 18.5). The connection stays what it was, the registry's object
// included; only its socket cannot be used again, because the engine may still be busy with the end of TCP. Loop only.
type later struct {
	socket ws.Socket
	conn   *connection
}

// comeBack decides on a WebSocket for a connection that has one, or had one (wire contract, section 3).
func (e *Endpoint) comeBack(t token, user *auth.Identity) (response, opening) {
	c := e.set.registry.returning(e, t)
	switch {
	case c == nil:
		return text(http.StatusConflict, ""), opening{}
	case !sameIdentity(c.hub.User(), user):
		e.set.cfg.Logger.Warn("another user has come with a connection's token", "path", e.path, "connection", c.hub.ID().String())
		return empty(http.StatusForbidden), opening{}
	}
	return response{}, opening{conn: c, returns: true}
}

// sameIdentity compares who a connection belongs to with who comes back to it: user id, name and claims. Its expiry may be another one: a token is renewed.
func sameIdentity(a, b *auth.Identity) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UserID == b.UserID && a.Name == b.Name && maps.EqualFunc(a.Claims, b.Claims, slices.Equal)
}

// over answers a client that comes back to a connection that has just ended (wire contract, section 3).
var over = text(http.StatusNoContent, "")

// elsewhere is the loop that a request has to be served on, if it is not x's: the one of the connection to which a client comes back, or that it polls. It is asked before anything else, so that
// the request is authenticated once.
func (e *Endpoint) elsewhere(x *http1.Exchange, negotiate bool) *engine.Loop {
	r := x.Request()
	if negotiate || r.Method != http.MethodGet {
		return nil
	}
	t, given := e.requestToken(r)
	if !given {
		return nil
	}
	if !ws.Valid(r) {
		if q := e.set.registry.requested(e, t); q != nil && q.transport == LongPolling && q.loop != x.Conn().Loop() {
			return q.loop // a client polls again and again on the same socket
		}
		return nil
	}
	if c := e.set.registry.returning(e, t); c != nil && c.hub.Loop() != x.Conn().Loop() {
		return c.hub.Loop()
	}
	return nil
}

// carry makes the WebSocket on ec one of the connection's.
func (c *connection) carry(ec *engine.Conn) *later {
	l := &later{conn: c}
	l.socket.Begin(ec, &c.mode.endpoint.opt.WebSocket)
	return l
}

// resume is carry for a connection that comes from net/http, where the answer is still due.
func (c *connection) resume(ec *engine.Conn, upgrade []byte) engine.Handler {
	if !c.hub.Resumable() {
		ec.Write([]byte("HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"))
		ec.Close(engine.ResponseEnd, nil)
		return ended{}
	}
	ec.Write(upgrade)
	l := c.carry(ec)
	c.hub.Resume(l)
	return l
}

// ended is the handler of a connection that has been answered and closed: it is called no more but for OnClose.
type ended struct{}

func (ended) OnData(_ *engine.Conn, p []byte) int                   { return len(p) }
func (ended) OnEOF(*engine.Conn)                                    {}
func (ended) OnDrain(*engine.Conn)                                  {}
func (ended) OnDeadline(*engine.Conn, uint32)                       {}
func (ended) OnClose(_ *engine.Conn, _ engine.CloseReason, _ error) {}

// Dropped implements hubrt.Keeper: the token is nobody's any more.
func (c *connection) Dropped() { c.mode.endpoint.set.registry.remove(c) }

// lost takes the end of a WebSocket of a connection whose client may come back. A close frame ends it at once (wire contract, section 18.6), and so does a fault that
// would only be repeated.
func (c *connection) lost(link hubrt.Link, r engine.CloseReason, graceful bool, err error) {
	if !c.hub.Carries(link) {
		return // another one has taken over
	}
	switch r {
	case engine.PeerClosed, engine.PeerReset, engine.IOError, engine.SendTimeout, engine.WebSocketTimeout:
		if !graceful {
			if c.hub.Lost(r) {
				return
			}
		}
	}
	c.Dropped()
	c.hub.Closed(r, err)
}

// engine.Handler

func (l *later) OnData(_ *engine.Conn, p []byte) int   { return l.socket.OnData((*laterOwner)(l), p) }
func (l *later) OnEOF(*engine.Conn)                    { l.socket.OnEOF((*laterOwner)(l)) }
func (l *later) OnDrain(*engine.Conn)                  { l.socket.OnDrain((*laterOwner)(l)) }
func (l *later) OnDeadline(_ *engine.Conn, now uint32) { l.socket.OnDeadline((*laterOwner)(l), now) }
func (l *later) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	l.socket.OnClose((*laterOwner)(l), r, err)
}

// laterOwner is a later as the ws.Owner of its socket.
type laterOwner later

func (o *laterOwner) Config() *ws.Config    { return &o.conn.mode.endpoint.opt.WebSocket }
func (o *laterOwner) OnPayload(p []byte)    { o.conn.hub.Receive(p) }
func (o *laterOwner) OnDrain()              { o.conn.hub.Drained() }
func (o *laterOwner) OnDeadline(now uint32) { o.conn.hub.Deadline(now) }

func (o *laterOwner) OnClosed(r engine.CloseReason, graceful bool, _ uint16, err error) {
	o.conn.lost((*later)(o), r, graceful, err)
}

// hubrt.Link

func (l *later) Loop() *engine.Loop    { return l.conn.hub.Loop() }
func (l *later) Format(bool)           {} // as the connection's mode has it
func (l *later) Send(f *engine.Frame)  { l.socket.Send(f) }
func (l *later) Write(records []byte)  { l.socket.Write(l.conn.mode.binary, records) }
func (l *later) Room() bool            { return !l.socket.Engine().Over() }
func (l *later) PauseRead()            { l.socket.PauseRead() }
func (l *later) ResumeRead()           { l.socket.ResumeRead((*laterOwner)(l)) }
func (l *later) SetDeadline(at uint32) { l.socket.SetDeadline(at) }

func (l *later) End(r engine.CloseReason, err error) { l.socket.Close((*laterOwner)(l), 1000, r, err) }
func (l *later) Fail(err error)                      { l.socket.Close((*laterOwner)(l), 1011, engine.InternalError, err) }
