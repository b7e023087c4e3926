package hubrt

// group is a loop's members of a group, dense so that a broadcast walks memory in order. Loop only.
type group struct {
	key     *presence
	number  uint32   // in shard.numbered
	members []uint32 // numbers in the loop's roster
	slots   []uint32 // of each member: which of its memberships this is; so both lists can lose an element by a swap
}

// membership is the other direction. It has the group's number and not a pointer to it, of which the collector would have to follow one for each connection.
type membership struct {
	group uint32 // in shard.numbered; 0: none
	at    uint32 // in group.members
}

// membership is one of the groups that c is in. Loop only.
func (c *Conn) membership(slot uint32) membership {
	if slot == 0 {
		return c.subs.first
	}
	return c.subs.more.Load().list[slot-1]
}

func (c *Conn) setMembership(slot uint32, m membership) {
	if slot == 0 {
		c.subs.first = m
	} else {
		c.subs.more.Load().list[slot-1] = m
	}
}

// group is that of a membership. Loop only.
func (s *shard) group(m membership) *group { return s.numbered.At(m.group) }

// join adds c, which is not a member yet, to a group. Loop only.
func (s *shard) join(c *Conn, key *presence) {
	g := s.groups[key.name]
	if g == nil {
		if s.groups == nil {
			s.groups = make(map[string]*group)
		}
		g = &group{key: key}
		g.number = s.numbered.Add(g)
		s.groups[key.name] = g
	}
	slot := c.subs.n
	m := membership{g.number, uint32(len(g.members))}
	g.members, g.slots = append(g.members, c.number), append(g.slots, slot)
	c.subs.n++
	if slot > 0 {
		c.subs.more.Load().list = append(c.subs.more.Load().list, m)
		return
	}
	c.subs.first = m
}

// leave ends the membership; false: there is none. Loop only.
func (s *shard) leave(c *Conn, key *presence) bool {
	for slot := range c.subs.n {
		if s.group(c.membership(slot)).key == key {
			s.leaveAt(c, slot)
			return true
		}
	}
	return false
}

// leaveAt ends a membership of c; its last one takes the slot. Loop only.
func (s *shard) leaveAt(c *Conn, slot uint32) {
	m := c.membership(slot)
	g := s.group(m)
	if moved, of := g.remove(m.at); moved != 0 {
		s.conns.At(moved).setMembership(of, m)
	}
	if len(g.members) == 0 {
		s.numbered.Remove(g.number)
		delete(s.groups, g.key.name)
		if len(s.groups) == 0 {
			s.groups = nil // a map never shrinks
		}
	}
	last := c.subs.n - 1
	if slot != last {
		moved := c.membership(last)
		c.setMembership(slot, moved)
		s.group(moved).slots[moved.at] = slot
	}
	c.setMembership(last, membership{})
	c.subs.n = last
	if last > 0 {
		list := c.subs.more.Load().list[:last-1]
		if last == 1 {
			list = nil
		}
		c.subs.more.Load().list = list
	}
}

// remove takes the member at a place out. The number of the one that took the place is returned, if there is one, with the slot in which it has to
// note that.
func (g *group) remove(at uint32) (moved, slot uint32) {
	last := len(g.members) - 1
	if int(at) != last {
		moved, slot = g.members[last], g.slots[last]
		g.members[at], g.slots[at] = moved, slot
	}
	g.members, g.slots = shrink(g.members[:last]), shrink(g.slots[:last])
	return moved, slot
}
