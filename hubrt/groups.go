package hubrt

import (
	"errors"
	"fmt"
	"slices"
	"sync"

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

// subscriptions are a connection's groups. They exist twice: as what has been asked for, which answers at once, and as
// what the loop has done of it.
type subscriptions struct {
	mu    sync.Mutex
	names []string     // under mu
	list  []membership // loop
}

// join is for any goroutine; c may be nil.
func (c *Conn) join(name string) error {
	if c == nil {
		return nil
	}
	subs := c.subs.Load()
	if subs == nil {
		c.subs.CompareAndSwap(nil, new(subscriptions))
		subs = c.subs.Load()
	}
	h, s := c.shard.hub, c.shard
	subs.mu.Lock()
	defer subs.mu.Unlock()
	// The end of the connection sets gone before it looks for subscriptions, so here or there they are seen.
	if c.gone.Load() || slices.Contains(subs.names, name) {
		return nil
	}
	if len(subs.names) >= h.opt.MaxGroups {
		return fmt.Errorf("%w: the connection is in %d, which is MaxGroups", ErrTooManyGroups, len(subs.names))
	}
	if err := s.room(); err != nil {
		return err
	}
	name = h.groups.add(name, s.loop.Index())
	subs.names = append(subs.names, name)
	c.change(name, false)
	return nil
}

// leave is for any goroutine; c may be nil.
func (c *Conn) leave(name string) {
	if c == nil {
		return
	}
	subs := c.subs.Load()
	if subs == nil {
		return
	}
	subs.mu.Lock()
	defer subs.mu.Unlock()
	i := slices.Index(subs.names, name)
	if i < 0 {
		return
	}
	name = subs.names[i]
	subs.names = slices.Delete(subs.names, i, i+1)
	c.change(name, true)
}

// change queues the loop's part, under subs.mu, so that the loop sees the changes of a connection in the order in which they were accepted.
func (c *Conn) change(name string, leave bool) {
	t := changes.Get().(*change)
	*t = change{c, name, leave}
	if !c.shard.post(t, sendOverhead) {
		changes.Put(t) // the loop has stopped, and its memberships with it
	}
}

// change is a task: a join or a leave.
type change struct {
	c     *Conn
	name  string
	leave bool
}

var changes = sync.Pool{New: func() any { return new(change) }}

func (t *change) Run(*engine.Loop) {
	c, name, leave := t.c, t.name, t.leave
	*t = change{}
	changes.Put(t)
	s := c.shard
	s.begins(sendOverhead)
	switch {
	case leave && !s.leave(c, name):
		// The connection's end was faster, and has dropped the membership.
	case leave || c.state != stateOpen:
		s.hub.groups.drop(name, s.loop.Index())
	default:
		s.join(c, name)
	}
}

// leaveAll ends all memberships. Loop only; c.gone is set.
func (c *Conn) leaveAll() {
	s := c.shard
	subs := c.subs.Load()
	if subs == nil {
		return
	}
	subs.mu.Lock()
	subs.names = nil
	subs.mu.Unlock()
	for i := len(subs.list) - 1; i >= 0; i-- {
		name := subs.list[i].group.name
		s.leaveAt(c, i)
		s.hub.groups.drop(name, s.loop.Index())
	}
}
