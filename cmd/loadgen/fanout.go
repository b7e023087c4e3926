package main

import "github.com/spokehub/spoke/engine"

// publish sends the next message of a publisher, which was due at at.
func (s *shard) publish(c *client, at int64) {
	w := s.worker
	if c.sent >= maxSequence {
		return
	}
	id := c.sent
	if !w.opts.acks {
		id = -1
	}
	call := &w.publishCalls[c.target()]
	b := call.begin(s.text[:0], id)
	b = appendPayload(b, payload{uint32(c.publisher), w.run, c.sent, at}, w.pad)
	s.text = call.end(b)
	c.sendRecords(s.text)
	c.sent++
	s.tally.Sent++
}

// delivered takes a message that the server sent to a receiver.
func (s *shard) delivered(c *client, text []byte) {
	w := s.worker
	p, ok := parsePayload(text, w.pad, s.at)
	switch {
	case !ok:
		s.corrupt(text)
		return
	case p.run != w.run:
		s.tally.Foreign++
		return
	case int(p.sender) >= w.opts.publishers || int(p.sender)%w.opts.groups != int(c.group):
		s.corrupt(text)
		return
	}
	if !s.judge(&c.streams[int(p.sender)/w.opts.groups], p.seq) {
		return
	}
	if c.slow {
		s.tally.SlowTaken++
		return
	}
	s.tally.Delivered++
	s.latency(p.at)
	if s.seen != nil {
		s.rise(int(p.sender), p.seq, c.group)
	}
}

// target is the group that a publisher sends to.
func (c *client) target() int { return int(c.publisher) % c.worker.opts.groups }

// The closed loop of a fan-out: each shard counts the deliveries of each message that is out, and tells the publisher's shard
// when all its receivers have it; when all shards have said so the publisher sends the next.

// tide is how far a message has come among the receivers of a shard.
type tide struct {
	seq   int64
	count int64
	full  bool // the publisher has been told
}

func newTides(o *options) [][]tide {
	t := make([][]tide, o.publishers)
	for p := range t {
		t[p] = make([]tide, o.outstanding)
		for i := range t[p] {
			t[p][i].seq = -1
		}
	}
	return t
}

// rise counts a delivery.
func (s *shard) rise(publisher int, seq int64, group int32) {
	t := &s.seen[publisher][seq%int64(len(s.seen[publisher]))]
	if seq != t.seq {
		if seq < t.seq {
			return // the publisher has given it up
		}
		*t = tide{seq: seq}
	}
	t.count++
	s.look(publisher, t, group)
}

func (s *shard) look(publisher int, t *tide, group int32) {
	if !t.full && t.count >= s.members[group] {
		t.full = true
		s.tellPublisher(publisher, t.seq)
	}
}

// tellPublisher says that all receivers of this shard have a message; seq -1: that this shard has no receivers any more.
func (s *shard) tellPublisher(publisher int, seq int64) {
	home := s.worker.publisherShard[publisher].Load()
	switch home {
	case nil:
	case s:
		s.complete(publisher, seq)
	default:
		home.loop.Post(engine.TaskFunc(func(*engine.Loop) { home.complete(publisher, seq) }))
	}
}

// join and part count the receivers of a group.
func (s *shard) join(group int32) {
	if s.members[group]++; s.members[group] == 1 {
		s.worker.active[group].Add(1)
	}
}

func (s *shard) part(group int32) {
	if s.members[group]--; s.members[group] == 0 {
		s.worker.active[group].Add(-1)
	}
	if s.seen == nil {
		return
	}
	for p := int(group); p < len(s.seen); p += s.worker.opts.groups {
		if s.members[group] == 0 {
			s.tellPublisher(p, -1)
			continue
		}
		for i := range s.seen[p] {
			if t := &s.seen[p][i]; t.seq >= 0 {
				s.look(p, t, group)
			}
		}
	}
}

// window is what a publisher has out.
type window struct {
	slots    []outMessage // a ring by sequence number
	progress int64        // when the last one was complete, nanoseconds
}

type outMessage struct {
	seq   int64 // -1: free
	parts int32 // shards whose receivers have it
}

func newWindow(n int, now int64) *window {
	w := &window{slots: make([]outMessage, n), progress: now}
	for i := range w.slots {
		w.slots[i].seq = -1
	}
	return w
}

// publishAhead sends as much as may be out.
func (s *shard) publishAhead(c *client) {
	for s.running && c.step == stepReady {
		slot := &c.window.slots[c.sent%int64(len(c.window.slots))]
		if slot.seq >= 0 || c.sent >= maxSequence {
			return
		}
		*slot = outMessage{seq: c.sent}
		s.publish(c, s.worker.clock.now())
	}
}

// complete notes on the publisher's shard that another shard's receivers have a message.
func (s *shard) complete(publisher int, seq int64) {
	for _, c := range s.senders {
		if int(c.publisher) != publisher || c.window == nil {
			continue
		}
		w := c.window
		need := s.worker.active[c.target()].Load()
		freed := false
		for i := range w.slots {
			m := &w.slots[i]
			if m.seq < 0 || seq >= 0 && m.seq != seq {
				continue
			}
			if seq >= 0 {
				m.parts++
			}
			if m.parts >= need {
				m.seq = -1
				freed = true
			}
		}
		if freed {
			w.progress = s.worker.clock.now()
			s.publishAhead(c)
		}
		return
	}
}

// unstall goes on with publishers whose messages have not reached everybody for a long time. Once a second.
func (s *shard) unstall() {
	now := s.worker.clock.now()
	for _, c := range append([]*client(nil), s.senders...) {
		w := c.window
		if w == nil || !s.running || now-w.progress < int64(s.worker.opts.stallTime()) {
			continue
		}
		s.tally.Errors.add("stalled", "a message of the closed loop had not reached all its receivers after "+s.worker.opts.stallTime().String()+"; the publisher went on", 1)
		for i := range w.slots {
			w.slots[i].seq = -1
		}
		w.progress = now
		s.publishAhead(c)
	}
}
