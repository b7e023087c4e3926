package main

import (
	"slices"
	"sync/atomic"

	"github.com/spokehub/spoke/engine"
)

// shard is one event loop's part of the load.
type shard struct { // loop, but for what is constant
	worker *worker      // constant
	loop   *engine.Loop // constant
	index  int          // constant

	tally   *tally
	open    int64     // connections that are ready
	clients []*client // that have become ready, also those that have ended since; of churn and negotiate: none
	senders []*client // that are ready and call: all of echo and negotiate, the publishers of the others; of churn: that are ready
	members []int64   // ready, healthy receivers by group
	asking  asking    // negotiate
	seen    [][]tide  // closed fan-out loop: by publisher, a ring by sequence number

	running bool  // calls are made
	at      int64 // when the bytes were read that are handled, nanoseconds
	from    int64 // latencies of calls that were due from here on count, nanoseconds
	until   int64
	pace    pace

	ticking atomic.Bool // any goroutine (atomic): a tick of the pacer waits to run

	posters []*poster // constant: of the transports without a WebSocket
	polls   alike     // answers to polls

	text  []byte // scratch: hub records
	frame []byte // scratch: a WebSocket frame
}

func newShard(w *worker, l *engine.Loop) *shard {
	s := &shard{worker: w, loop: l, index: l.Index(), tally: &tally{}, members: make([]int64, max(w.opts.groups, 1))}
	s.polls.most = maxMessage
	if w.opts.transport != webSockets {
		for range postersOf {
			s.posters = append(s.posters, newPoster(s))
		}
	}
	if w.opts.closedFanOut() {
		s.seen = newTides(w.opts)
	}
	return s
}

// ready takes in a client that has shaken hands and joined.
func (s *shard) ready(c *client) {
	o := s.worker.opts
	s.tally.Connected++
	storming := o.scenario == storm && s.worker.storming.Load()
	if took := s.worker.clock.now() - c.began; storming {
		s.tally.Latency.record(took)
	} else {
		s.tally.Connect.record(took)
	}
	s.open++
	c.counted = true
	if o.scenario == churn {
		c.place = int32(len(s.senders))
		s.senders = append(s.senders, c)
		s.live(c)
		return
	}
	if o.scenario == negotiate {
		s.readyToAsk(c)
		return
	}
	s.clients = append(s.clients, c)
	if storming {
		s.worker.returned()
		return
	}
	if o.scenario == echo || c.publisher >= 0 {
		c.place = int32(len(s.senders))
		s.senders = append(s.senders, c)
	}
	if c.publisher >= 0 {
		s.worker.publisherShard[c.publisher].Store(s)
	}
	if o.scenario.fansOut() && !c.slow {
		s.join(c.group)
	}
	c.settled = true
	s.worker.settled(true)
	if s.running && o.scenario == echo && o.rate == 0 {
		s.fill(c)
	}
}

// retire takes a client out of the counts of those that are ready.
func (s *shard) retire(c *client) {
	if !c.counted {
		return
	}
	c.counted = false
	s.open--
	s.tally.Ended++
	if c.asked {
		s.asking.under--
		s.asking.cut++
		c.asked = false
	}
	if c.place >= 0 {
		last := len(s.senders) - 1
		m := s.senders[last]
		s.senders[c.place] = m
		m.place = c.place
		s.senders[last] = nil
		s.senders = s.senders[:last]
		c.place = -1
	}
	if s.worker.opts.scenario.fansOut() && !c.slow {
		s.part(c.group)
	}
}

// failed counts the error of a client and takes it out of the load.
func (s *shard) failed(c *client, kind, text string) {
	ready := c.step == stepReady
	c.step = stepLeaving
	c.stopTimer()
	s.retire(c)
	if c.slow && ready && s.running { // what becomes of slow readers is the server's policy, not an error
		s.tally.SlowCut++
		return
	}
	s.tally.Errors.add(kind, text, 1)
	if ready {
		s.tally.Cut++
	}
	c.broken = true
}

// gone is the end of a client's connection, or of the attempt to make one. It may run on another loop than the next one will.
func (s *shard) gone(c *client) {
	failed := c.broken
	c.broken = false
	defer s.worker.underWay.Add(-1) // after it is under way again
	switch s.worker.opts.scenario {
	case churn:
		s.comeAgain(c, failed)
	case negotiate:
		s.askAgain(c, failed)
	case storm:
		if s.worker.storming.Load() {
			s.comeBack(c, failed)
			return
		}
		fallthrough
	default:
		if failed && !c.settled {
			c.settled = true
			s.worker.settled(false)
		}
	}
}

// begin starts the load at start; latencies of calls that are due in [from, until) count.
func (s *shard) begin(start, from, until int64) {
	o := s.worker.opts
	s.running, s.from, s.until = true, from, until
	switch {
	case o.scenario == storm:
		s.drop(start)
	case o.rate > 0:
		p := newPace(s.worker, s, start)
		s.worker.paceMu.Lock()
		s.pace = p
		s.worker.paceMu.Unlock()
		for _, c := range s.clients {
			if c.slow {
				s.slowDown(c, 0)
			}
		}
	case o.scenario == negotiate:
		for _, c := range append([]*client(nil), s.senders...) {
			s.ask(c, s.worker.clock.now())
		}
	case o.scenario == echo:
		for _, c := range append([]*client(nil), s.senders...) {
			s.fill(c)
		}
	case o.scenario.fansOut():
		for _, c := range append([]*client(nil), s.senders...) {
			c.window = newWindow(o.outstanding, s.worker.clock.now())
			s.publishAhead(c)
		}
	}
}

// end makes no more calls; slow readers read on, to see what the server has done about them.
func (s *shard) end() {
	s.running = false
	if s.worker.opts.scenario == churn {
		for _, c := range slices.Clone(s.senders) { // those on hold
			c.leave(s.worker.opts.reset)
		}
	}
	if s.worker.opts.scenario == negotiate {
		s.until = min(s.until, s.worker.clock.now()) // an interrupted run
		s.negotiateDue()
	}
	for _, c := range s.clients {
		if c.slow && c.step == stepReady {
			c.stopTimer()
			c.conn.ResumeRead()
		}
	}
}

// latency records how long a message took that was due at at.
func (s *shard) latency(at int64) {
	if at >= s.from && at < s.until {
		s.tally.Latency.record(s.at - at)
	}
}

// gauge says how things stand.
func (s *shard) gauge() gauge { return gauge{Open: s.open} }

// faultCorrupt is a payload that is not what was sent, or one that another receiver should have got.
const faultCorrupt = "payload: not what was sent"

func (s *shard) corrupt(text []byte) {
	if text == nil {
		s.tally.Errors.add(faultCorrupt, "the payload is no string", 1)
		return
	}
	s.tally.Errors.add(faultCorrupt, excerpt(text), 1)
}

// judge checks a message against its stream and says whether it counts.
func (s *shard) judge(st *stream, seq int64) bool {
	if !s.worker.opts.check {
		st.next++
		return true
	}
	switch st.accept(seq) {
	case duplicate:
		s.tally.Duplicates++
		return false
	case overtaken:
		s.tally.Overtaken++
	}
	return true
}
