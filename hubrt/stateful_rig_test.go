package hubrt

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

// cable is a transport that may be lost without the end of its connection.
type cable struct {
	link
	ended func(r engine.CloseReason) // loop
}

func (l *cable) OnClose(_ *engine.Conn, r engine.CloseReason, err error) {
	switch {
	case !l.hub.Carries(l):
	case r == engine.PeerClosed || r == engine.PeerReset:
		if !l.hub.Lost(r) {
			l.hub.Closed(r, err)
		}
	default:
		l.hub.Closed(r, err)
	}
	close(l.closed)
}

// keeper counts.
type keeper struct{ dropped atomic.Int32 }

func (k *keeper) Dropped() { k.dropped.Add(1) }

// stateful is a client that may come back.
type stateful struct {
	*client
	r      *rig
	hub    *Conn
	keeper keeper
}

// dialStateful opens a connection whose client has asked for stateful reconnect; there is no handshake yet.
func (r *rig) dialStateful(h *Hub, opts ...peerOption) *stateful {
	r.t.Helper()
	s := &stateful{r: r}
	r.mu.Lock()
	r.next++
	p := Peer{ID: ID{r.next, 15: r.next}, Transport: WebSockets, Keeper: &s.keeper}
	r.mu.Unlock()
	for _, o := range opts {
		o(&p)
	}
	l := &cable{link: link{closed: make(chan struct{})}}
	opened := make(chan struct{})
	nc, err := r.eng.Dial(func(c *engine.Conn) engine.Handler {
		l.conn = c
		s.hub = h.Open(l, p)
		l.hub = s.hub
		close(opened)
		return l
	})
	if err != nil {
		r.t.Fatal(err)
	}
	<-opened
	s.client = &client{t: r.t, nc: nc, link: &l.link, id: p.ID}
	return s
}

// connectStateful makes the agreement.
func (r *rig) connectStateful(h *Hub, opts ...peerOption) *stateful {
	r.t.Helper()
	s := r.dialStateful(h, opts...)
	s.send(`{"protocol":"json","version":2}`)
	s.expect(`{}`)
	return s
}

// lose ends TCP without a word.
func (s *stateful) lose() {
	s.t.Helper()
	if err := s.nc.(*engine.MemoryConn).Reset(); err != nil {
		s.t.Fatal(err)
	}
	<-s.link.closed
}

