package hubrt

import "github.com/spokehub/spoke/engine"

// Runs of publications to the same members are written as one message to each (5.8 against 0.52 µs per delivery, docs/measured.md, rule 4). Between them the replies
// of the calls that published them are queued, as a rule. What is sent to one connection keeps its order; but a reply concerns one connection alone, so only that
// one must get the publications one by one, its replies between them. All others get them joined.

const (
	// maxJoined is up to how many bytes publications are joined.
	maxJoined = 64 << 10
	// maxSteps is how many tasks a publication takes over.
	maxSteps = 1024
)

// step is a task that a publication has taken over: another publication to the same members, or a reply.
type step struct {
	frames frameSet
	reply  *call // nil: it is a publication
}

// Merge implements engine.Merger.
func (p *publication) Merge(next engine.Task) bool {
	if p.kind == toClients || len(p.except) > 0 || len(p.more) >= maxSteps {
		return false
	}
	switch n := next.(type) {
	case *publication:
		if n.shard != p.shard || n.kind != p.kind || n.key != p.key || len(n.more) > 0 || len(n.except) > 0 || p.size+n.size > maxJoined {
			return false
		}
		p.more = append(p.more, step{frames: n.frames})
		p.size += n.size
		p.queued += n.queued
		n.free()
		return true
	case *call:
		if !n.isReply() {
			return false
		}
		p.more = append(p.more, step{reply: n})
		p.replies++
		return true
	}
	return false
}

// isReply says that the task writes a reply to its connection, and changes nothing else that a publication depends on: who is there, and who is in which group.
func (k *call) isReply() bool { return (k.kind == kindCall || k.kind == kindReply) && !k.fatal }

// joined is the publication and those that it has taken over, as one frame for each protocol.
func (p *publication) joined() (frames frameSet) {
	if len(p.more) == p.replies {
		return p.frames
	}
	h := p.shard.hub
	var parts []*engine.Frame
	for i := 1; i < len(h.protocols); i++ {
		parts = parts[:0]
		if p.frames[i] != nil {
			parts = append(parts, p.frames[i])
		}
		for j := range p.more {
			if f := p.more[j].frames[i]; f != nil {
				parts = append(parts, f)
			}
		}
		if len(parts) > 0 {
			frames[i] = h.rt.joined(h.protocols[i].framing, h.protocols[i].Binary(), parts)
		}
	}
	return frames
}

// runAround sends the publications, joined, to all members but those that get a reply between them; then these get everything in its order.
func (p *publication) runAround(l *engine.Loop) {
	if len(p.more) == p.replies { // nothing to join
		p.send(&p.frames)
		p.rest(l, nil)
		return
	}
	here := p.shard.local
	p.sendAround(here)
	apart := here.apart
	here.apart = nil
	for _, c := range apart {
		c.receive(&p.frames)
	}
	p.rest(l, apart)
	clear(apart)
	if cap(apart) <= 1024 {
		here.apart = apart[:0]
	}
}

// sendAround sends the publications, joined, to all members but those that get a reply between them, and lists these in local.apart.
func (p *publication) sendAround(here *local) {
	frames := p.joined()
	p.mark(true)
	here.around = true
	defer func() { // also when a transport panics: nobody must be left out for ever
		here.around = false
		p.mark(false)
	}()
	p.send(&frames)
}

// mark sets or clears the mark of those that get a reply.
func (p *publication) mark(on bool) {
	for i := range p.more {
		switch k := p.more[i].reply; {
		case k == nil:
		case on:
			k.conn.flags |= flagSkip
		default:
			k.conn.flags &^= flagSkip
		}
	}
}

// rest runs what the publication has taken over, for the members that are left. Should something panic, which is then the engine's to handle, the tasks behind
// it are run all the same.
func (p *publication) rest(l *engine.Loop, apart []*Conn) {
	defer func() {
		if p.done < len(p.more) {
			p.rest(l, apart)
		}
	}()
	for p.done < len(p.more) {
		s := &p.more[p.done]
		p.done++
		if s.reply != nil {
			s.reply.Run(l)
			continue
		}
		for _, c := range apart {
			c.receive(&s.frames)
		}
	}
}
