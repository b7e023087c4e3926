package engine

// Connections live in pages, found by slot number: a walk over many costs a third less than over single objects, and the
// tag of a kernel event (slot and generation) is looked up without a map.
const (
	pageBits = 10 // of 88 bytes: 11 of the allocator's pages to the byte
	pageSize = 1 << pageBits
)

type page struct{ conns [pageSize]Conn }

// slab hands out the slots of a loop. // loop
type slab struct {
	pages []*page  // nil: a page that was given back
	used  []uint16 // slots of each page that are in use
	free  []*Conn  // of all pages
	gen   uint32   // of the last connection; never 0 in use
}

// get returns an empty slot with a fresh generation. Generations are counted per loop, not per slot, so that a page can be
// given back to the collector and its number used again.
func (s *slab) get(l *Loop) *Conn {
	if len(s.free) == 0 {
		s.grow(l)
	}
	k := len(s.free) - 1
	c := s.free[k]
	s.free[k] = nil
	s.free = s.free[:k]
	if s.gen++; s.gen == 0 {
		s.gen = 1
	}
	c.gen = s.gen
	c.flags = 0
	c.handler = nil
	s.used[c.slot>>pageBits]++
	return c
}

func (s *slab) grow(l *Loop) {
	n := len(s.pages)
	for i, p := range s.pages {
		if p == nil {
			n = i
			break
		}
	}
	p := new(page)
	if n == len(s.pages) {
		s.pages = append(s.pages, p)
		s.used = append(s.used, 0)
	} else {
		s.pages[n] = p
	}
	if need := len(s.pages) << pageBits; len(l.deadlines) < need {
		l.deadlines = append(l.deadlines, make([]uint32, need-len(l.deadlines))...)
	}
	for i := pageSize - 1; i >= 0; i-- {
		c := &p.conns[i]
		c.loop = l
		c.slot = int32(n<<pageBits | i)
		c.flags = flagDead
		s.free = append(s.free, c)
	}
}

// put takes a slot back. The fields loop and slot stay: Refs read them on any goroutine.
func (s *slab) put(c *Conn) {
	c.gen = 0
	c.handler = nil
	c.out, c.in, c.frame = nil, nil, nil
	c.dropRare()
	c.ip, c.port = [16]byte{}, 0
	c.fd = -1
	c.reason = ReasonNone
	c.flags = flagDead
	if poisonFreed {
		c.flags = flagDead | flagFreed
		c.handler = poisoned{}
	}
	s.free = append(s.free, c)
	s.used[c.slot>>pageBits]--
}

// conn is the connection in a slot of a page that is there.
func (s *slab) conn(slot int32) *Conn { return &s.pages[slot>>pageBits].conns[slot&(pageSize-1)] }

// at returns the connection of a slot, or nil when it is another generation by now.
func (s *slab) at(slot int32, gen uint32) *Conn {
	if slot < 0 || int(slot>>pageBits) >= len(s.pages) {
		return nil
	}
	p := s.pages[slot>>pageBits]
	if p == nil {
		return nil
	}
	c := &p.conns[slot&(pageSize-1)]
	if c.gen != gen || c.flags&flagDead != 0 {
		return nil
	}
	return c
}

// trim gives empty pages back when more than half of the slots, and more than a page, are free. Once a second.
func (s *slab) trim() {
	total := 0
	for _, p := range s.pages {
		if p != nil {
			total += pageSize
		}
	}
	if len(s.free) <= 2*pageSize || len(s.free)*2 < total {
		return
	}
	keep, dropped := 1, false // one empty page stays, for the next who come
	for i, p := range s.pages {
		if p == nil || s.used[i] > 0 {
			continue
		}
		if keep > 0 {
			keep--
			continue
		}
		s.pages[i] = nil
		dropped = true
	}
	if !dropped {
		return
	}
	left := make([]*Conn, 0, len(s.free))
	for _, c := range s.free {
		if s.pages[c.slot>>pageBits] != nil {
			left = append(left, c)
		}
	}
	s.free = left
}

// each calls f for every living connection.
func (s *slab) each(f func(c *Conn)) {
	for n, p := range s.pages {
		if p == nil || s.used[n] == 0 {
			continue
		}
		for i := range p.conns {
			if c := &p.conns[i]; c.gen != 0 && c.flags&flagDead == 0 {
				f(c)
			}
		}
	}
}
