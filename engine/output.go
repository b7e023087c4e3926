package engine

import (
	"fmt"
	"syscall"
)

const (
	vectorMax   = 64        // pieces per writev
	vectorBytes = 256 << 10 // bytes per writev
	flushAt     = 64 << 10  // so many bytes do not wait for the end of the iteration
	flushBudget = 1 << 20   // bytes per connection and iteration
)

// Send queues a pointer to a shared frame; it leaves at the end of the iteration at the latest, in order with Write. After
// Close it does nothing.
func (c *Conn) Send(f *Frame) {
	if c.flags&(flagDead|flagClosing) != 0 || len(f.buf) == 0 {
		return
	}
	l := c.loop
	if c.out == nil && c.frame == nil { // the common case of a broadcast: eight bytes, and no queue
		c.frame = f
		l.markDirty(c)
		return
	}
	o := l.queue(c)
	if !c.admit(o) {
		return
	}
	o.push(piece{frame: f}, len(f.buf))
	c.queued(o)
}

// Write copies p to the connection's outgoing tail; it leaves at the end of the iteration, joined with its neighbours. After
// Close it does nothing.
func (c *Conn) Write(p []byte) { c.WriteMessage(nil, p) }

// WriteMessage is Write for a message in two parts: a transport's header and its payload. More can be added to the message as long as it waits: see LastMessage.
func (c *Conn) WriteMessage(header, payload []byte) {
	if c.flags&(flagDead|flagClosing) != 0 || len(header)+len(payload) == 0 {
		return
	}
	o := c.loop.queue(c)
	if !c.admit(o) {
		return
	}
	n := len(header) + len(payload)
	c.append(o, header, n)
	c.append(o, payload, 0)
	if t := o.tail(); len(header) > 0 && n <= len(t.b) { // not in two buffers
		o.message = int32(len(t.b)-n) + 1
	}
	c.queued(o)
}

// tailSize is the size of the first buffer of copied output: several small replies of one iteration fit into it, so that they leave with
// one write(2) instead of a writev (seen in the profile of loadgen echo -depth 8).
const tailSize = 1 << 10

// append adds p to the tail of copied bytes. If that takes a new buffer, it is one for n bytes, of which p is the beginning.
func (c *Conn) append(o *outQueue, p []byte, n int) {
	o.message = 0
	if t := o.tail(); t != nil {
		k := min(len(p), cap(t.b)-len(t.b))
		t.b = append(t.b, p[:k]...)
		o.bytes += k
		p = p[k:]
	}
	if len(p) > 0 {
		b := c.loop.buffers.get(max(len(p), n, tailSize))
		b.b = append(b.b, p...)
		o.charge(cap(b.b), 1, &c.loop.engine.cfg)
		o.push(piece{own: b}, len(p))
	}
}

// Buffered is the number of bytes waiting to go out.
func (c *Conn) Buffered() int {
	switch {
	case c.out != nil:
		return c.out.bytes
	case c.frame != nil:
		return len(c.frame.buf)
	}
	return 0
}

// Over reports that the connection is over its outbound cap: so many bytes wait behind the piece that is being written, or half of what OwnedMax or FramesMax
// allow, or they have not yet fallen to half of that since they did. Then the handler is owed OnDrain, unless the connection ends first; so who produces bytes for it can stop here and go on there.
func (c *Conn) Over() bool { return c.flags&flagOver != 0 }

// A copy that takes more than a part of OwnedMax does not count for it, or the next ping would cut off who is taking a large message. Of such copies so many may wait when another piece
// comes: one that is being written, which takes its time, and one that was made when there was room behind it.
const (
	largePart = 4
	largeMax  = 2
)

// large says that a buffer of copied bytes is one of those.
func (cfg *Config) large(size int) bool { return size > cfg.OwnedMax/largePart }

// admit checks the hard caps before a piece is added: at most the cap and one piece wait.
func (c *Conn) admit(o *outQueue) bool {
	cfg := &c.loop.engine.cfg
	switch {
	case o.bytes > cfg.OutboundMax:
		c.Reset(OutboundOverflow, fmt.Errorf("engine: %d bytes wait to go out, at most %d may", o.bytes, cfg.OutboundMax))
	case o.large > largeMax:
		c.Reset(OutboundOverflow, fmt.Errorf("engine: %d pieces of the connection's own of more than %d bytes each wait to go out, at most %d may", o.large, cfg.OwnedMax/largePart, largeMax))
	case o.owned > cfg.OwnedMax:
		c.Reset(OutboundOverflow, fmt.Errorf("engine: %d bytes of the connection's own wait to go out, at most %d may", o.owned, cfg.OwnedMax))
	case o.len() >= cfg.FramesMax:
		c.Reset(OutboundOverflow, fmt.Errorf("engine: %d frames wait to go out, at most %d may", o.len(), cfg.FramesMax))
	default:
		return true
	}
	return false
}

