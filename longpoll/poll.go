package longpoll

import (
	"time"

	"github.com/spokehub/spoke/engine"
)

// Answer is that to a poll.
type Answer struct {
	Status int
	Data   bool            // 200 with the content type of data, also when there is none: the first poll; else the type is text/plain
	Frames []*engine.Frame // the body; whole frames, made without a header
}

// A Waiter is a poll. Its methods are called on the connection's loop, and must not block.
type Waiter interface {
	// Answer is called once.
	Answer(a Answer)
	// Leaving reports whether the answer is still on its way out: the poll has not ended, and the client cannot come with the next one. It must become false in the end.
	Leaving() bool
}

// Polled is a connection whose client polls. Loop only.
type Polled struct {
	conn
	waiter Waiter // the poll that waits; nil: none. Once it is answered, the last one, as long as its answer may be leaving
	out    []*engine.Frame
	tail   []byte  // written behind out, nobody else's; becomes a frame
	bytes  int     // of out and tail
	own    written // of these: written

	poll, gap uint32 // how long polls wait, and how long the client may be away; seconds
	changed   uint32 // when the present poll began, or the last one ended
	answered  bool   // the waiter is
	begun     bool   // the first poll has been answered
	posted    bool   // a flush is on its way
	over      bool   // over the outbound cap: the hub is owed OnDrain
	ended     bool   // the hub has ended it: the client hears the rest, then 204
	deleted   bool   // ... and nothing after that
	failed    bool   // ... 500
	reason    engine.CloseReason
	cause     error
}

// Begin starts the connection, before its first Poll. pollTimeout is how long a poll waits, gap how long the client may be away between two polls; both are kept to the second.
func (p *Polled) Begin(clock *Clock, recv Receiver, limits *Limits, pollTimeout, gap time.Duration) {
	p.conn = conn{loop: clock.loop, recv: recv, limits: limits, clock: clock, timed: p}
	p.poll, p.gap = seconds(pollTimeout), seconds(gap)
	p.changed = p.loop.Now()
	clock.add(&p.conn)
}

func seconds(d time.Duration) uint32 { return uint32(max(1, (d+time.Second-1)/time.Second)) }

// Poll is the client's next poll (wire contract, section 6). The one before it, if it still waits, is answered with 204.
func (p *Polled) Poll(w Waiter) {
	if p.closed {
		w.Answer(Answer{Status: 204})
		return
	}
	if p.waits() {
		p.answer(Answer{Status: 204})
	}
	p.changed = p.loop.Now()
	p.waiter, p.answered = w, false
	switch {
	case !p.begun:
		p.begun = true
		p.answer(Answer{Status: 200, Data: true})
	default:
		if (p.bytes > 0 || p.ended) && !p.posted { // soon, so that the end of a client that has gone already is seen before
			p.posted = p.loop.Post(p)
		}
	}
}

// waits reports whether a poll does.
func (p *Polled) waits() bool { return p.waiter != nil && !p.answered }

// answer ends the wait of the poll that waits.
func (p *Polled) answer(a Answer) {
	p.answered = true
	p.changed = p.loop.Now()
	p.waiter.Answer(a)
}

// Gone says that a poll's client has gone.
func (p *Polled) Gone(w Waiter) {
	if p.waiter == w && !p.answered {
		p.waiter = nil
		p.changed = p.loop.Now()
	}
}

// Send sends a shared frame without a header.
func (p *Polled) Send(f *engine.Frame) {
	if !p.admit() {
		return
	}
	p.cut()
	p.out = append(p.out, f)
	p.bytes += f.Len()
	p.added()
}

// Write sends records, copied.
func (p *Polled) Write(records []byte) {
	if !p.admit() {
		return
	}
	p.tail = append(p.tail, records...)
	p.bytes += len(records)
	p.own.count(len(records), 1, p.limits)
	p.added()
}

// admit says that more may be added; over the hard limits the connection ends instead.
func (p *Polled) admit() bool {
	if p.ended || p.closed {
		return false
	}
	err := p.limits.overflow(p.bytes, p.own, len(p.out))
	if err != nil {
		p.close(engine.OutboundOverflow, err)
	}
	return err == nil
}

