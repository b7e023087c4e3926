package hubrt

import (
	"errors"
	"slices"
	"sync"

	"github.com/spokehub/spoke/engine"
)

// Target is a set of receivers. It may be kept and used on any goroutine.
type Target struct {
	hub    *Hub
	conn   *Conn // toCaller: the receiver; toClient: who asks, if known (see Invoke); else one to leave out
	name   string
	names  []string
	except []string // ids to leave out
	kind   targetKind
}

type targetKind uint8

const (
	toNobody targetKind = iota
	toAll
	toCaller
	toClient
	toClients
	toGroup
	toGroups
	toUser
	toUsers
)

var errNoMethodName = errors.New("hubrt: the name of the client's method is empty")

// Send calls a method of the receivers. It encodes the call once per protocol in use and queues it; it returns when the message is queued, not when it
// is received, and does not keep args. What one goroutine sends to a connection, directly or by a group, arrives in the order sent.
// It never waits. Errors: an argument that cannot be encoded; an empty group name; an empty method name; ErrSendQueueFull. Then nobody gets anything.
func (t Target) Send(method string, args ...any) error {
	switch {
	case t.hub == nil || t.kind == toNobody:
		return errNoHub
	case method == "":
		return errNoMethodName
	case t.kind == toGroup && t.name == "", t.kind == toGroups && slices.Contains(t.names, ""):
		return errEmptyGroup
	}
	h := t.hub
	h.rt.published.Add(1)
	switch t.kind {
	case toCaller:
		return t.conn.send(method, args)
	case toClient:
		return h.registry.find(t.name).send(method, args)
	}
	frames, err := h.encode(method, args)
	if err != nil {
		return err
	}
	if frames == (frameSet{}) {
		return nil // there are no connections
	}
	switch t.kind {
	case toAll:
		return h.publishAll(&frames, t.exceptions())
	case toClients:
		return h.publishTo(&frames, h.find(t.names))
	case toGroup:
		return h.publish(&frames, toGroup, t.name, t.exceptions())
	case toGroups:
		return h.publishEach(&frames, toGroup, t.names, false)
	case toUser:
		return h.publish(&frames, toUser, t.name, nil)
	default:
		return h.publishEach(&frames, toUser, t.names, true)
	}
}

// exceptions are the connections to leave out; nil: none.
func (t *Target) exceptions() []*Conn {
	conns := t.hub.find(t.except)
	if t.conn != nil {
		conns = append(conns, t.conn)
	}
	return conns
}

// find returns the connections with these ids, each once.
func (h *Hub) find(ids []string) []*Conn {
	var conns []*Conn
	for _, id := range ids {
		if c := h.registry.find(id); c != nil {
			conns = append(conns, c)
		}
	}
	if len(conns) < 2 {
		return conns
	}
	seen := make(map[*Conn]struct{}, len(conns))
	return slices.DeleteFunc(conns, func(c *Conn) bool {
		_, twice := seen[c]
		seen[c] = struct{}{}
		return twice
	})
}

// send queues a call to one connection; c may be nil.
func (c *Conn) send(method string, args []any) error {
	if c == nil || c.gone.Load() {
		return nil
	}
	s := c.shard
	if err := s.room(); err != nil {
		return err
	}
	record := getBuffer(minBuffer)
	b, err := c.protocol().AppendInvocation(record.b, "", method, args)
	if err != nil {
		record.free()
		return err
	}
	record.b = b
	d := deliveries.Get().(*delivery)
	*d = delivery{conn: c, records: record, queued: cap(b) + sendOverhead}
	if !s.post(d, d.queued) {
		d.free()
	}
	return nil
}

// delivery is a task: records for one connection.
type delivery struct {
	conn    *Conn
	records *buffer
	queued  int // bytes that it counts for in the loop's queue

	flow     *flow // where the stream items among the records are accounted for; nil: there are none
	streamed int   // their bytes
}

var deliveries = sync.Pool{New: func() any { return new(delivery) }}

func (d *delivery) free() {
	d.records.free()
	*d = delivery{}
	deliveries.Put(d)
}

// Run writes the records, unless the connection has ended.
func (d *delivery) Run(*engine.Loop) {
	d.conn.shard.begins(d.queued)
	if d.conn.state == stateOpen {
		d.conn.push(d.records.b)
	}
	if d.flow != nil {
		d.flow.written(d.streamed, d.conn.state != stateOpen || d.conn.link.Room())
	}
	d.free()
}

// push writes records that the client has not asked for.
func (c *Conn) push(records []byte) {
	if r := c.resumable(); r != nil {
		r.push(records)
	} else {
		c.link.Write(records)
	}
}

// Merge implements engine.Merger: what is queued for one connection leaves as one message.
func (d *delivery) Merge(next engine.Task) bool {
	n, ok := next.(*delivery)
	if !ok || n.conn != d.conn || len(d.records.b)+len(n.records.b) > maxJoined {
		return false
	}
	d.records = d.records.grow(len(n.records.b))
	d.records.b = append(d.records.b, n.records.b...)
	d.queued += n.queued
	if n.flow != nil {
		d.flow = n.flow
		d.streamed += n.streamed
	}
	n.free()
	return true
}
