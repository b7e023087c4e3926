package hubrt

import (
	"slices"
	"sync"

	"github.com/spokehub/spoke/engine"
)

// frameSet is one message in each protocol and framing in use; nil at the others, and at 0.
type frameSet [1 + framings*maxProtocols]*engine.Frame

// encode makes the message in each protocol and framing that a connection uses; it is encoded once for each protocol.
func (h *Hub) encode(method string, args []any) (frames frameSet, err error) {
	record := getBuffer(minBuffer)
	for i := 1; i <= len(h.opt.Protocols); i++ {
		encoded := false
		for f := range Framing(framings) {
			at := h.framed(uint8(i), f)
			p := &h.protocols[at]
			if p.inUse.Load() == 0 {
				continue
			}
			if !encoded {
				b, err := p.AppendInvocation(record.b[:0], "", method, args)
				if err != nil {
					record.free()
					return frameSet{}, err
				}
				record.b, encoded = b, true
			}
			frames[at] = h.rt.frame(f, p.Binary(), record.b)
		}
	}
	record.free()
	return frames, nil
}

// publication is a task: one message for those of a loop's connections that are selected. It is posted once to each loop that has any, and shares its frames
// with the others.
type publication struct {
	shard  *shard
	kind   targetKind // toAll, toGroup, toUser or toClients
	key    string     // group or user
	to     []*Conn    // toClients: of this loop
	except []*Conn    // of all loops; shared
	frames frameSet
	size   int // bytes of the largest frame
	queued int // bytes that it counts for in the loop's queue

	more    []step // what Merge has taken over, in order
	replies int    // among more
	done    int    // of more
}

var publications = sync.Pool{New: func() any { return new(publication) }}

func (h *Hub) post(loop int, frames *frameSet, kind targetKind, key string, to, except []*Conn) {
	p := publications.Get().(*publication)
	p.shard, p.kind, p.key, p.to, p.except, p.frames = &h.shards[loop], kind, key, to, except, *frames
	p.queued = sendOverhead
	for _, f := range frames {
		if f != nil {
			p.size = max(p.size, f.Len())
			p.queued += f.Len()
		}
	}
	if !p.shard.post(p, p.queued) {
		p.free()
	}
}

func (p *publication) free() {
	clear(p.more)
	more := p.more[:0]
	if cap(more) > 256 {
		more = nil
	}
	*p = publication{more: more}
	publications.Put(p)
}

// publishAll sends to all loops that have connections.
func (h *Hub) publishAll(frames *frameSet, except []*Conn) error {
	if err := h.roomInAll(); err != nil {
		return err
	}
	for i := range h.shards {
		if h.shards[i].size.Load() > 0 {
			h.post(i, frames, toAll, "", nil, except)
		}
	}
	return nil
}

// loops appends the loops on which a group or user has members.
func (h *Hub) loops(dst []int, kind targetKind, key string) []int {
	if kind == toUser {
		return h.users.loops(dst, key)
	}
	return h.groups.loops(dst, key)
}

// publish sends to the loops on which a group or user has members.
func (h *Hub) publish(frames *frameSet, kind targetKind, key string, except []*Conn) error {
	var few [16]int
	loops := h.loops(few[:0], kind, key)
	for _, i := range loops {
		if err := h.shards[i].room(); err != nil {
			return err
		}
	}
	for _, i := range loops {
		h.post(i, frames, kind, key, nil, except)
	}
	return nil
}

// publishEach sends to several groups or users, each once if so wanted.
func (h *Hub) publishEach(frames *frameSet, kind targetKind, keys []string, once bool) error {
	if err := h.roomInAll(); err != nil {
		return err
	}
	var few [16]int
	for i, key := range keys {
		if once && slices.Contains(keys[:i], key) {
			continue
		}
		for _, loop := range h.loops(few[:0], kind, key) {
			h.post(loop, frames, kind, key, nil, nil)
		}
	}
	return nil
}

// publishTo sends to listed connections.
func (h *Hub) publishTo(frames *frameSet, conns []*Conn) error {
	if err := h.roomInAll(); err != nil {
		return err
	}
	byLoop := make([][]*Conn, len(h.shards))
	for _, c := range conns {
		i := c.shard.loop.Index()
		byLoop[i] = append(byLoop[i], c)
	}
	for i, to := range byLoop {
		if len(to) > 0 {
			h.post(i, frames, toClients, "", to, nil)
		}
	}
	return nil
}

// Run sends to the members. Nothing here is locked, allocated or encoded per member.
func (p *publication) Run(l *engine.Loop) {
	s := p.shard
	s.begins(p.queued)
	if p.replies > 0 {
		p.runAround(l)
		p.free()
		return
	}
	p.frames = p.joined()
	for _, c := range p.except {
		if c.shard == s {
			c.flags |= flagSkip
		}
	}
	p.send(&p.frames)
	for _, c := range p.except {
		if c.shard == s {
			c.flags &^= flagSkip
		}
	}
	p.free()
}

// send sends frames to the members. A group's are walked from the last to the first, because a send may end its connection, which takes it
// off the list: the one that moves to its place has been served.
func (p *publication) send(frames *frameSet) {
	s := p.shard
	switch p.kind {
	case toAll:
		s.sendAll(frames)
	case toClients:
		for _, c := range p.to {
			c.receive(frames)
		}
	case toUser:
		s.sendUser(p.key, frames)
	default:
		if g := s.groups[p.key]; g != nil {
			for i := len(g.members) - 1; i >= 0; i-- {
				if i < len(g.members) {
					s.conns.At(g.members[i]).receive(frames)
				}
			}
		}
	}
}

// sendAll sends to all connections. It is Roster.Each without a call for each.
func (s *shard) sendAll(frames *frameSet) {
	for _, p := range s.conns.Pages() {
		if p == nil {
			continue
		}
		for i := range p.All {
			if c := p.All[i]; c != nil {
				c.receive(frames)
			}
		}
	}
}

// sendUser sends to a user's connections. They are listed first, since a send may end one and take it off its chain.
func (s *shard) sendUser(id string, frames *frameSet) {
	list := s.hub.users.on(s.local.conns[:0], s, id)
	for _, c := range list {
		c.receive(frames)
	}
	clear(list)
	if s.local.conns = list[:0]; cap(list) > 1024 {
		s.local.conns = nil
	}
}

// receive sends the frame of the connection's protocol; one that is not, or no longer, enrolled has none.
func (c *Conn) receive(frames *frameSet) {
	f := frames[c.frame]
	switch {
	case f == nil:
	case c.flags&flagSkip == 0:
		c.link.Send(f)
	case c.shard.local.around:
		c.shard.local.apart = append(c.shard.local.apart, c)
	}
}
