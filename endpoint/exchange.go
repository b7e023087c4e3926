package endpoint

import (
	"bytes"
	"net/http"
	"sync/atomic"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/longpoll"
)

// What follows serves the transports that are made of requests, for requests of our own HTTP. All of it begins on the request's loop, which need not be that of the
// connection.

// open makes the connection of a request for an event stream or a first poll; nil: another request was quicker.
func (e *Endpoint) open(t token, transport Transports, user *auth.Identity, loop *engine.Loop) *requested {
	q := &requested{endpoint: e, transport: transport, user: user, loop: loop}
	if !e.set.registry.claimRequested(t, q) {
		return nil
	}
	return q
}

// stream makes the exchange's connection an event stream.
func (e *Endpoint) stream(x *http1.Exchange, t token, user *auth.Identity) {
	if r := x.Request(); r.ContentLength != 0 { // an upgrade has no body (chunked: -1)
		broken.to(x)
		return
	}
	ec := x.Conn()
	q := e.open(t, ServerSentEvents, user, ec.Loop())
	if q == nil {
		conflict.to(x)
		return
	}
	peer := e.peer(x)
	s := new(longpoll.Stream)
	plain := x.Request().ProtoMinor == 0
	framing := hubrt.Events
	if plain {
		framing = hubrt.Raw
	}
	s.Begin(ec, q, plain)
	x.Upgrade(longpoll.StreamHead(nil, ec.Loop().Time().UTC().Format(http.TimeFormat), plain), s)
	q.begin(s, framing, peer)
}

// poll answers a poll, at once or when there is something to say.
func (e *Endpoint) poll(x *http1.Exchange, v verdict, user *auth.Identity) {
	loop := x.Conn().Loop()
	q := v.to
	if q == nil {
		if q = e.open(v.token, LongPolling, user, loop); q == nil {
			conflict.to(x)
			return
		}
		q.beginPolls(e.peer(x)).Poll(&poll{x, q})
		return
	}
	x.DropRequest()
	if q.loop == loop {
		w := &poll{x, q}
		x.OnGone(w.gone)
		q.here(loop, func() { q.polled().Poll(w) })
	} else {
		w := &farPoll{x: x, post: x.Later()}
		x.OnGone(func() { q.here(nil, func() { q.polled().Gone(w) }) })
		if !q.here(nil, func() { q.polled().Poll(w) }) {
			response{http.StatusNoContent, headerPoll, ""}.to(x)
			return
		}
	}
	x.CloseOnEOF() // last: the client may have gone already, and then the poll must not wait
}

// beginPolls begins a polled connection, on its loop.
func (q *requested) beginPolls(peer hubrt.Peer) *longpoll.Polled {
	e := q.endpoint
	p := new(longpoll.Polled)
	p.Begin(e.set.clocks[q.loop.Index()], q, &e.set.cfg.Limits, e.opt.PollTimeout, e.set.cfg.ParkedTimeout)
	q.begin(p, hubrt.Raw, peer)
	return p
}

func (q *requested) polled() *longpoll.Polled { return q.carrier.(*longpoll.Polled) }

// delete ends a polled connection for its client. on is the caller's loop, nil: none.
func (q *requested) delete(on *engine.Loop) {
	q.here(on, func() {
		q.polled().Delete()
		q.hub.Hangup()
	})
}

// poll is a poll of our own HTTP on its connection's loop. There may be as many as connections, so it holds no more than it has to.
type poll struct {
	x  *http1.Exchange
	to *requested
}

// Answer implements longpoll.Waiter.
func (p *poll) Answer(a longpoll.Answer) { p.x.ReplyFrames(a.Status, pollHeader(a), a.Frames) }

// Leaving implements longpoll.Waiter.
func (p *poll) Leaving() bool { return leaving(p.x.Ref()) }

// leaving reports whether bytes wait to go out. On the loop of ref.
func leaving(ref engine.Ref) bool {
	c := ref.Conn()
	return c != nil && c.Buffered() > 0
}

// gone says that the client has gone.
func (p *poll) gone() { p.to.here(p.to.loop, func() { p.to.polled().Gone(p) }) }

