package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/proxy"
	"github.com/spokehub/spoke/ws"
)

// Serve answers a request of our own HTTP, for which Owns must hold. Loop only.
func (s *Set) Serve(x *http1.Exchange) {
	r := x.Request()
	e, negotiate := s.match(r.URL.Path)
	if to := e.elsewhere(x, negotiate); to != nil {
		x.Move(to)
		return
	}
	if s.cfg.Authenticate == nil {
		e.serve(x, negotiate, nil)
		return
	}
	if !s.auth.enter() {
		s.busy.Add(1)
		busy.to(x)
		return
	}
	post := x.Later()
	ctx, cancel := context.WithCancel(r.Context())
	x.OnGone(cancel)
	go func() {
		defer cancel()
		user, refusal := s.authenticate(r.WithContext(ctx))
		post(func() {
			if refusal != nil {
				refusal.to(x)
				return
			}
			e.serve(x, negotiate, user)
		})
	}()
}

func (e *Endpoint) serve(x *http1.Exchange, negotiate bool, user *auth.Identity) {
	v := e.decide(x.Request(), negotiate, user)
	switch v.do {
	case doUpgrade:
		e.upgradeTo(x, v.opened, user)
	case doStream:
		e.stream(x, v.token, user)
	case doPoll:
		e.poll(x, v, user)
	case doSend:
		e.receive(x, v, user)
	case doDelete:
		v.to.delete(x.Conn().Loop())
		accepted.to(x)
	default:
		e.logRefusal(x.Request(), v.answer)
		v.answer.to(x)
	}
}

// peer is what is kept of a request.
func (e *Endpoint) peer(x *http1.Exchange) hubrt.Peer {
	p := hubrt.Peer{Remote: x.Remote()}
	if e.opt.KeepHead {
		p.Head, p.Origin, p.TLS = bytes.Clone(x.Head()), proxy.FromContext(x.Request().Context()), keptState(x.Request().TLS)
	}
	return p
}

// upgradeTo makes the exchange's connection the WebSocket of a connection.
func (e *Endpoint) upgradeTo(x *http1.Exchange, o opening, user *auth.Identity) {
	upgrade := ws.AppendUpgrade(nil, x.Request(), &e.opt.WebSocket)
	if !o.returns {
		x.Upgrade(upgrade, o.open(x.Conn(), user, e.peer(x)))
		o.receiveEarly()
		return
	}
	if o.conn.hub.Loop() != x.Conn().Loop() {
		text(http.StatusConflict, "").to(x) // it was not known yet when the request was looked at first
	} else if !o.conn.hub.Resumable() {
		over.to(x)
	} else {
		s := o.conn.carry(x.Conn())
		x.Upgrade(upgrade, s)
		o.conn.hub.Resume(s)
	}
}

// receiveEarly hands on what the client has sent before it had a transport.
func (o opening) receiveEarly() {
	for _, p := range o.early {
		o.conn.hub.Receive(p)
	}
}

// open makes the WebSocket and the hub connection. Loop only.
func (o opening) open(ec *engine.Conn, user *auth.Identity, p hubrt.Peer) engine.Handler {
	c := o.conn
	e := c.mode.endpoint
	p.ID, p.User, p.Transport, p.Binary = o.id, user, hubrt.WebSockets, true
	if o.stateful {
		p.Keeper = c
	}
	c.socket.Begin(ec, &e.opt.WebSocket)
	c.hub.Begin(e.hub, c, p)
	e.set.registry.begun(c, c.hub.Place())
	return c
}

// ServeHTTP answers a request of net/http; one that is for no hub gets 404. An upgrade is hijacked and its connection moved into the loops.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, negotiate := s.match(r.URL.Path)
	if e == nil {
		empty(http.StatusNotFound).write(w)
		return
	}
	var user *auth.Identity
	if s.cfg.Authenticate != nil {
		if !s.auth.enter() {
			s.busy.Add(1)
			busy.write(w)
			return
		}
		var refusal *response
		if user, refusal = s.authenticate(r); refusal != nil {
			refusal.write(w)
			return
		}
	}
	v := e.decide(r, negotiate, user)
	switch v.do {
	case doUpgrade:
		if err := e.hijack(w, r, v.opened, user); err != nil {
			s.cfg.Logger.Error("connection not taken over from net/http", "path", r.URL.Path, "error", err)
		}
	case doStream:
		e.relayStream(w, r, v.token, user)
	case doPoll:
		e.relayPoll(w, r, v, user)
	case doSend:
		e.relayBody(w, r, v, user)
	case doDelete:
		v.to.delete(nil)
		accepted.write(w)
	default:
		e.logRefusal(r, v.answer)
		v.answer.write(w)
	}
}

// logRefusal says which request was answered with an error. Its query is left out: that is where the token is.
func (e *Endpoint) logRefusal(r *http.Request, a response) {
	if log := e.set.cfg.Logger; a.status >= http.StatusBadRequest && log.Enabled(r.Context(), slog.LevelDebug) {
		log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "remote", r.RemoteAddr, "status", a.status, "answer", a.body)
	}
}

// hijack takes the TCP connection from net/http. Before it is hijacked an error is answered; afterwards the connection is just closed.
func (e *Endpoint) hijack(w http.ResponseWriter, r *http.Request, o opening, user *auth.Identity) error {
	nc, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		o.undo()
		response{http.StatusNotImplemented, headerText, "a WebSocket cannot be opened on this HTTP version or through this middleware"}.write(w)
		return err
	}
	if u, ok := nc.(interface{ Underlying() net.Conn }); ok { // net/http had a wrapper around it
		nc = u.Underlying()
	}
	unread, err := buf.Reader.Peek(buf.Reader.Buffered())
	if err == nil {
		peer := e.relayPeer(r)
		upgrade := ws.AppendUpgrade(nil, r, &e.opt.WebSocket)
		err = e.takeOver(nc, unread, o, func(ec *engine.Conn) engine.Handler {
			if o.returns {
				return o.conn.resume(ec, upgrade)
			}
			ec.Write(upgrade)
			handler := o.open(ec, user, peer)
			o.receiveEarly()
			return handler
		})
	}
	if err != nil {
		o.undo()
		const sorry = "this connection could not be taken over from the HTTP server"
		_, _ = fmt.Fprintf(nc, "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(sorry), sorry)
		_ = nc.Close()
	}
	return err
}

// takeOver brings a connection of net/http into the loops: itself, or over a bridge when it is wrapped in TLS or something else.
func (e *Endpoint) takeOver(nc net.Conn, unread []byte, o opening, open func(*engine.Conn) engine.Handler) error {
	attach, bridge := e.set.cfg.Engine.Attach, e.set.cfg.Engine.Bridge
	if o.returns { // to the loop that its connection is on
		attach, bridge = o.conn.hub.Loop().Attach, o.conn.hub.Loop().Bridge
	}
	err := attach(nc, unread, open)
	if errors.Is(err, engine.ErrNotPlain) {
		err = bridge(nc, unread, open)
	}
	return err
}

// rawHead writes a request's head again, for connections whose bytes net/http has read.
func rawHead(r *http.Request) []byte {
	var b bytes.Buffer
	b.WriteString(r.Method + " " + r.RequestURI + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	_ = r.Header.Write(&b) // a bytes.Buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}
