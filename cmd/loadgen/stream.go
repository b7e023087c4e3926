package main

// stream checks what one receiver gets from one sender: every sequence number once, in order. An orderly stream costs 16 bytes.
type stream struct {
	next   int64 // the sequence number that is due
	behind *gaps // what was overtaken or lost; nil: nothing
}

// verdict says what a message was.
type verdict uint8

const (
	inOrder   verdict = iota
	overtaken         // it came after one that was sent later
	duplicate
)

// gaps are the ranges of sequence numbers that have not come, in order.
type gaps struct {
	ranges []span
	lost   int64 // of ranges that were forgotten, so that a lossy server cannot fill the client's memory
}

type span struct{ from, to int64 } // to is not in it

const maxGaps = 64

// accept takes the message seq.
func (s *stream) accept(seq int64) verdict {
	switch {
	case seq == s.next:
		s.next++
		return inOrder
	case seq > s.next:
		if s.behind == nil {
			s.behind = &gaps{}
		}
		s.behind.add(span{s.next, seq})
		s.next = seq + 1
		return inOrder // those that come later will have been overtaken
	case s.behind != nil && s.behind.fill(seq):
		return overtaken
	}
	return duplicate
}

// missing is how many of the first sent messages have not come.
func (s *stream) missing(sent int64) int64 {
	n := max(sent-s.next, 0)
	if s.behind != nil {
		n += s.behind.count()
	}
	return n
}

func (g *gaps) add(r span) {
	if len(g.ranges) == maxGaps {
		g.lost += g.ranges[0].to - g.ranges[0].from
		g.ranges = append(g.ranges[:0], g.ranges[1:]...)
	}
	g.ranges = append(g.ranges, r)
}

// fill takes seq out; false when it was not missing.
func (g *gaps) fill(seq int64) bool {
	for i, r := range g.ranges {
		if seq < r.from || seq >= r.to {
			continue
		}
		switch {
		case r.from+1 == r.to:
			g.ranges = append(g.ranges[:i], g.ranges[i+1:]...)
		case seq == r.from:
			g.ranges[i].from++
		case seq == r.to-1:
			g.ranges[i].to--
		case len(g.ranges) == maxGaps: // splitting would make one more
			g.lost += seq - r.from
			g.ranges[i].from = seq + 1
		default:
			g.ranges = append(g.ranges, span{})
			copy(g.ranges[i+1:], g.ranges[i:])
			g.ranges[i].to = seq
			g.ranges[i+1].from = seq + 1
		}
		return true
	}
	return false
}

func (g *gaps) count() int64 {
	n := g.lost
	for _, r := range g.ranges {
		n += r.to - r.from
	}
	return n
}