// cut makes a frame of what was written.
func (p *Polled) cut() {
	if len(p.tail) > 0 {
		p.out = append(p.out, engine.NewFrame(p.tail, 0))
		p.tail = nil
	}
}

// added has the waiting poll answered once the loop has done what it is at, so that what belongs together travels together.
func (p *Polled) added() {
	p.over = p.over || p.bytes > p.limits.Outbound
	if p.waits() && !p.posted {
		p.posted = p.loop.Post(p)
	}
}

// Run implements engine.Task.
func (p *Polled) Run(*engine.Loop) {
	p.posted = false
	switch {
	case p.closed:
	case p.ended:
		p.finish()
	default:
		p.flush()
	}
}

// flush answers the waiting poll with all there is.
func (p *Polled) flush() {
	if !p.waits() || p.bytes == 0 || p.closed {
		return
	}
	p.cut()
	frames := p.out
	p.out, p.bytes, p.own = nil, 0, written{}
	p.answer(Answer{Status: 200, Data: true, Frames: frames})
	if p.ended && p.deleted {
		p.close(p.reason, p.cause)
		return
	}
	if p.over {
		p.over = false
		if !p.ended {
			p.recv.OnDrain()
		}
	}
}

// Room says that what can wait may be written.
func (p *Polled) Room() bool { return p.bytes <= p.limits.Outbound }

// End lets the client have what was written; the poll after that is answered with 204, and then the connection is gone.
func (p *Polled) End(r engine.CloseReason, err error) {
	if p.ended || p.closed {
		return
	}
	p.ended, p.reason, p.cause = true, r, err
	p.hubAt = 0
	if p.clock.closed {
		p.close(r, err)
		return
	}
	p.finish()
}

// Fail is End for a fault of ours: 500 in place of 204.
func (p *Polled) Fail(err error) {
	p.failed = p.failed || !p.ended
	p.End(engine.InternalError, err)
}

// Delete says that the client wants no more than what the hub says at its end, which the caller brings about now.
func (p *Polled) Delete() {
	p.deleted = true
	if p.ended && !p.closed {
		p.finish()
	}
}

// finish goes on with the end as far as it can.
func (p *Polled) finish() {
	switch {
	case p.waits() && p.bytes > 0:
		p.flush()
	case p.waits() || p.deleted:
		p.close(p.reason, p.cause)
	}
}

// linger is how many seconds a client has for the poll that tells it of the end, once it has all that was said. A server that stops gives it stopLinger: most clients have believed the Close
// and send a DELETE; but one that polls first, as the Java client does, would find nobody there, and take that for the end of its calls.
const (
	linger     = 5
	stopLinger = 1
)

// due looks at the times. That of a client that is away begins when it has its answer, which may take long if it is large.
func (p *Polled) due(now uint32) {
	if p.waiter != nil && p.answered {
		if p.waiter.Leaving() {
			p.changed = now
		} else {
			p.waiter = nil
		}
	}
	switch {
	case p.waits():
		if now-p.changed > p.poll {
			p.answer(Answer{Status: 200})
		}
	case now-p.changed <= p.patience():
	case p.ended:
		p.close(p.reason, p.cause)
	default:
		p.close(engine.KeepAliveTimeout, nil)
	}
}

// patience is how many seconds the client may be away now.
func (p *Polled) patience() uint32 {
	switch told, stops := p.ended && p.bytes == 0, p.ended && p.reason == engine.Shutdown; {
	case told && stops:
		return min(p.gap, stopLinger)
	case told || stops:
		return min(p.gap, linger)
	}
	return p.gap
}

// close ends the connection at once.
func (p *Polled) close(r engine.CloseReason, err error) {
	if p.closed {
		return
	}
	p.out, p.tail = nil, nil
	p.bytes, p.own = 0, written{}
	if p.waits() {
		status := 204
		if p.failed {
			status = 500
		}
		p.answer(Answer{Status: status})
	}
	p.waiter = nil
	p.end(r, err)
}

// Close ends the connection from outside: a waiting poll is answered with 204.
func (p *Polled) Close(r engine.CloseReason, err error) { p.close(r, err) }
