package main

import (
	"fmt"
	"time"

	"github.com/spokehub/spoke/engine"
)

// asking is what a shard needs to negotiate. // loop
type asking struct {
	under int64 // calls under way
	cut   int64 // calls whose connection has ended before the answer
	turn  int   // of the senders
	alike alike
	shape shape
}

// awaitCalls makes a connection ready that is there for negotiate alone.
func (c *client) awaitCalls() {
	c.step, c.again = stepReady, false
	if s := c.silenceSeconds(); s > 0 {
		c.conn.SetDeadline(c.heard + s)
	}
	c.shard.ready(c)
}

func (c *client) silenceSeconds() uint32 {
	if c.worker.opts.silence == 0 {
		return 0
	}
	return max(1, uint32(c.worker.opts.silence.Seconds()))
}

// lookForAnswer ends a connection on which a call has waited too long.
func (c *client) lookForAnswer(now uint32) {
	silence := c.worker.opts.silence
	if c.asked && c.worker.clock.now()-c.due >= int64(silence) {
		c.fail("the server is silent", fmt.Sprintf("a call had no answer within %v", silence))
		return
	}
	c.conn.SetDeadline(now + max(1, c.silenceSeconds()/4))
}

// comeAgain ends a connection in good order and has another take its place.
func (c *client) comeAgain(r engine.CloseReason) {
	c.step, c.again = stepLeaving, true
	c.shard.retire(c)
	c.conn.Close(r, nil)
}

// onNegotiation handles the answer to a call.
func (c *client) onNegotiation(p []byte) int {
	s := c.shard
	a, n, err := s.asking.alike.parse(p)
	switch {
	case err != nil:
		c.fail("negotiate: not HTTP", err.Error())
		return 0
	case n == 0:
		return 0
	case !c.asked:
		c.fail("negotiate: an answer to nothing", "the server sent an answer that no call was under way for: "+statusText(a))
		return n
	case a.status < 200: // the answer comes after it (RFC 9110, section 15.2)
		return n
	}
	c.asked = false
	s.asking.under--
	s.judgeAnswer(&a, c.due)
	if a.close {
		c.comeAgain(engine.ResponseEnd)
		return n
	}
	s.askNext(c)
	return n
}

// judgeAnswer counts the answer to a call that was due at at.
func (s *shard) judgeAnswer(a *answer, at int64) {
	bad := &s.tally.Errors
	if a.status != 200 {
		bad.add(fmt.Sprintf("negotiate: HTTP %d", a.status), statusText(*a), 1)
		return
	}
	token, kind, err := s.asking.shape.token(a.body)
	if err != nil {
		bad.add(kind, err.Error(), 1)
		return
	}
	s.tally.Answered++
	s.latency(at)
	if s.worker.opts.check {
		s.tally.Tokens = append(s.tally.Tokens, hashToken(token))
	}
}

// ask makes a call, which was due at at.
func (s *shard) ask(c *client, at int64) {
	c.asked, c.due = true, at
	s.asking.under++
	s.tally.Sent++
	c.write(s.worker.negotiation(c.number))
}

// askNext makes the next call on a connection that is free: at once in a closed loop; in an open one the oldest that waits for a
// connection, if one does.
func (s *shard) askNext(c *client) {
	if s.worker.opts.rate == 0 {
		if s.running {
			s.ask(c, s.worker.clock.now())
		}
		return
	}
	if at, ok := s.takeDue(); ok {
		s.ask(c, at)
	}
}

// waitMost is how long a call of the open loop may wait for a connection that is free.
const waitMost = time.Second

// takeDue takes the oldest call of the open loop that is due and not made: one of the shard's own, or else one that another shard has
// no connection for. Those that waited too long count as not made.
func (s *shard) takeDue() (at int64, ok bool) {
	w := s.worker
	w.paceMu.Lock()
	defer w.paceMu.Unlock()
	now := w.clock.now()
	for i := range w.shards {
		p := &w.shards[(s.index+i)%len(w.shards)].pace
		for p.waits(now, s.until) {
			at = p.due(p.done)
			p.done++
			if now-at < int64(waitMost) {
				return at, true
			}
			s.tally.Errors.add("not sent: all connections are busy", fmt.Sprintf("a call was due and no connection was free for it within %v; raise -n, or the server is too slow for this rate", waitMost), 1)
		}
	}
	return 0, false
}

// waits says that a call is due and not made.
func (p *pace) waits(now, until int64) bool {
	if p.gap == 0 {
		return false
	}
	at := p.due(p.done)
	return at <= now && at < until
}

// negotiateDue makes the calls that are due, as long as there are connections for them. How late they are is the client's doing only
// if a connection was free.
func (s *shard) negotiateDue() {
	for s.asking.under < int64(len(s.senders)) {
		at, ok := s.takeDue()
		if !ok {
			return
		}
		if at >= s.from {
			s.tally.Lag.record(s.worker.clock.now() - at)
		}
		s.ask(s.free(), at)
	}
}

// free is the next connection on which no call is under way. There is one.
func (s *shard) free() *client {
	for {
		s.asking.turn++
		if c := s.senders[s.asking.turn%len(s.senders)]; !c.asked {
			return c
		}
	}
}

// waiting is the number of the shard's calls of the open loop that are due and not made.
func (s *shard) waiting() int64 {
	s.worker.paceMu.Lock()
	p := s.pace
	s.worker.paceMu.Unlock()
	now := s.worker.clock.now()
	n := int64(0)
	for ; p.waits(now, s.until); p.done++ {
		n++
	}
	return n
}

// unanswered are the calls without an answer: of connections that live, and of those that have ended.
func (s *shard) unanswered() (living, ended int64) {
	return s.asking.under + s.waiting(), s.asking.cut
}

// readyToAsk takes in a connection.
func (s *shard) readyToAsk(c *client) {
	c.place = int32(len(s.senders))
	s.senders = append(s.senders, c)
	if !c.settled {
		c.settled = true
		s.worker.settled(true)
	}
	s.askNext(c)
}

// askAgain has another connection take the place of one that has ended, when that is no error of the server: it may end a connection
// that is idle, or after any answer.
func (s *shard) askAgain(c *client, failed bool) {
	w := s.worker
	switch {
	case !c.settled:
		c.settled = true
		w.settled(false)
	case !c.again:
	default:
		next := w.newClient(int(c.number)) // not c: its successor may live on another loop
		next.settled, next.again = true, true
		if failed {
			s.loop.AfterFunc(retryAfter, func() { w.connect(next, w.clock.now()) })
			return
		}
		w.connect(next, w.clock.now())
	}
}
