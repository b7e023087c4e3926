package hubrt

import "sync"

// registry finds connections by id. It is sharded so that loops and senders rarely meet.
type registry struct {
	parts [64]registryPart
}

type registryPart struct {
	mu    sync.RWMutex
	conns map[ID]*Conn // under mu
}

// part: ids are random, so any byte spreads them.
func (r *registry) part(id ID) *registryPart { return &r.parts[id[0]%uint8(len(r.parts))] }

func (r *registry) add(c *Conn) {
	p := r.part(c.ctx.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = make(map[ID]*Conn)
	}
	p.conns[c.ctx.id] = c
}

// remove takes c out, unless another connection has its id.
func (r *registry) remove(c *Conn) {
	p := r.part(c.ctx.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.ctx.id] == c {
		delete(p.conns, c.ctx.id)
	}
	if len(p.conns) == 0 {
		p.conns = nil // a map never shrinks
	}
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
	return p.conns[key]
}