// queued arranges for what was added to leave, and looks at the soft cap.
func (c *Conn) queued(o *outQueue) {
	l := c.loop
	if c.flags&flagBlocked == 0 {
		l.markDirty(c)
		if o.bytes >= flushAt || l.crowds(o, 2) {
			l.flush(c)
		}
	}
	if c.out != nil { // also when the flush has only spent its budget: who sees Buffered over the cap is owed OnDrain
		l.overCap(c, c.out)
	}
}

// overCap starts the send timeout when the connection is over the outbound cap.
func (l *Loop) overCap(c *Conn, o *outQueue) {
	if c.flags&(flagOver|flagDead|flagClosing) != 0 || o.beyond() <= l.engine.cfg.Outbound && !l.crowds(o, 2) {
		return
	}
	c.flags |= flagOver
	o.progress = l.now
	o.stalled = int32(len(l.stalled))
	l.stalled = append(l.stalled, c)
}

// crowds reports that behind the piece that is being written a queue has more than a part of what the hard caps allow of buffers or of pieces, however few bytes they
// hold: a small copy between frames takes a buffer of tailSize.
func (l *Loop) crowds(o *outQueue, part int) bool {
	cfg := &l.engine.cfg
	if o.len() > cfg.FramesMax/part {
		return true
	}
	limit := cfg.OwnedMax / part
	if o.owned <= limit {
		return false
	}
	first := o.pieces[o.head].own
	return first == nil || cfg.large(cap(first.b)) || o.owned-cap(first.b) > limit
}

// unstall takes c off the list of those over the cap.
func (l *Loop) unstall(c *Conn) {
	o := c.out
	if o == nil || o.stalled < 0 {
		return
	}
	last := len(l.stalled) - 1
	m := l.stalled[last]
	l.stalled[o.stalled] = m
	m.out.stalled = o.stalled
	l.stalled[last] = nil
	l.stalled = l.stalled[:last]
	o.stalled = -1
}

// runStalled resets the connections that are over the outbound cap and take nothing. Once a second.
func (l *Loop) runStalled() {
	limit := seconds(l.engine.cfg.SendTimeout)
	for i := len(l.stalled) - 1; i >= 0; i-- { // backwards: a reset takes the connection out
		c := l.stalled[i]
		if l.now-c.out.progress >= limit {
			c.Reset(SendTimeout, fmt.Errorf("engine: the peer has taken nothing for %v while %d bytes wait", l.engine.cfg.SendTimeout, c.out.bytes))
		}
	}
}

// markDirty puts c on the list of those that are flushed at the end of the iteration.
func (l *Loop) markDirty(c *Conn) {
	if c.flags&(flagDirty|flagBlocked) == 0 {
		c.flags |= flagDirty
		l.append(&l.dirty, c)
	}
}

// chain is a list of connections that is linked through their slots: a list of pointers would keep the memory for as many as there once were, as after
// a broadcast to all. A connection is on one chain at most.
type chain struct{ first, last int32 } // slots from 1; 0: empty

func (l *Loop) append(list *chain, c *Conn) {
	number := c.slot + 1
	if list.first == 0 {
		list.first = number
	} else {
		l.slab.conn(list.last - 1).next = number
	}
	c.next, list.last = 0, number
}

// runFlush writes what the iteration has queued: one write per connection. What is queued meanwhile waits for the next.
func (l *Loop) runFlush() {
	list := l.dirty
	l.dirty = chain{}
	for number := list.first; number != 0; {
		c := l.slab.conn(number - 1)
		number = c.next // before c can get onto the next list
		c.verify("dirty list")
		c.flags &^= flagDirty
		if c.flags&(flagDead|flagBlocked) == 0 {
			l.flush(c)
			l.drained(c)
		}
	}
}