// farPoll is one on another loop: its connection's could not be known before, or cannot be moved to.
type farPoll struct {
	x    *http1.Exchange
	post func(func())
	left atomic.Bool // any goroutine (atomic): the answer has left
}

// Answer implements longpoll.Waiter.
func (p *farPoll) Answer(a longpoll.Answer) {
	p.post(func() { p.x.ReplyFrames(a.Status, pollHeader(a), a.Frames) })
}

// Leaving implements longpoll.Waiter: it asks the other loop, and says what that has said.
func (p *farPoll) Leaving() bool {
	if p.left.Load() {
		return false
	}
	ref := p.x.Ref()
	return ref.Loop().Post(engine.TaskFunc(func(*engine.Loop) { p.left.Store(!leaving(ref)) }))
}

func pollHeader(a longpoll.Answer) http.Header {
	if a.Data {
		return headerData
	}
	return headerPoll
}

// receive takes what a POST brings, piece by piece, and answers once the hub has it all.
func (e *Endpoint) receive(x *http1.Exchange, v verdict, user *auth.Identity) {
	if v.to == nil {
		e.receiveEarly(x, v.token, user)
		return
	}
	s := sending{x: x, q: v.to, loop: x.Conn().Loop(), later: x.Later(), post: new(longpoll.Post)}
	x.ReadPieces(func(p []byte, last, ok bool) {
		if !ok {
			s.q.here(s.loop, func() { s.q.carrier.Withdraw(s.post) })
			return
		}
		s.offer(bytes.Clone(p), last)
	})
}

// sending is a POST of our own HTTP for a connection that may be on another loop.
type sending struct {
	x     *http1.Exchange
	q     *requested
	loop  *engine.Loop // the exchange's
	later func(func())
	post  *longpoll.Post
}

// offer brings p to the connection, whose it is from now on, and answers, or has the next piece read, once the hub has it.
func (s *sending) offer(p []byte, last bool) {
	offer := func() {
		if !s.q.carrier.Offer(s.post, p, last, func(ok bool) { s.taken(ok, last) }) {
			s.answer(func() { postsFull.to(s.x) })
		}
	}
	if !s.q.here(s.loop, offer) {
		stopping.to(s.x)
	}
}

// taken runs on the connection's loop.
func (s *sending) taken(ok, last bool) {
	s.answer(func() {
		switch {
		case !ok:
			vanished.to(s.x)
		case last:
			taken.to(s.x)
		default:
			s.x.More()
		}
	})
}

// answer runs f on the exchange's loop; the caller is on the connection's.
func (s *sending) answer(f func()) {
	if s.q.loop == s.loop {
		f()
		return
	}
	s.later(f)
}

// receiveEarly keeps what a POST brings before there is a transport.
func (e *Endpoint) receiveEarly(x *http1.Exchange, t token, user *auth.Identity) {
	x.ReadBody(maxEarly, func(p []byte, ok bool) {
		if !ok {
			return
		}
		p = bytes.Clone(p)
		r, q := e.early(t, p, user)
		if q == nil {
			r.to(x)
			return
		}
		s := sending{x: x, q: q, loop: x.Conn().Loop(), later: x.Later(), post: new(longpoll.Post)}
		s.offer(p, true)
	})
}

// early keeps what a POST has brought for a connection that had no transport when it came, and says what to answer. If the transport has come meanwhile,
// the bytes are for to.
func (e *Endpoint) early(t token, p []byte, user *auth.Identity) (r response, to *requested) {
	known, fits := e.set.registry.keepEarly(e, t, p)
	switch {
	case known && fits:
		return taken, nil
	case known:
		return tooEarly, nil
	}
	to = e.set.registry.requested(e, t)
	if to != nil && to.mayUse(user) {
		return response{}, to
	} else if to != nil {
		return empty(http.StatusForbidden), nil
	}
	if has, _ := e.set.registry.find(e, t); has == WebSockets {
		return text(http.StatusMethodNotAllowed, textNoPost), nil
	}
	return vanished, nil
}
