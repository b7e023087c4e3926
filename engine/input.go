package engine

import (
	"fmt"
	"syscall"
)

// spareMin is the least room that a read behind kept bytes is given.
const spareMin = 128

// PauseRead stops reading, so that TCP slows the peer. Inside OnData the bytes that are not consumed stay, and nothing more is
// shown before ResumeRead. Pausing does not nest, and costs no system call.
func (c *Conn) PauseRead() {
	if c.flags&(flagPaused|flagDead|flagClosing) != 0 {
		return
	}
	c.flags |= flagPaused
	c.loop.counters.pauses.Add(1)
}

// ResumeRead shows what was left, in the same iteration, and reads on.
func (c *Conn) ResumeRead() {
	if c.flags&flagPaused == 0 || c.flags&(flagDead|flagClosing) != 0 {
		return
	}
	c.flags &^= flagPaused
	c.showAgain()
}

// showAgain has the handler shown what was left. Inside OnData the caller of OnData does it.
func (c *Conn) showAgain() {
	if c.flags&flagInData != 0 {
		c.flags |= flagReshow
		return
	}
	c.loop.queueAgain(c)
}

func (l *Loop) queueAgain(c *Conn) {
	if c.flags&(flagInAgain|flagDead) == 0 {
		c.flags |= flagInAgain
		l.again = append(l.again, c)
	}
}

// runAgain shows what was left to handlers that have been resumed or have taken over, then reads on: an edge that came during
// the pause is gone. What is put on the list meanwhile waits for the next iteration, so that no handler can hold the loop.
func (l *Loop) runAgain() {
	if len(l.again) == 0 {
		return
	}
	list := l.again
	l.again, l.spare2 = l.spare2[:0], nil
	for i, c := range list {
		list[i] = nil
		c.verify("again list")
		c.flags &^= flagInAgain
		if c.flags&(flagDead|flagPaused|flagClosing) != 0 {
			continue
		}
		if c.in != nil {
			l.show(c, nil)
		}
		if c.flags&flagEOF != 0 {
			c.tellEOF()
			continue
		}
		l.read(c)
	}
	l.spare2 = list[:0]
}

// read reads what the kernel has, up to the budget, and shows it.
func (l *Loop) read(c *Conn) { l.readUpTo(c, readBudget) }

// readUpTo is read with a part of the budget.
func (l *Loop) readUpTo(c *Conn, budget int) {
	c.verify("read")
	for c.flags&flagDead == 0 {
		if budget <= 0 {
			l.later(c)
			return
		}
		if c.flags&flagClosing != 0 {
			l.discard(c, budget)
			return
		}
		if c.flags&flagPaused != 0 {
			if c.flags&flagErr != 0 { // a dead connection is not kept for the sake of bytes that nobody wants now
				c.kill(PeerReset, syscall.ECONNRESET, false)
			}
			return // ResumeRead reads, whatever events come meanwhile
		}
		if c.flags&flagEOF != 0 {
			c.over()
			return
		}
		p := l.readBuf
		if c.in != nil && c.flags&flagTLS == 0 {
			p = l.room(c)
		}
		var n int
		var e syscall.Errno
		if c.flags&flagTLS == 0 {
			n, e = l.drv.read(c, p)
		} else {
			n, e = l.receiveSealed(c, p)
		}
		if e != 0 {
			l.readFailed(c, e)
			return
		}
		if n == 0 {
			l.ended(c)
			return
		}
		l.bytesIn += int64(n)
		switch {
		case c.in == nil:
			l.show(c, p[:n])
		case c.flags&flagTLS != 0:
			l.keepInput(c, p[:n])
			l.show(c, nil)
		default:
			c.in.b = c.in.b[:len(c.in.b)+n]
			l.show(c, nil)
		}
		if !l.hasMore(c, n, len(p)) {
			return // a short read: the kernel has no more, and an event comes with more
		}
		budget -= n
	}
}

// ended handles the end of the peer's direction.
func (l *Loop) ended(c *Conn) {
	c.flags |= flagEOF
	c.tellEOF()
	if c.flags&flagClosing == 0 {
		c.over()
	}
}

// readFailed handles a read's error; EAGAIN is none.
func (l *Loop) readFailed(c *Conn, e syscall.Errno) {
	switch s := l.sealedConn(c); {
	case e == syscall.EAGAIN:
		c.over()
	case s != nil && s.failed != nil:
		c.kill(TLSError, s.failed, false)
	case lost(e):
		c.kill(PeerReset, e, false)
	default:
		c.kill(IOError, e, false)
	}
}