// flush writes what waits until nothing does, the kernel takes no more, or the budget is spent.
func (l *Loop) flush(c *Conn) {
	c.verify("flush")
	if c.flags&flagTLS != 0 && !l.flushSealed(c) {
		return
	}
	if f := c.frame; f != nil { // one whole frame and no queue
		var n int
		var e syscall.Errno
		if c.flags&flagTLS == 0 { // here and not in transmit, which would be a call more for each recipient
			n, e = l.drv.write(c, f.buf)
		} else {
			n, e = l.transmitSealed(c, f.buf)
		}
		if e == 0 && n == len(f.buf) {
			c.frame = nil
			l.bytesOut += int64(n)
			if c.flags&flagClosing != 0 {
				l.finishClose(c)
			}
			return
		}
		o := l.queue(c)
		if !l.wrote(c, o, n, e) {
			return
		}
	}
	budget := flushBudget
	for c.out != nil {
		n, e := l.writeQueue(c, c.out)
		if !l.wrote(c, c.out, n, e) {
			return
		}
		if budget -= n; budget <= 0 && c.out != nil {
			l.markDirty(c)
			return
		}
	}
	if c.flags&flagClosing != 0 {
		l.finishClose(c)
	}
}

// writeQueue hands the front of the queue to the kernel with one call.
func (l *Loop) writeQueue(c *Conn, o *outQueue) (int, syscall.Errno) {
	if o.len() == 1 {
		return l.transmit(c, o.pieces[o.head].bytes()[o.off:])
	}
	if b := l.joined(o); b != nil {
		return l.transmit(c, b)
	}
	v := l.vector[:0]
	off, sum := o.off, 0
	for _, p := range o.pieces[o.head:] {
		b := p.bytes()[off:]
		off = 0
		v = append(v, b)
		if sum += len(b); len(v) == vectorMax || sum >= vectorBytes {
			break
		}
	}
	n, e := l.transmitAll(c, v)
	clear(v)
	return n, e
}

const (
	joinMax   = 16 << 10 // bytes that are copied together for one write(2)
	joinPiece = 1 << 10  // average size of pieces up to which copying them is cheaper than a writev
)

// joined is the front of a queue of several small pieces in one place; nil when it is better not copied. Sixteen frames of 70 bytes are copied sooner
// than the kernel gathers them (broadcasts with 16 outstanding: 0.68 against 0.54 µs of CPU a delivery, medians of three). The bytes are void after
// the next call.
func (l *Loop) joined(o *outQueue) []byte {
	if o.bytes > joinPiece*o.len() {
		return nil
	}
	b, off := l.joinBuffer(), o.off
	for _, p := range o.pieces[o.head:] {
		next := p.bytes()[off:]
		if off = 0; len(b)+len(next) > cap(b) {
			break
		}
		b = append(b, next...)
	}
	if len(b) < min(o.bytes, joinMax/2) {
		return nil // a large piece among the small ones
	}
	return b
}

func (l *Loop) joinBuffer() []byte {
	if l.join == nil {
		l.join = make([]byte, 0, joinMax)
	}
	return l.join[:0]
}

// wrote accounts for a write; false: the kernel takes no more, or the connection has ended.
func (l *Loop) wrote(c *Conn, o *outQueue, n int, e syscall.Errno) bool {
	switch {
	case e == 0:
		l.bytesOut += int64(n)
		o.progress = l.now
		if o.advance(n, &l.buffers, &l.engine.cfg); o.bytes == 0 {
			l.unstall(c)
			l.dropOutput(c)
		}
		return true // even after a short write: only EAGAIN promises an event
	case e == syscall.EAGAIN:
		c.flags |= flagBlocked
		l.overCap(c, o)
	case e == syscall.EPROTO && c.flags&flagTLS != 0:
		c.kill(TLSError, l.sealed[c.slot].failed, false)
	case lost(e):
		c.kill(PeerReset, e, false)
	default:
		c.kill(IOError, e, false)
	}
	return false
}

// drained tells the handler, once, that a queue which was over the cap has gone down to half of it.
func (l *Loop) drained(c *Conn) {
	if c.flags&flagOver == 0 || c.flags&(flagDead|flagClosing) != 0 {
		return
	}
	if c.out != nil {
		if c.out.beyond() > l.engine.cfg.Outbound/2 || l.crowds(c.out, 4) {
			return
		}
		l.unstall(c)
	}
	c.flags &^= flagOver
	l.callDrain(c)
}
