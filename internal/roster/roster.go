// Package roster numbers objects, in the order in which they come. A table that holds numbers takes half the memory of one that holds pointers, and nothing that
// the collector looks into: with a million connections, following the pointers of tables in the order of their hashes was most of a full collection, where
// those of a roster lie one behind the other, as the objects do.
package roster

import "sync/atomic"

// Roster is a list of objects, each under a number from 1 that it keeps until it leaves. One goroutine at a time changes it; who has got a
// number under a lock that its object must take before it leaves may look it up on any goroutine. The zero value is empty.
type Roster[T any] struct {
	// pages is replaced when it grows or shrinks, and its elements are changed only while nobody has a number of that page.
	pages atomic.Pointer[[]*Page[T]] // any goroutine (atomic); an element is nil when its page is empty
	room  int                        // no page before this one has a free number
	n     int                        // objects
	most  uint32                     // the highest number; 0: that of the type
}

const (
	pageBits = 8

	// PageSize is how many objects a page has room for.
	PageSize = 1 << pageBits
)

// Page has the objects of PageSize numbers.
type Page[T any] struct {
	All  [PageSize]*T // nil: the number is free
	used int
}

// SetMost sets the highest number. Before the first Add.
func (r *Roster[T]) SetMost(number uint32) { r.most = number }

// Most is the highest number.
func (r *Roster[T]) Most() uint32 {
	if r.most == 0 {
		return ^uint32(0)
	}
	return r.most
}

// Len is the number of objects.
func (r *Roster[T]) Len() int { return r.n }

// Pages are for walks; one without objects is nil. For who may change the roster.
func (r *Roster[T]) Pages() []*Page[T] {
	if p := r.pages.Load(); p != nil {
		return *p
	}
	return nil
}

// At is the object of a number that is in use.
func (r *Roster[T]) At(number uint32) *T {
	i := number - 1
	return (*r.pages.Load())[i>>pageBits].All[i%PageSize]
}

// Add gives c a number, the lowest that it finds, so that pages at the end become empty again. 0: there is none left.
func (r *Roster[T]) Add(c *T) uint32 {
	list := r.Pages()
	for r.room < len(list) && list[r.room] != nil && list[r.room].used == PageSize {
		r.room++
	}
	if uint64(r.room+1)<<pageBits > uint64(r.Most()) {
		return 0
	}
	if r.room == len(list) {
		list = append(list, nil)
		r.pages.Store(&list)
	}
	p := list[r.room]
	if p == nil {
		p = new(Page[T])
		list[r.room] = p
	}
	i := 0
	if p.used > 0 {
		for p.All[i] != nil {
			i++
		}
	}
	p.All[i] = c
	p.used++
	r.n++
	return uint32(r.room)<<pageBits + uint32(i) + 1
}

// Remove frees a number.
func (r *Roster[T]) Remove(number uint32) {
	list := r.Pages()
	i := int(number-1) >> pageBits
	p := list[i]
	p.All[(number-1)%PageSize] = nil
	p.used--
	r.n--
	r.room = min(r.room, i)
	if p.used > 0 {
		return
	}
	list[i] = nil
	last := len(list)
	for last > 0 && list[last-1] == nil {
		last--
	}
	if last < len(list) {
		if list = list[:last]; cap(list) > 64 && last < cap(list)/4 {
			list = append(make([]*Page[T], 0, cap(list)/2), list...)
		}
		r.pages.Store(&list)
	}
}

// Each calls f for all objects; f may end any of them.
func (r *Roster[T]) Each(f func(c *T)) {
	for _, p := range r.Pages() {
		if p == nil {
			continue
		}
		for i := range p.All {
			if c := p.All[i]; c != nil {
				f(c)
			}
		}
	}
}