// room is the free part of the kept bytes' buffer, which grows by a class when little is left.
func (l *Loop) room(c *Conn) []byte {
	b := l.growInput(c, spareMin)
	p := b.b[len(b.b):cap(b.b)]
	return p[:min(len(p), readBudget)]
}

// keepInput adds p to the kept bytes.
func (l *Loop) keepInput(c *Conn, p []byte) {
	b := l.growInput(c, len(p))
	b.b = append(b.b, p...)
}

// growInput is the kept bytes' buffer, with room for at least n more.
func (l *Loop) growInput(c *Conn, n int) *buffer {
	b := c.in
	if cap(b.b)-len(b.b) < n {
		c.in = l.buffers.get(max(2*cap(b.b), len(b.b)+n))
		c.in.b = append(c.in.b, b.b...)
		l.buffers.put(b)
	}
	return c.in
}

// show gives the handler p, or what was kept when p is nil, and keeps what it leaves.
func (l *Loop) show(c *Conn, p []byte) {
	kept := p == nil
	if kept {
		p = c.in.b
	}
	for {
		h := c.handler
		c.flags = c.flags&^flagReshow | flagInData
		n := l.callData(c, p)
		c.flags &^= flagInData
		if poisonFreed && uint(n) <= uint(len(p)) {
			spoil(p[:n])
		}
		if c.flags&(flagDead|flagClosing) != 0 {
			l.dropInput(c)
			return
		}
		if uint(n) > uint(len(p)) {
			c.Reset(InternalError, fmt.Errorf("engine: OnData of %T says that it has consumed %d of %d bytes", h, n, len(p)))
			l.dropInput(c)
			return
		}
		p = p[n:]
		if c.flags&flagReshow == 0 || c.flags&flagPaused != 0 {
			break
		}
		if n == 0 && c.handler == h { // no progress: not in a circle here, but once in the next round
			c.flags &^= flagReshow
			l.queueAgain(c)
			break
		}
		if len(p) == 0 {
			break
		}
	}
	switch {
	case len(p) == 0:
		l.dropInput(c)
	case len(p) > l.engine.cfg.InputMax:
		c.Reset(InputOverflow, fmt.Errorf("engine: %T leaves %d bytes unconsumed, at most %d are kept", c.handler, len(p), l.engine.cfg.InputMax))
		l.dropInput(c)
	case kept:
		c.in.b = c.in.b[:copy(c.in.b, p)]
	default:
		c.in = l.buffers.get(len(p) + spareMin)
		c.in.b = append(c.in.b, p...)
	}
}

// dropInput gives the buffer of kept bytes back; not inside OnData, which may be looking at it.
func (l *Loop) dropInput(c *Conn) {
	if c.in != nil && c.flags&flagInData == 0 {
		l.buffers.put(c.in)
		c.in = nil
	}
}

// tellEOF calls OnEOF once, when everything before has been shown.
func (c *Conn) tellEOF() {
	if c.flags&(flagEOFTold|flagPaused|flagDead|flagClosing) == 0 {
		c.flags |= flagEOFTold
		c.loop.callEOF(c)
	}
}

// discard reads and forgets, after Close, until the peer's FIN.
func (l *Loop) discard(c *Conn, budget int) {
	for c.flags&(flagDead|flagEOF) == 0 {
		n, e := l.drv.read(c, l.readBuf)
		switch {
		case e == syscall.EAGAIN:
			c.over()
			return
		case e != 0:
			c.kill(c.reason, nil, false)
			return
		case n == 0:
			c.flags |= flagEOF
			if c.flags&flagFinSent != 0 {
				c.kill(c.reason, nil, false)
			}
			return
		}
		l.bytesIn += int64(n)
		if n < len(l.readBuf) && c.flags&flagEnd == 0 {
			return
		}
		if budget -= n; budget <= 0 {
			l.later(c)
			return
		}
	}
	c.over()
}

// over ends a connection of which there is nothing left to read, when the kernel has announced that there is no writing either.
// The peer of a unix socket that closes ends both directions in the ordinary way; TCP says so after our own FIN only.
func (c *Conn) over() {
	switch {
	case c.flags&flagErr != 0:
		c.kill(PeerReset, syscall.ECONNRESET, false)
	case c.flags&flagHup != 0:
		c.kill(PeerClosed, nil, false)
	}
}
