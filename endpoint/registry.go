package endpoint

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/hubrt"
)

// token is the secret that opens a connection: 128 random bits, on the wire 22 characters of base64url.
type token [16]byte

// tokenEncoding is strict, so that each token has one spelling.
var tokenEncoding = base64.RawURLEncoding.Strict()

func (t token) String() string { return tokenEncoding.EncodeToString(t[:]) }

func parseToken(s string) (t token, ok bool) {
	if len(s) != tokenEncoding.EncodedLen(len(t)) {
		return t, false
	}
	n, err := tokenEncoding.Decode(t[:], []byte(s))
	return t, err == nil && n == len(t)
}

// registry holds the server's connections by token, from negotiate to their end. Any goroutine.
type registry struct {
	shards     [256]shard // so many that growing one of them, with its mutex held, is soon done even if there are a million connections
	parked     atomic.Int64
	maxParked  int64
	lifetime   time.Duration
	expired    atomic.Int64 // parked connections that nobody came for
	earlyBytes atomic.Int64 // bytes that were sent before there was a transport
}

type shard struct {
	mu     sync.Mutex
	conns  []index               // under mu: of each endpoint, by its number: those that have a WebSocket
	coming map[token]*connection // under mu: those whose WebSocket is on its way to its loop, so that they have no place yet; nil when empty
	asking map[token]*requested  // under mu: those that have another transport; nil when empty
	parked map[token]*ticket     // under mu; nil when empty, as a map never shrinks
	queue  []*ticket             // under mu; in the order of time, so that only its front is ever due; nil: used already
	head   int                   // under mu
	passed int                   // under mu; how many have left the queue's array at its front
}

// ticket is a negotiated connection that waits for its transport. Constant, but for what is sent early.
type ticket struct {
	endpoint *Endpoint
	id       hubrt.ID
	token    token
	until    time.Time
	stateful bool // the client has been told that it may come back
	place    int  // in the shard's queue, if nothing ever left it

	early [][]byte // under the shard's mu: what was sent already
	bytes int      // under the shard's mu: of early
}

// opening is a connection that has its transport, and the id with which its hub connection is to begin.
type opening struct {
	conn     *connection // nil: none
	id       hubrt.ID
	stateful bool
	returns  bool     // the client comes back to it: it has a hub connection already
	early    [][]byte // what the client has sent before
}

// undo is for an opening that comes to nothing.
func (o opening) undo() {
	if !o.returns {
		o.conn.Dropped()
	}
}

func newRegistry(lifetime time.Duration, maxParked int) *registry {
	r := &registry{lifetime: lifetime, maxParked: int64(maxParked)}
	return r
}

func (r *registry) shard(t token) *shard { return &r.shards[t[0]] }

