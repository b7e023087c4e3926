package endpoint

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/longpoll"
)

// requested is one SignalR connection whose client has no socket of its own, but makes requests: it sends in POSTs, and listens to an event stream or polls. It is the
// glue between its carrier, whose Receiver it is, and its hub connection, whose Link it is.
type requested struct {
	carrier              // constant once the connection is begun; loop
	hub       hubrt.Conn // loop
	endpoint  *Endpoint
	token     token
	user      *auth.Identity // who the connection is for
	transport Transports     // ServerSentEvents or LongPolling
	loop      *engine.Loop
	beginning *beginning // loop; nil once the connection is begun
}

// beginning is what a connection needs until it is begun.
type beginning struct {
	*ticket          // what the connection was until it had its transport; it is in no list any more
	waiting []func() // loop: requests that came meanwhile
}

// carrier is a transport of package longpoll. Loop only.
type carrier interface {
	Send(f *engine.Frame)
	Write(records []byte)
	Room() bool
	PauseRead()
	ResumeRead()
	SetDeadline(at uint32)
	End(r engine.CloseReason, err error)
	Fail(err error)
	Offer(p *longpoll.Post, piece []byte, last bool, taken func(ok bool)) bool
	Withdraw(p *longpoll.Post)
}

// begin makes the hub connection. The carrier has begun.
func (q *requested) begin(c carrier, framing hubrt.Framing, remote hubrt.Peer) {
	q.carrier = c
	k := q.beginning.ticket
	q.beginning = nil
	remote.ID, remote.User, remote.Framing, remote.Acks = k.id, q.user, framing, k.stateful // stateful: it has been told that it may come back, as it could with a WebSocket
	remote.Transport, remote.Binary = hubrt.ServerSentEvents, false
	if q.transport == LongPolling {
		remote.Transport, remote.Binary = hubrt.LongPolling, true
	}
	q.hub.Begin(q.endpoint.hub, q, remote)
	for _, p := range k.early {
		q.hub.Receive(p)
	}
}

// hubrt.Link, the rest of which is the carrier's

func (q *requested) Loop() *engine.Loop { return q.loop }

// Format has nothing to change: events are text, and polls bring bytes.
func (q *requested) Format(bool) {}

// longpoll.Receiver

func (q *requested) OnPayload(p []byte) { q.hub.Receive(p) }

func (q *requested) OnDrain() { q.hub.Drained() }

func (q *requested) OnDeadline(now uint32) { q.hub.Deadline(now) }

func (q *requested) OnClosed(r engine.CloseReason, err error) {
	q.endpoint.set.registry.forget(q)
	q.logEnd(r, err)
	q.hub.Closed(r, err)
}

// logEnd says why the connection has ended, to whom its client's next request, which is answered with 404, is a riddle: at the level at which the engine says it of sockets.
func (q *requested) logEnd(r engine.CloseReason, err error) {
	log := q.endpoint.set.cfg.Logger
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	if err == nil && r == engine.KeepAliveTimeout { // an ordinary end for the hub, which is told of no error
		err = fmt.Errorf("endpoint: no poll has come for %v", q.endpoint.set.cfg.ParkedTimeout)
	}
	log.Debug("connection closed", "reason", r.String(), "transport", q.transport.String(), "path", q.endpoint.path, "connection", q.hub.ID().String(), "remote", q.hub.Remote(), "error", err)
}

// here runs f, for which the connection must have begun, on the connection's loop: at once when that is on, which is the caller's, else soon. false: the loop has ended.
func (q *requested) here(on *engine.Loop, f func()) bool {
	begun := func() {
		if q.carrier == nil { // it is in the registry already, but what begins it is on its way still
			q.beginning.waiting = append(q.beginning.waiting, f)
			return
		}
		f()
	}
	if on == q.loop {
		begun()
		return true
	}
	return q.loop.Post(engine.TaskFunc(func(*engine.Loop) { begun() }))
}

// start runs f, which begins the connection, on its loop; requests that have found it in the registry meanwhile come next. false: the loop has ended, and the connection with it.
func (q *requested) start(f func()) bool {
	if q.loop.Post(engine.TaskFunc(func(*engine.Loop) {
		b := q.beginning
		f()
		for _, f := range b.waiting {
			f()
		}
	})) {
		return true
	}
	q.endpoint.set.registry.forget(q)
	return false
}

// mayUse reports whether a request of user may speak for the connection: a token is tied to who opened it.
func (q *requested) mayUse(user *auth.Identity) bool { return sameIdentity(q.user, user) }
