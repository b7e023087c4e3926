package main

// fill makes a closed loop's first calls on a connection.
func (s *shard) fill(c *client) {
	now := s.worker.clock.now()
	for range s.worker.opts.depth {
		s.callEcho(c, now)
	}
}

// callEcho makes the next call of a connection, which was due at at.
func (s *shard) callEcho(c *client, at int64) {
	w := s.worker
	if c.sent >= maxSequence {
		return
	}
	b := w.echoCall.begin(s.text[:0], c.sent)
	b = appendPayload(b, payload{uint32(c.number), w.run, c.sent, at}, w.pad)
	s.text = w.echoCall.end(b)
	c.sendRecords(s.text)
	c.sent++
	s.tally.Sent++
}

// completed takes the end of a call: of Echo, or of a publisher's.
func (s *shard) completed(c *client, r *record) {
	o := s.worker.opts
	if o.scenario != echo {
		if r.failed {
			s.tally.Errors.add("call refused", r.reason, 1)
			return
		}
		s.tally.Answered++
		return
	}
	if r.id < 0 || r.id >= c.sent {
		s.tally.Errors.add("completion: unknown id", "the server completed a call that was not made", 1)
		return
	}
	if !s.judge(&c.streams[0], r.id) {
		return
	}
	switch {
	case r.failed:
		s.tally.Errors.add("call refused", r.reason, 1)
	default:
		s.echoed(c, r)
	}
	if s.running && o.rate == 0 {
		s.callEcho(c, s.at)
	}
}

// echoed takes a result of Echo.
func (s *shard) echoed(c *client, r *record) {
	w := s.worker
	p, ok := parsePayload(r.text, w.pad, s.at)
	if !ok || p.run != w.run || p.sender != uint32(c.number) || p.seq != r.id {
		s.corrupt(r.text)
		return
	}
	s.tally.Answered++
	s.latency(p.at)
}
