package engine

// runDeadlines looks at the deadlines of all slots, once a second. A dense array of four bytes each: a million take half a
// millisecond to a millisecond and a half, a twelfth of what a timer wheel takes.
func (l *Loop) runDeadlines() {
	now := l.now
	for i, at := range l.deadlines {
		if at == 0 || at > now {
			continue
		}
		// A callback before this one may have changed it, and the array may have grown.
		if at = l.deadlines[i]; at == 0 || at > now {
			continue
		}
		l.deadlines[i] = 0
		c := &l.slab.pages[i>>pageBits].conns[i&(pageSize-1)]
		c.verify("deadline")
		switch {
		case c.flags&flagDead != 0:
		case c.flags&flagClosing != 0:
			l.lingered(c)
		default:
			l.callDeadline(c)
		}
	}
}
