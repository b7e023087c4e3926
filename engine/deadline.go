package engine

// deadlineBudget is how many deadlines run in one iteration. A herd, that is, very many connections whose pings or timeouts are due in one second,
// is spread over the iterations that follow, so that sockets and tasks are looked at in between: at 7 µs for a ping's write(2) that is every 7 ms.
const deadlineBudget = 1024

// runDeadlines looks at the deadlines of all slots, once a second, and goes on where the budget ended. A dense array of four bytes each: a million take
// half a millisecond to a millisecond and a half, a twelfth of what a timer wheel takes. A second that comes before the last is done with waits for it.
func (l *Loop) runDeadlines() {
	now := l.now
	begun := l.scan
	l.scan = 0
	budget := deadlineBudget
	for i, at := range l.deadlines[begun:] {
		if at == 0 || at > now {
			continue
		}
		i += begun
		// A callback before this one may have changed it, and the array may have grown.
		if at = l.deadlines[i]; at == 0 || at > now {
			continue
		}
		if budget--; budget < 0 {
			l.scan = i
			return
		}
		l.deadlines[i] = 0
		c := l.slab.conn(int32(i))
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