// park makes a negotiated connection that waits for its transport. idIsToken is negotiate version 0, in which the id is the token.
func (r *registry) park(e *Endpoint, idIsToken, stateful bool) (*ticket, error) {
	if r.parked.Add(1) > r.maxParked {
		r.parked.Add(-1)
		return nil, fmt.Errorf("%d negotiated connections wait for their transport, which is the limit", r.maxParked)
	}
	k := &ticket{endpoint: e, token: newToken(), until: time.Now().Add(r.lifetime), stateful: stateful}
	k.id = hubrt.ID(k.token)
	if !idIsToken {
		k.id = hubrt.ID(newToken())
	}
	s := r.shard(k.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parked == nil {
		s.parked = make(map[token]*ticket)
	}
	s.parked[k.token] = k
	k.place = s.passed + len(s.queue)
	s.queue = append(s.queue, k)
	return k, nil
}

// add makes a connection without negotiate. Its token is known to nobody, its id is the token.
func (r *registry) add(m *mode) opening {
	c := &connection{mode: m, token: newToken()}
	s := r.shard(c.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.come(c)
	return opening{conn: c, id: hubrt.ID(c.token)}
}

// come puts a connection among those that have no place yet. Under s.mu.
func (s *shard) come(c *connection) {
	if s.coming == nil {
		s.coming = make(map[token]*connection)
	}
	s.coming[c.token] = c
}

// arrived takes a connection out of those, unless it has gone already; false: it is none of them. Under s.mu.
func (s *shard) arrived(c *connection) bool {
	if s.coming[c.token] != c {
		return false
	}
	if delete(s.coming, c.token); len(s.coming) == 0 {
		s.coming = nil
	}
	return true
}

// begun says that the connection has its place; 0: it has got none, and so it stays where it is.
func (r *registry) begun(c *connection, p hubrt.Place) {
	s := r.shard(c.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p != 0 && s.arrived(c) {
		s.index(c.mode.endpoint).add(c, p)
	}
}

// index is that of an endpoint. Under s.mu.
func (s *shard) index(e *Endpoint) *index {
	for len(s.conns) <= e.number {
		s.conns = append(s.conns, index{})
	}
	x := &s.conns[e.number]
	if x.places == nil {
		x.places = e
	}
	return x
}

// conn finds a connection of e that has a WebSocket. Under s.mu.
func (s *shard) conn(e *Endpoint, t token) *connection {
	if c := s.coming[t]; c != nil && c.mode.endpoint == e {
		return c
	}
	if e.number < len(s.conns) {
		return s.conns[e.number].find(t)
	}
	return nil
}

// find says whether a token is known, and which transport its connection has; 0: none yet. A token opens its own endpoint only.
func (r *registry) find(e *Endpoint, t token) (has Transports, known bool) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conn(e, t); c != nil {
		return c.mode.transport, true
	}
	if q := s.asking[t]; q != nil && q.endpoint == e {
		return q.transport, true
	}
	k := s.parked[t]
	return 0, k != nil && k.endpoint == e
}

// returning is the connection of a token, if its client may come back to it.
func (r *registry) returning(e *Endpoint, t token) *connection {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conn(e, t); c != nil && c.mode.stateful {
		return c
	}
	return nil
}

// claim gives the parked connection of a token its transport; none when another request was quicker or the connection has gone.
func (r *registry) claim(t token, m *mode) opening {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.parked[t]
	if k == nil || k.endpoint != m.endpoint {
		return opening{}
	}
	r.unpark(s, k)
	c := &connection{mode: m, token: t}
	s.come(c)
	return opening{conn: c, id: k.id, stateful: k.stateful, early: k.early}
}

// claimRequested is claim for the other transports.
func (r *registry) claimRequested(t token, q *requested) bool {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.parked[t]
	if k == nil || k.endpoint != q.endpoint {
		return false
	}
	r.unpark(s, k)
	q.token, q.beginning = t, &beginning{ticket: k}
	if s.asking == nil {
		s.asking = make(map[token]*requested)
	}
	s.asking[t] = q
	return true
}

// requested finds a connection of the other transports.
func (r *registry) requested(e *Endpoint, t token) *requested {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.asking[t]; q != nil && q.endpoint == e {
		return q
	}
	return nil
}

// forget removes a connection of the other transports.
func (r *registry) forget(q *requested) {
	s := r.shard(q.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking[q.token] == q {
		if delete(s.asking, q.token); len(s.asking) == 0 {
			s.asking = nil
		}
	}
}

// maxEarly is how many bytes a client may send before it has a transport; maxEarlyAll is that of all such clients.
const (
	maxEarly    = 64 << 10
	maxEarlyAll = 64 << 20
)

// keepEarly keeps what a client sends before it has a transport. known false: there is no such ticket (any more); fits false: it is too much.
func (r *registry) keepEarly(e *Endpoint, t token, p []byte) (known, fits bool) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.parked[t]
	switch {
	case k == nil || k.endpoint != e:
		return false, false
	case k.bytes+len(p) > maxEarly || len(k.early) >= maxEarlyPosts:
		return true, false
	}
	if len(p) > 0 {
		if r.earlyBytes.Add(int64(len(p))) > maxEarlyAll {
			r.earlyBytes.Add(-int64(len(p)))
			return true, false
		}
		k.early = append(k.early, p)
		k.bytes += len(p)
	}
	return true, true
}

// maxEarlyPosts is how many pieces they may come in.
const maxEarlyPosts = 64

// remove forgets a connection that had a transport.
func (r *registry) remove(c *connection) {
	s := r.shard(c.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.arrived(c) {
		s.index(c.mode.endpoint).remove(c)
	}
}

// change gives a connection another mode of the same endpoint and transport. On its loop, which alone may look at the mode without mu.
func (r *registry) change(c *connection, m *mode) {
	s := r.shard(c.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mode = m
}

// unpark forgets a ticket, at once: most are used within a moment, and they would otherwise lie in the queue until their time is over. Under s.mu.
func (r *registry) unpark(s *shard, k *ticket) {
	s.queue[k.place-s.passed] = nil
	if delete(s.parked, k.token); len(s.parked) == 0 {
		s.parked = nil
	}
	r.parked.Add(-1)
	r.earlyBytes.Add(-int64(k.bytes))
}

// sweep drops the parked connections whose time is over. It runs once a second.
func (r *registry) sweep(now time.Time) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for ; s.head < len(s.queue); s.head++ {
			k := s.queue[s.head]
			if k == nil {
				continue
			}
			if now.Before(k.until) {
				break
			}
			r.unpark(s, k)
			r.expired.Add(1)
		}
		switch {
		case s.head == len(s.queue):
			s.passed += s.head
			s.queue, s.head = nil, 0
		case s.head > 64 && s.head*2 > len(s.queue):
			s.passed += s.head
			s.queue, s.head = append([]*ticket(nil), s.queue[s.head:]...), 0
		}
		s.mu.Unlock()
	}
}

// size is the number of connections known.
func (r *registry) size() int {
	n := 0
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.coming) + len(s.asking) + len(s.parked)
		for j := range s.conns {
			n += s.conns[j].n
		}
		s.mu.Unlock()
	}
	return n
}

func newToken() (t token) {
	_, _ = rand.Read(t[:]) // crypto/rand never fails: it ends the process instead
	return t
}

var _ = hubrt.ID(token{}) // both are 16 bytes; negotiate version 0 uses one for the other
