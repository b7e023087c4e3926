package hubrt

import (
	"hash/maphash"
	"slices"
	"sync"
)

// users finds the connections of a user. Most users have one, so there is no list of them: the table holds a user's first connection, which is
// chained to the others.
type users struct {
	hub   *Hub // constant
	parts [256]usersPart
}

type usersPart struct {
	mu    sync.Mutex
	conns table[string, byUser] // under mu
}

type byUser struct{}

func (byUser) of(c *Conn) string     { return c.userID() }
func (byUser) hash(id string) uint64 { return maphash.String(directorySeed, id) }
func (byUser) same(a, b string) bool { return a == b }

// part goes by other bits of the hash than the table, which begins with the highest.
func (u *users) part(id string) *usersPart {
	return &u.parts[maphash.String(directorySeed, id)%uint64(len(u.parts))]
}

// add is for a connection that has a user id.
func (u *users) add(c *Conn) {
	p := u.part(c.userID())
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.conns.find(u.hub, c.userID())
	if first == nil {
		p.conns.put(c)
		return
	}
	f, m := first.subs.further(), c.subs.further()
	m.next, m.prev = f.next, first
	if m.next != nil {
		m.next.subs.more.Load().prev = c
	}
	f.next = c
}

// remove undoes add.
func (u *users) remove(c *Conn) {
	p := u.part(c.userID())
	p.mu.Lock()
	defer p.mu.Unlock()
	m := c.subs.more.Load()
	if m == nil || m.next == nil && m.prev == nil {
		p.conns.remove(c)
		return
	}
	next, prev := m.next, m.prev
	m.next, m.prev = nil, nil
	if prev != nil {
		prev.subs.more.Load().next = next
	} else {
		p.conns.put(next) // in c's place
	}
	if next != nil {
		next.subs.more.Load().prev = prev
	}
}

// further is the next one in the chain. Under the part's mu.
func (c *Conn) further() *Conn {
	if m := c.subs.more.Load(); m != nil {
		return m.next
	}
	return nil
}

// loops appends the loops on which a user has connections.
func (u *users) loops(dst []int, id string) []int {
	p := u.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.conns.find(u.hub, id); c != nil; c = c.further() {
		if i := c.shard.loop.Index(); !slices.Contains(dst, i) {
			dst = append(dst, i)
		}
	}
	return dst
}

// on appends the user's connections on one loop.
func (u *users) on(dst []*Conn, s *shard, id string) []*Conn {
	p := u.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.conns.find(u.hub, id); c != nil; c = c.further() {
		if c.shard == s {
			dst = append(dst, c)
		}
	}
	return dst
}
