package hubrt

import (
	"hash/maphash"
	"slices"
	"sync"
)

// users finds the connections of a user. Most users have one, so there is no list of them: the table holds a user's first connection, which is
// chained to the others.
type users struct {
	parts [256]usersPart
}

type usersPart struct {
	mu    sync.Mutex
	conns table[string, byUser] // under mu
}

// sameUser is a connection's place in its user's chain.
type sameUser struct { // under the part's mu
	next, prev *Conn
}

type byUser struct{}

func (byUser) of(c *Conn) string     { return c.ctx.user.UserID }
func (byUser) hash(id string) uint64 { return maphash.String(directorySeed, id) }
func (byUser) same(a, b string) bool { return a == b }

// part goes by other bits of the hash than the table, which begins with the highest.
func (u *users) part(id string) *usersPart {
	return &u.parts[maphash.String(directorySeed, id)%uint64(len(u.parts))]
}

// add is for a connection that has a user id.
func (u *users) add(c *Conn) {
	p := u.part(c.ctx.user.UserID)
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.conns.find(c.ctx.user.UserID)
	if first == nil {
		p.conns.put(c)
		return
	}
	c.user = sameUser{next: first.user.next, prev: first}
	if c.user.next != nil {
		c.user.next.user.prev = c
	}
	first.user.next = c
}

// remove undoes add.
func (u *users) remove(c *Conn) {
	p := u.part(c.ctx.user.UserID)
	p.mu.Lock()
	defer p.mu.Unlock()
	next, prev := c.user.next, c.user.prev
	c.user = sameUser{}
	if next != nil {
		next.user.prev = prev
	}
	switch {
	case prev != nil:
		prev.user.next = next
	case next != nil:
		p.conns.put(next) // in c's place
	default:
		p.conns.remove(c)
	}
}

// loops appends the loops on which a user has connections.
func (u *users) loops(dst []int, id string) []int {
	p := u.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.conns.find(id); c != nil; c = c.user.next {
		if i := c.ctx.shard.loop.Index(); !slices.Contains(dst, i) {
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
	for c := p.conns.find(id); c != nil; c = c.user.next {
		if c.ctx.shard == s {
			dst = append(dst, c)
		}
	}
	return dst
}
