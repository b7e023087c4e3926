package hubrt

// group is a loop's members of a group, dense so that a broadcast walks memory in order. Loop only.
type group struct {
	name    string
	members []member
}

// member says where, in the connection's own list, its place in the group is noted; so both lists can lose an element by a swap.
type member struct {
	c    *Conn
	slot uint32 // in c.memberships
}

// membership is the other direction.
type membership struct {
	group *group
	at    uint32 // in group.members
}

// join adds c, which is not a member yet, to a group. Loop only.
func (s *shard) join(c *Conn, name string) {
	g := s.groups[name]
	if g == nil {
		if s.groups == nil {
			s.groups = make(map[string]*group)
		}
		g = &group{name: name}
		s.groups[name] = g
	}
	list := &c.subs.Load().list
	g.members = append(g.members, member{c, uint32(len(*list))})
	*list = append(*list, membership{g, uint32(len(g.members) - 1)})
}

// leave ends the membership; false: there is none. Loop only.
func (s *shard) leave(c *Conn, name string) bool {
	list := c.subs.Load().list
	for i := range list {
		if list[i].group.name == name {
			s.leaveAt(c, i)
			return true
		}
	}
	return false
}

// leaveAt ends the i-th membership of c. Loop only.
func (s *shard) leaveAt(c *Conn, i int) {
	subs := c.subs.Load()
	m := subs.list[i]
	g := m.group
	if moved := g.remove(m.at); moved.c != nil {
		moved.c.subs.Load().list[moved.slot].at = m.at
	}
	if len(g.members) == 0 {
		delete(s.groups, g.name)
		if len(s.groups) == 0 {
			s.groups = nil // a map never shrinks
		}
	}
	last := len(subs.list) - 1
	if i != last {
		moved := subs.list[last]
		subs.list[i] = moved
		moved.group.members[moved.at].slot = uint32(i)
	}
	subs.list[last] = membership{}
	if subs.list = subs.list[:last]; last == 0 {
		subs.list = nil
	}
}

// remove takes the member at a place out. The one that took the place is returned, if there is one, and its note of where it is has to be changed.
func (g *group) remove(at uint32) (moved member) {
	last := len(g.members) - 1
	if int(at) != last {
		moved = g.members[last]
		g.members[at] = moved
	}
	g.members[last] = member{}
	g.members = g.members[:last]
	if c := cap(g.members); c > 64 && last < c/4 {
		g.members = append(make([]member, 0, c/2), g.members...)
	}
	return moved
}
