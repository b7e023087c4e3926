package endpoint

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
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
	r := x.Request()
	answer, o := e.decide(r, negotiate, user)
	if o.conn == nil {
		answer.to(x)
		return
	}
	upgrade := ws.AppendUpgrade(nil, r, &e.opt.WebSocket)
	if o.returns {
		if o.conn.hub.Loop() != x.Conn().Loop() {
			text(http.StatusConflict, "").to(x) // it was not known yet when the request was looked at first
		} else if !o.conn.hub.Resumable() {
			over.to(x)
		} else {
			s := o.conn.carry(x.Conn())
			x.Upgrade(upgrade, &s.socket)
			o.conn.hub.Resume(s)
		}
		return
	}
	var head []byte
	if e.opt.KeepHead {
		head = bytes.Clone(x.Head())
	}
	x.Upgrade(upgrade, o.open(x.Conn(), user, head))
}

// open makes the WebSocket and the hub connection. Loop only.
func (o opening) open(ec *engine.Conn, user *auth.Identity, head []byte) engine.Handler {
	c := o.conn
	e := c.mode.endpoint
	var keeper hubrt.Keeper
	if o.stateful {
		keeper = c
	}
	c.socket.Begin(ec, &e.opt.WebSocket, c)
	c.hub.Begin(e.hub, c, hubrt.Peer{
		ID:        o.id,
		User:      user,
		Head:      head,
		Remote:    ec.Remote(),
		Transport: hubrt.WebSockets,
		Binary:    true,
		Keeper:    keeper,
	})
	return &c.socket
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
	answer, o := e.decide(r, negotiate, user)
	if o.conn == nil {
		answer.write(w)
		return
	}
	if err := e.hijack(w, r, o, user); err != nil {
		s.cfg.Logger.Error("connection not taken over from net/http", "path", r.URL.Path, "error", err)
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
		var head []byte
		if e.opt.KeepHead {
			head = rawHead(r)
		}
		upgrade := ws.AppendUpgrade(nil, r, &e.opt.WebSocket)
		if o.returns {
			err = o.conn.hub.Loop().Attach(nc, unread, func(ec *engine.Conn) engine.Handler { return o.conn.resume(ec, upgrade) })
		} else {
			err = e.set.cfg.Engine.Attach(nc, unread, func(ec *engine.Conn) engine.Handler {
				ec.Write(upgrade)
				return o.open(ec, user, head)
			})
		}
	}
	if err != nil {
		o.undo()
		const sorry = "a WebSocket needs a plain TCP or unix connection on this mount"
		_, _ = fmt.Fprintf(nc, "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(sorry), sorry)
		_ = nc.Close()
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
