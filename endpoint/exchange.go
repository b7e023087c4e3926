package endpoint

import (
	"bytes"
	"net/http"

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
	peer := hubrt.Peer{Head: e.head(x), Remote: ec.Remote()}
	s := new(longpoll.Stream)
	s.Begin(ec, q)
	x.Upgrade(longpoll.StreamHead(nil, ec.Loop().Time().UTC().Format(http.TimeFormat)), s)
	q.begin(s, hubrt.Events, peer)
}

// poll answers a poll, at once or when there is something to say.
func (e *Endpoint) poll(x *http1.Exchange, v verdict, user *auth.Identity) {
	loop := x.Conn().Loop()
	w := &poll{x: x, loop: loop, post: x.Later()}
	q := v.to
	if q == nil {
		if q = e.open(v.token, LongPolling, user, loop); q == nil {
			conflict.to(x)
			return
		}
		w.to = q
		q.beginPolls(hubrt.Peer{Head: e.head(x), Remote: x.Conn().Remote()}).Poll(w)
		return
	}
	w.to = q
	x.CloseOnEOF()
	x.OnGone(func() { q.here(loop, func() { q.polled().Gone(w) }) })
	if !q.here(loop, func() { q.polled().Poll(w) }) {
		response{http.StatusNoContent, headerPoll, ""}.to(x)
	}
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

// poll is a poll of our own HTTP.
type poll struct {
	x    *http1.Exchange
	loop *engine.Loop
	post func(func())
	to   *requested
}

// Answer implements longpoll.Waiter.
func (p *poll) Answer(a longpoll.Answer) {
	header := headerPoll
	if a.Data {
		header = headerData
	}
	if p.to.loop == p.loop {
		p.x.ReplyFrames(a.Status, header, a.Frames)
		return
	}
	p.post(func() { p.x.ReplyFrames(a.Status, header, a.Frames) })
}

// receive takes what a POST brings, piece by piece, and answers once the hub has it all.
func (e *Endpoint) receive(x *http1.Exchange, v verdict) {
	q := v.to
	if q == nil {
		e.receiveEarly(x, v.token)
		return
	}
	loop := x.Conn().Loop()
	later := x.Later()
	answer := func(f func()) { // on the exchange's loop
		if q.loop == loop {
			f()
			return
		}
		later(f)
	}
	post := new(longpoll.Post)
	x.ReadPieces(func(p []byte, last, ok bool) {
		if !ok {
			q.here(loop, func() { q.carrier.Withdraw(post) })
			return
		}
		p = bytes.Clone(p)
		taken := func(ok bool) {
			answer(func() {
				switch {
				case !ok:
					vanished.to(x)
				case last:
					taken.to(x)
				default:
					x.More()
				}
			})
		}
		offer := func() {
			if !q.carrier.Offer(post, p, last, taken) {
				answer(func() { crowded.to(x) })
			}
		}
		if !q.here(loop, offer) {
			stopping.to(x)
		}
	})
}

// receiveEarly keeps what a POST brings before there is a transport.
func (e *Endpoint) receiveEarly(x *http1.Exchange, t token) {
	x.ReadBody(maxEarly, func(p []byte, ok bool) {
		if ok {
			e.set.registry.early(e, t, bytes.Clone(p)).to(x)
		}
	})
}

// early keeps it, and answers.
func (r *registry) early(e *Endpoint, t token, p []byte) response {
	known, fits := r.keepEarly(e, t, p)
	switch {
	case !known:
		return vanished
	case !fits:
		return tooEarly
	}
	return taken
}
