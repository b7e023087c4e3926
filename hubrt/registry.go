package hubrt

import (
	"encoding/binary"
	"sync"
)

// registry finds connections by id. It is sharded so that loops and senders rarely meet, and so that growing a part is soon done.
type registry struct {
	hub   *Hub // constant
	parts [256]registryPart
}

type registryPart struct {
	mu    sync.RWMutex
	conns table[ID, byID] // under mu

	joins sync.Mutex // of the part's connections: what groups they have asked to be in
}

// byID: ids are random numbers of our own. The part goes by another piece of them.
type byID struct{}

func (byID) of(c *Conn) ID                   { return c.id }
func (byID) hash(id ID) uint64               { return binary.BigEndian.Uint64(id[8:]) }
func (byID) same(a, b ID) bool               { return a == b }
func (r *registry) part(id ID) *registryPart { return &r.parts[id[0]] }

func (r *registry) add(c *Conn) {
	p := r.part(c.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns.put(c)
}

// remove takes c out, unless another connection has its id.
func (r *registry) remove(c *Conn) {
	p := r.part(c.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns.remove(c)
}

// find returns nil for an id that no connection has.
func (r *registry) find(id string) *Conn {
	key, ok := ParseID(id)
	if !ok {
		return nil
	}
	p := r.part(key)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.conns.find(r.hub, key)
}
