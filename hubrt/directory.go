package hubrt

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// directory says on which loops a key, that is, a group or a user, has members, so that a send wakes those loops only. A membership counts from before its join
// is posted to the loop until it has ended there, so whoever joins and then sends finds the loop.
type directory struct {
	parts [64]directoryPart
	last  atomic.Uint64 // any goroutine (atomic): the last keyNumber
}

type directoryPart struct {
	mu   sync.Mutex
	keys map[string]*presence // under mu
}

// presence is where a key has members. There is one for a key as long as it has any, so that a pointer to it, or its number, stands for the key.
type presence struct {
	name   string      // constant
	number keyNumber   // constant
	loops  []loopCount // under the part's mu; few, as most groups are small
}

// keyNumber is what connections hold in place of a pointer to a presence, as they only compare it. None is used twice; 0: none.
type keyNumber uint64

type loopCount struct {
	loop, n int
}

var directorySeed = maphash.MakeSeed()

func (d *directory) part(key string) *directoryPart {
	return &d.parts[maphash.String(directorySeed, key)%uint64(len(d.parts))]
}

// find is nil for a key without members. What it returns is that key's as long as it has any.
func (d *directory) find(key string) *presence {
	part := d.part(key)
	part.mu.Lock()
	defer part.mu.Unlock()
	return part.keys[key]
}

// add counts a membership and returns its key, which stands for the name until drop.
func (d *directory) add(key string, loop int) *presence {
	part := d.part(key)
	part.mu.Lock()
	defer part.mu.Unlock()
	p := part.keys[key]
	if p == nil {
		if part.keys == nil {
			part.keys = make(map[string]*presence)
		}
		p = &presence{name: key, number: keyNumber(d.last.Add(1))}
		part.keys[key] = p
	}
	for i := range p.loops {
		if p.loops[i].loop == loop {
			p.loops[i].n++
			return p
		}
	}
	p.loops = append(p.loops, loopCount{loop, 1})
	return p
}

// drop ends what one add began.
func (d *directory) drop(p *presence, loop int) {
	part := d.part(p.name)
	part.mu.Lock()
	defer part.mu.Unlock()
	for i := range p.loops {
		if p.loops[i].loop != loop {
			continue
		}
		if p.loops[i].n--; p.loops[i].n == 0 {
			last := len(p.loops) - 1
			p.loops[i] = p.loops[last]
			p.loops = p.loops[:last]
		}
		break
	}
	if len(p.loops) == 0 {
		delete(part.keys, p.name)
		if len(part.keys) == 0 {
			part.keys = nil // a map never shrinks
		}
	}
}

// loops appends the loops on which key has members.
func (d *directory) loops(dst []int, key string) []int {
	part := d.part(key)
	part.mu.Lock()
	defer part.mu.Unlock()
	if p := part.keys[key]; p != nil {
		for _, l := range p.loops {
			dst = append(dst, l.loop)
		}
	}
	return dst
}
