package endpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/longpoll"
	"github.com/spokehub/spoke/proxy"
)

// What follows serves the transports that are made of requests, for requests of net/http, whatever its HTTP version: each has a goroutine of its own that
// waits for the loop.

// anyLoop is a loop for a connection that has no socket in the loops.
func (s *Set) anyLoop() *engine.Loop {
	loops := s.cfg.Engine.Loops()
	return loops[rand.IntN(len(loops))]
}

// relayPeer is what is kept of a request of net/http.
func (e *Endpoint) relayPeer(r *http.Request) (p hubrt.Peer) {
	if e.opt.KeepHead {
		p.Head, p.Origin, p.TLS = rawHead(r), proxy.FromContext(r.Context()), keptState(r.TLS)
	}
	p.Remote, _ = netip.ParseAddrPort(r.RemoteAddr) // invalid where there is none, as on unix sockets
	return p
}

func (e *Endpoint) relayStream(w http.ResponseWriter, r *http.Request, t token, user *auth.Identity) {
	q := e.open(t, ServerSentEvents, user, e.set.anyLoop())
	if q == nil {
		conflict.write(w)
		return
	}
	s := longpoll.NewRelay(e.set.clocks[q.loop.Index()], q, &e.set.cfg.Limits, e.set.cfg.SendTimeout)
	peer := e.relayPeer(r)
	if !q.start(func() {
		s.Begin()
		q.begin(s, hubrt.Raw, peer)
	}) {
		stopping.write(w)
		return
	}
	s.Serve(r.Context(), w)
}

// relayedPoll is a poll of net/http.
type relayedPoll struct {
	answer chan longpoll.Answer
	left   atomic.Bool // any goroutine (atomic): the request is over
}

// Answer implements longpoll.Waiter.
func (p *relayedPoll) Answer(a longpoll.Answer) { p.answer <- a }

// Leaving implements longpoll.Waiter.
func (p *relayedPoll) Leaving() bool { return !p.left.Load() }

func (e *Endpoint) relayPoll(w http.ResponseWriter, r *http.Request, v verdict, user *auth.Identity) {
	p := &relayedPoll{answer: make(chan longpoll.Answer, 1)}
	defer p.left.Store(true)
	ctl := http.NewResponseController(w)
	_ = ctl.SetReadDeadline(time.Time{}) // a poll may wait for longer than the server's timeouts are; not every writer can
	_ = ctl.SetWriteDeadline(time.Time{})
	q := v.to
	var running bool
	if q != nil {
		running = q.here(nil, func() { q.polled().Poll(p) })
	} else {
		if q = e.open(v.token, LongPolling, user, e.set.anyLoop()); q == nil {
			conflict.write(w)
			return
		}
		peer := e.relayPeer(r)
		running = q.start(func() { q.beginPolls(peer).Poll(p) })
	}
	if !running {
		response{http.StatusNoContent, headerPoll, ""}.write(w)
		return
	}
	select {
	case a := <-p.answer:
		if e.writeAnswer(w, ctl, a) {
			err := fmt.Errorf("endpoint: the client has taken nothing of the answer to its poll for %v", e.set.cfg.SendTimeout)
			q.here(nil, func() { q.polled().Close(engine.SendTimeout, err) })
		}
	case <-r.Context().Done():
		q.here(nil, func() { q.polled().Gone(p) })
	}
}

// writeAnswer writes the answer to a poll, in pieces that each have the time of Config.SendTimeout. slow: the client did not take one in time, and what was in the answer is lost, so that the
// connection is to end (wire contract, section 6).
func (e *Endpoint) writeAnswer(w http.ResponseWriter, ctl *http.ResponseController, a longpoll.Answer) (slow bool) {
	length := 0
	for _, f := range a.Frames {
		length += f.Len()
	}
	response{status: a.Status, header: pollHeader(a)}.head(w, length)
	var err error
	var began time.Time
	flush := func(p []byte) {
		began = time.Now()
		_ = ctl.SetWriteDeadline(began.Add(e.set.cfg.SendTimeout)) // not every writer can, and then the server's own timeouts hold
		if _, err = w.Write(p); err != nil {
			return
		}
		if err = ctl.Flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil // by a middleware's writer: what it keeps leaves when the answer is whole
		}
	}
	piece := make([]byte, 0, min(length, maxWritten))
	for _, f := range a.Frames {
		for rest := f.Bytes(); len(rest) > 0 && err == nil; {
			n := copy(piece[len(piece):cap(piece)], rest)
			piece, rest = piece[:len(piece)+n], rest[n:]
			if len(piece) == cap(piece) {
				flush(piece)
				piece = piece[:0]
			}
		}
	}
	if err == nil {
		flush(piece)
	}
	_ = ctl.SetWriteDeadline(time.Time{})
	return err != nil && time.Since(began) >= e.set.cfg.SendTimeout
}

// maxWritten is about how many bytes of an answer are written at a time.
const maxWritten = 32 << 10

// maxPiece is how many bytes of a body are read at a time.
const maxPiece = 64 << 10

// relayBody takes what a POST of net/http brings.
func (e *Endpoint) relayBody(w http.ResponseWriter, r *http.Request, v verdict, user *auth.Identity) {
	ctl := http.NewResponseController(w)
	defer func() { _ = ctl.SetReadDeadline(time.Time{}) }()
	body := r.Body
	q := v.to
	if q == nil {
		_ = ctl.SetReadDeadline(time.Now().Add(e.set.cfg.BodyTimeout))
		p, err := io.ReadAll(io.LimitReader(body, maxEarly+1))
		if err != nil {
			broken.write(w)
			return
		}
		var a response
		if a, q = e.early(v.token, p, user); q == nil {
			a.write(w)
			return
		}
		body = io.NopCloser(io.MultiReader(bytes.NewReader(p), body))
	}
	post := new(longpoll.Post)
	result := make(chan response, 1)
	for {
		_ = ctl.SetReadDeadline(time.Now().Add(e.set.cfg.BodyTimeout)) // not every writer can, and then the server's own timeouts hold
		p := make([]byte, min(maxPiece, max(r.ContentLength+1, 512)))
		n, err := fill(body, p)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			q.here(nil, func() { q.carrier.Withdraw(post) })
			broken.write(w)
			return
		}
		if !q.here(nil, func() {
			if !q.carrier.Offer(post, p[:n], last, func(ok bool) {
				if ok {
					result <- taken
				} else {
					result <- vanished
				}
			}) {
				result <- postsFull
			}
		}) {
			stopping.write(w)
			return
		}
		var a response
		select {
		case a = <-result:
		case <-r.Context().Done():
			q.here(nil, func() { q.carrier.Withdraw(post) })
			return
		}
		if last || a.status != http.StatusOK {
			a.write(w)
			return
		}
	}
}

// fill reads until p is full or the body ends, by io.EOF if it is whole.
func fill(body io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = body.Read(p[n:])
		n += m
	}
	return n, err
}