// come opens another transport for the connection; false: it is not taken.
func (s *stateful) come() bool {
	s.t.Helper()
	l := &cable{link: link{closed: make(chan struct{}), hub: s.hub}}
	near, far := engine.Pipe()
	taken := make(chan bool)
	err := s.hub.Loop().Attach(far, nil, func(c *engine.Conn) engine.Handler {
		l.conn = c
		ok := s.hub.Resume(l)
		taken <- ok
		if !ok {
			return nil
		}
		return l
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if !<-taken {
		_ = near.Close()
		return false
	}
	s.client = &client{t: s.t, nc: near, link: &l.link, id: s.id}
	return true
}

// back is lose and come for a client that has something to come back to.
func (s *stateful) back() {
	s.t.Helper()
	s.lose()
	if !s.come() {
		s.t.Fatal("the client cannot come back")
	}
}

// end lets the connection end as a client's close does.
func (s *stateful) end() {
	s.send(`{"type":7}`)
	s.expect(`{"type":7}`)
	_ = s.nc.Close()
	<-s.link.closed
}

func ack(n int) string      { return fmt.Sprintf(`{"type":8,"sequenceId":%d}`, n) }
func sequence(n int) string { return fmt.Sprintf(`{"type":9,"sequenceId":%d}`, n) }

// model is a client that does what wire contract, section 18, asks of one, and notes what it has seen.
type model struct {
	t    *testing.T
	s    *stateful
	rand *rand.Rand

	sent   []string // not acknowledged by the server
	first  int      // number of the first of them
	buffer []byte   // of an incomplete record

	expected, done, acked int // of the server's messages
	dropping              bool
	messages              []int
	results               []int
}

func newModel(t *testing.T, s *stateful, seed uint64) *model {
	return &model{t: t, s: s, rand: rand.New(rand.NewPCG(seed, 1)), first: 1, expected: 1}
}

// call sends a counted record.
func (m *model) call(record string) {
	m.sent = append(m.sent, record)
	m.write(record + "\x1e")
}

// write ignores errors: what is lost is sent again.
func (m *model) write(s string) {
	_ = m.s.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = m.s.nc.Write([]byte(s))
	_ = m.s.nc.SetWriteDeadline(time.Time{})
}

// read takes what there is, up to most bytes, waiting for a moment at most.
func (m *model) read(wait time.Duration, most int) (n int) {
	buf := make([]byte, most)
	_ = m.s.nc.SetReadDeadline(time.Now().Add(wait))
	n, _ = m.s.nc.Read(buf)
	m.buffer = append(m.buffer, buf[:n]...)
	for {
		rec, rest, ok := strings.Cut(string(m.buffer), "\x1e")
		if !ok {
			return n
		}
		m.buffer = []byte(rest)
		m.record(rec)
	}
}

func (m *model) record(rec string) {
	var v struct {
		Type         int
		SequenceID   int
		Arguments    []int
		InvocationID string
		Result       *int
	}
	if err := json.Unmarshal([]byte(rec), &v); err != nil {
		m.t.Fatalf("record %q: %v", rec, err)
	}
	switch v.Type {
	case 6:
	case 7:
		m.t.Fatalf("closed: %s", rec)
	case 8:
		if n := v.SequenceID - m.first + 1; n > 0 {
			m.sent = m.sent[n:]
			m.first += n
		}
	case 9:
		if v.SequenceID > max(m.expected, m.done+1) {
			m.t.Fatalf("Sequence %d, but only %d messages have come", v.SequenceID, m.expected-1)
		}
		m.expected, m.dropping = v.SequenceID, false
	default:
		if m.dropping {
			m.t.Fatalf("%s before Sequence", rec)
		}
		id := m.expected
		m.expected++
		if id <= m.done {
			return
		}
		m.done = id
		if v.Type == 1 {
			m.messages = append(m.messages, v.Arguments[0])
		} else {
			m.results = append(m.results, *v.Result)
		}
	}
}

func (m *model) ack() {
	if m.done > m.acked {
		m.acked = m.done
		m.write(ack(m.acked) + "\x1e")
	}
}

// reconnect comes back, in the order of the JavaScript client: Sequence, then what was not acknowledged.
func (m *model) reconnect() {
	if !m.s.come() {
		m.t.Fatal("the client cannot come back")
	}
	m.buffer, m.dropping = nil, true
	m.write(sequence(m.first) + "\x1e")
	for _, rec := range m.sent {
		m.write(rec + "\x1e")
	}
}

// kill cuts the cable, in the midst of a record as often as not.
func (m *model) kill() {
	if len(m.sent) > 0 && m.rand.IntN(2) == 0 {
		rec := m.sent[m.rand.IntN(len(m.sent))] // never whole, so it does not matter which
		m.write(rec[:m.rand.IntN(len(rec))])
	}
	if m.rand.IntN(2) == 0 {
		m.s.lose()
	} else {
		_ = m.s.nc.Close()
		<-m.s.link.closed
	}
}

// inOrder wants the numbers from 0 to n-1.
func inOrder(t *testing.T, what string, got []int, n int) {
	t.Helper()
	for i, v := range got {
		if v != i {
			t.Fatalf("%s: number %d has come in place of %d (lost, doubled or out of order)", what, v, i)
		}
	}
	if len(got) != n {
		t.Fatalf("%s: %d have come, want %d", what, len(got), n)
	}
}
