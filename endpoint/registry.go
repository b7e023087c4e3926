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
	shards    [64]shard
	parked    atomic.Int64
	maxParked int64
	lifetime  time.Duration
	expired   atomic.Int64 // parked connections that nobody came for
}

type shard struct {
	mu     sync.Mutex
	conns  map[token]*connection // under mu
	parked []parking             // under mu; in the order of time, so that only its front is ever due
	head   int                   // under mu
	most   int                   // under mu: connections that the map has held
}

type parking struct {
	token token
	until time.Time
}

func newRegistry(lifetime time.Duration, maxParked int) *registry {
	r := &registry{lifetime: lifetime, maxParked: int64(maxParked)}
	for i := range r.shards {
		r.shards[i].conns = make(map[token]*connection)
	}
	return r
}

func (r *registry) shard(t token) *shard { return &r.shards[t[0]%uint8(len(r.shards))] }

// park makes a negotiated connection that waits for its transport. idIsToken is negotiate version 0, in which the id is the token.
func (r *registry) park(e *Endpoint, idIsToken bool) (*connection, error) {
	if r.parked.Add(1) > r.maxParked {
		r.parked.Add(-1)
		return nil, fmt.Errorf("%d negotiated connections wait for their transport, which is the limit", r.maxParked)
	}
	c := newConnection(e, idIsToken)
	s := r.shard(c.token)
	s.mu.Lock()
	s.conns[c.token] = c
	s.parked = append(s.parked, parking{c.token, time.Now().Add(r.lifetime)})
	s.mu.Unlock()
	return c, nil
}

// add makes a connection that has its transport already: one without negotiate.
func (r *registry) add(e *Endpoint, t Transports) *connection {
	c := newConnection(e, true)
	c.transport = t
	s := r.shard(c.token)
	s.mu.Lock()
	s.conns[c.token] = c
	s.mu.Unlock()
	return c
}

// find returns the connection of a token and the transport that it has (0: none yet). A token opens its own endpoint only.
func (r *registry) find(e *Endpoint, t token) (c *connection, transport Transports) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.conns[t]; c == nil || c.endpoint != e {
		return nil, 0
	}
	return c, c.transport
}

// claim gives a parked connection its transport; false when another request was quicker or the connection has gone.
func (r *registry) claim(c *connection, t Transports) bool {
	s := r.shard(c.token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.token] != c || c.transport != 0 {
		return false
	}
	c.transport = t
	r.parked.Add(-1)
	return true
}

// remove forgets a connection that had a transport.
func (r *registry) remove(c *connection) {
	s := r.shard(c.token)
	s.mu.Lock()
	if s.conns[c.token] == c {
		s.forget(c.token)
	}
	s.mu.Unlock()
}

// forget takes a token out. A map never shrinks, so one that is empty again after many is given up. Under mu.
func (s *shard) forget(t token) {
	s.most = max(s.most, len(s.conns))
	if delete(s.conns, t); len(s.conns) == 0 && s.most > 64 {
		s.conns, s.most = make(map[token]*connection), 0
	}
}

// sweep drops the parked connections whose time is over. It runs once a second.
func (r *registry) sweep(now time.Time) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for s.head < len(s.parked) && !now.Before(s.parked[s.head].until) {
			t := s.parked[s.head].token
			s.head++
			if c := s.conns[t]; c != nil && c.transport == 0 {
				s.forget(t)
				r.parked.Add(-1)
				r.expired.Add(1)
			}
		}
		switch {
		case s.head == len(s.parked):
			s.parked, s.head = nil, 0
		case s.head > 64 && s.head*2 > len(s.parked):
			s.parked, s.head = append([]parking(nil), s.parked[s.head:]...), 0
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
		n += len(s.conns)
		s.mu.Unlock()
	}
	return n
}

func newConnection(e *Endpoint, idIsToken bool) *connection {
	c := &connection{endpoint: e}
	_, _ = rand.Read(c.id[:]) // crypto/rand never fails: it ends the process instead
	c.token = token(c.id)
	if !idIsToken {
		_, _ = rand.Read(c.token[:])
	}
	return c
}

var _ = hubrt.ID(token{}) // both are 16 bytes; negotiate version 0 uses one for the other
