package hubrt

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spokehub/spoke/engine"
)

// Groups changes memberships, by connection id. A change is queued to the connection's loop, where sends to the group queue too: who
// joins and then sends, on one goroutine, is seen in that order. Memberships end with the connection.
type Groups struct {
	hub *Hub
}

// ErrTooManyGroups is what errors.Is finds in the error of a join over Options.MaxGroups.
var ErrTooManyGroups = errors.New("hubrt: too many groups")

// Add is idempotent; an unknown connection is nothing. Group names have regard to case. Errors: an empty name; over MaxGroups; ErrSendQueueFull.
func (g Groups) Add(connectionID, group string) error {
	if group == "" {
		return errNoGroupName
	}
	if g.hub == nil {
		return errNoHub
	}
	return g.hub.registry.find(connectionID).join(group)
}

// Remove is idempotent; an unknown connection or group is nothing. Errors: an empty name.
func (g Groups) Remove(connectionID, group string) error {
	if group == "" {
		return errNoGroupName
	}
	if g.hub == nil {
		return errNoHub
	}
	g.hub.registry.find(connectionID).leave(group)
	return nil
}

var (
	errNoGroupName = errors.New("hubrt: the group's name is empty")
	errNoHub       = errors.New("hubrt: this value selects nothing: get one from a Hub or a Context")
)

// subscriptions are a connection's groups. They exist twice: as what has been asked for, which answers at once, and as what the loop has done of
// it. Most connections are in one group, so the first one is at hand, and only what is beyond it takes memory of its own.
type subscriptions struct {
	key   keyNumber  // under joins: one that has been asked for; 0: none has
	first membership // loop: of one that the connection is in
	n     uint32     // loop: how many it is in

	// more is what few connections have, or have had: further groups, or further connections of their user. It is made once, by whoever is the first
	// to need it, and stays: the loop looks at list only when it has put the connection in more than one group.
	more atomic.Pointer[more] // any goroutine (atomic)
}

type more struct {
	keys []keyNumber  // under joins
	list []membership // loop

	next, prev *Conn // the user's other connections; under the mu of the user's part of the hub's users
}

// further makes more of it.
func (s *subscriptions) further() *more {
	if m := s.more.Load(); m != nil {
		return m
	}
	s.more.CompareAndSwap(nil, new(more))
	return s.more.Load()
}

// keys are the groups that have been asked for beside the first. Under joins.
func (s *subscriptions) keys() []keyNumber {
	if m := s.more.Load(); m != nil {
		return m.keys
	}
	return nil
}

// asked is how many groups have been asked for. Under joins, as has, ask and unask.
func (s *subscriptions) asked() int {
	if s.key == 0 {
		return 0
	}
	return 1 + len(s.keys())
}

func (s *subscriptions) has(key *presence) bool {
	return key != nil && (s.key == key.number || slices.Contains(s.keys(), key.number))
}

func (s *subscriptions) ask(key *presence) {
	if s.key == 0 {
		s.key = key.number
		return
	}
	m := s.further()
	m.keys = append(m.keys, key.number)
}

// unask takes out one that is there.
func (s *subscriptions) unask(key *presence) {
	keys := s.keys()
	if len(keys) == 0 {
		s.key = 0
		return
	}
	last := len(keys) - 1
	if moved := keys[last]; s.key == key.number {
		s.key = moved
	} else {
		keys[slices.Index(keys, key.number)] = moved
	}
	if keys = keys[:last]; last == 0 {
		keys = nil
	}
	s.more.Load().keys = keys
}

// joins is the lock for what has been asked for. It is shared with other connections, since each would pay for one of its own.
func (c *Conn) joins() *sync.Mutex { return &c.shard.hub.registry.part(c.id).joins }

// join is for any goroutine; c may be nil.
func (c *Conn) join(name string) error {
	if c == nil {
		return nil
	}
	h, s := c.shard.hub, c.shard
	mu := c.joins()
	mu.Lock()
	defer mu.Unlock()
	// The end of the connection sets gone before it looks for subscriptions, so here or there they are seen.
	if c.gone.Load() || c.subs.has(h.groups.find(name)) {
		return nil
	}
	if n := c.subs.asked(); n >= h.opt.MaxGroups {
		return fmt.Errorf("%w: the connection is in %d, which is MaxGroups", ErrTooManyGroups, n)
	}
	if err := s.room(); err != nil {
		return err
	}
	key := h.groups.add(name, s.loop.Index())
	c.subs.ask(key)
	c.change(key, false)
	return nil
}

// leave is for any goroutine; c may be nil.
func (c *Conn) leave(name string) {
	if c == nil {
		return
	}
	mu := c.joins()
	mu.Lock()
	defer mu.Unlock()
	if key := c.shard.hub.groups.find(name); c.subs.has(key) {
		c.subs.unask(key)
		c.change(key, true)
	}
}

// change queues the loop's part, under joins, so that the loop sees the changes of a connection in the order in which they were accepted.
func (c *Conn) change(key *presence, leave bool) {
	t := changes.Get().(*change)
	*t = change{c, key, leave}
	if !c.shard.post(t, sendOverhead) {
		changes.Put(t) // the loop has stopped, and its memberships with it
	}
}

// change is a task: a join or a leave.
type change struct {
	c     *Conn
	key   *presence
	leave bool
}

var changes = sync.Pool{New: func() any { return new(change) }}

func (t *change) Run(*engine.Loop) {
	c, key, leave := t.c, t.key, t.leave
	*t = change{}
	changes.Put(t)
	s := c.shard
	s.begins(sendOverhead)
	switch {
	case leave && !s.leave(c, key):
		// The connection's end was faster, and has dropped the membership.
	case leave || c.state != stateOpen:
		s.hub.groups.drop(key, s.loop.Index())
	default:
		s.join(c, key)
	}
}

// leaveAll ends all memberships. Loop only; c.gone is set.
func (c *Conn) leaveAll() {
	s := c.shard
	mu := c.joins()
	mu.Lock()
	c.subs.key = 0
	if m := c.subs.more.Load(); m != nil {
		m.keys = nil
	}
	mu.Unlock()
	for c.subs.n > 0 {
		slot := c.subs.n - 1
		key := s.group(c.membership(slot)).key
		s.leaveAt(c, slot)
		s.hub.groups.drop(key, s.loop.Index())
	}
}
