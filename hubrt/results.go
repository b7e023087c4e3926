package hubrt

import (
	"sync"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// results are the questions to a client whose answer is waited for (wire contract, section 15). Loop only.
type results struct {
	first *question
	n     int
}

func (r *results) empty() bool { return r.n == 0 }

func (r *results) add(q *question) {
	q.listed = true
	q.next = r.first
	if q.next != nil {
		q.next.prev = q
	}
	r.first = q
	r.n++
}

func (r *results) remove(q *question) {
	q.listed = false
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		r.first = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	}
	q.prev, q.next = nil, nil
	r.n--
}

// drop tells all who wait that no answer will come.
func (r *results) drop(c *Conn) {
	for r.first != nil {
		q := r.first
		q.retire()
		q.settle(nil, errDisconnected(c.id.String()))
	}
}

// replied takes a client's answer; one that nobody waits for is ignored. One to a question of another connection ends this one: the ids are easy to guess.
func (c *Conn) replied(m *codec.Message) {
	n, ok := parseQuestion(m.ID)
	if !ok {
		return
	}
	q := c.hub().questions.find(n)
	if q == nil {
		return
	}
	if q.conn != c {
		c.fail(engine.ProtocolError, errNotAsked(c.id.String(), string(m.ID)))
		return
	}
	q.retire()
	switch {
	case m.HasError:
		q.settle(nil, &Error{string(m.Error)})
	case !m.HasResult:
		q.settle(nil, errNoResult)
	default:
		reply := getBuffer(len(m.Payload))
		reply.b = append(reply.b, m.Payload...)
		q.settle(reply, nil)
	}
}

// questions are a hub's, by the number in their ids, so that an answer from the wrong connection is known for one.
type questions struct {
	mu      sync.Mutex
	last    uint64               // under mu: the number of the last one, from 1
	waiting map[uint64]*question // under mu
	most    int                  // under mu: how many have been in the map at a time
}

// number takes the next number.
func (s *questions) number() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.last
}

func (s *questions) add(q *question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(map[uint64]*question)
	}
	s.waiting[q.number] = q
	s.most = max(s.most, len(s.waiting))
}

func (s *questions) remove(q *question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, q.number)
	if len(s.waiting) == 0 && s.most > 1024 { // a map never shrinks
		s.waiting, s.most = nil, 0
	}
}

func (s *questions) find(n uint64) *question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[n]
}

// parseQuestion reads "s" and a decimal number in its one form.
func parseQuestion(id []byte) (n uint64, ok bool) {
	if len(id) < 2 || len(id) > 20 || id[0] != 's' || id[1] == '0' {
		return 0, false
	}
	for _, d := range id[1:] {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0') // 19 digits fit
	}
	return n, true
}
