package engine

import (
	"net"
	"net/netip"
)

// Conn is one connection. Loop only: its methods may be called inside a Handler's method, a Task or a timer of its loop, and it
// must not be used after OnClose (keep a Ref instead).
//
// An idle one costs 88 bytes and four of deadline: no buffer, no timer, no goroutine, no place in a list.
type Conn struct { // loop, but for loop and slot
	handler Handler
	loop    *Loop     // constant
	out     *outQueue // nil unless more waits than one whole frame
	frame   *Frame    // the only thing that waits, nothing of it written; out is nil then
	in      *buffer   // nil unless the handler has left bytes
	fd      int32
	slot    int32  // constant
	gen     uint32 // 0: the slot is free
	flags   connFlags
	next    int32    // in Loop.dirty: the slot of the next, from 1; 0: the last
	ip      [16]byte // of the peer; see setRemote
	port    uint16   // of the peer
	reason  CloseReason
}

// rareConn is what few connections have. // loop
type rareConn struct {
	err    error          // what Close was given
	remote netip.AddrPort // with an IPv6 zone
}

type connFlags uint32

const (
	flagDead    connFlags = 1 << iota // the descriptor has gone
	flagClosing                       // Close was called: flush, FIN, wait for the peer's
	flagFinSent                       // our direction has ended
	flagEnd                           // the kernel has announced the end: read until it shows
	flagHup                           // the kernel has announced the end of both directions
	flagErr                           // the kernel has announced an error
	flagEOF                           // read has shown the end
	flagEOFTold                       // the handler knows
	flagPaused
	flagBlocked  // the kernel takes no more; an event will come
	flagOver     // over the outbound cap: the handler is owed OnDrain
	flagInData   // inside OnData: the bytes that were left are in use
	flagReshow   // inside OnData: show the rest again, something has changed
	flagInReady  // in Loop.ready
	flagInAgain  // in Loop.again
	flagDirty    // in Loop.dirty
	flagTold     // OnClose has run, or must not
	flagFreed    // test builds: the slot is free
	flagRemote4  // ip is an IPv4 address
	flagRemote6  // ip is an IPv6 address
	flagRare     // Loop.rare has something of it
	flagTLS      // Loop.sealed has its TLS side
	flagGathered // in Loop.gathered

	flagListed = flagInReady | flagInAgain | flagDirty
)

// Loop is the connection's loop, for life.
func (c *Conn) Loop() *Loop { return c.loop }

// Ref names the connection for other goroutines and for later.
func (c *Conn) Ref() Ref { return Ref{c, c.gen} }

// Handler is the present handler.
func (c *Conn) Handler() Handler { return c.handler }

// SetHandler gives the connection to another handler, which is shown what the old one has left. Inside OnData that is at once,
// after OnData has returned what it has consumed.
func (c *Conn) SetHandler(h Handler) {
	if c.flags&flagDead != 0 && c.flags&flagTold != 0 {
		return
	}
	c.handler = h
	c.flags &^= flagEOFTold
	c.showAgain()
}

// Remote is the peer's address; zero for unix sockets and memory.
func (c *Conn) Remote() netip.AddrPort {
	switch {
	case c.flags&flagRemote4 != 0:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(c.ip[12:])), c.port)
	case c.flags&flagRemote6 != 0:
		return netip.AddrPortFrom(netip.AddrFrom16(c.ip), c.port)
	}
	return c.loop.rare[c].remote
}

// setRemote keeps the peer's address in 18 bytes, and without the pointer that a netip.AddrPort has.
func (c *Conn) setRemote(a netip.AddrPort) {
	ip := a.Addr()
	switch {
	case ip.Zone() != "":
		c.setRare(func(r *rareConn) { r.remote = a })
		return
	case ip.Is4():
		c.flags |= flagRemote4
	case ip.Is6():
		c.flags |= flagRemote6
	default:
		return
	}
	c.ip, c.port = ip.As16(), a.Port()
}

// setRare changes what the connection has in Loop.rare.
func (c *Conn) setRare(f func(r *rareConn)) {
	l := c.loop
	if l.rare == nil {
		l.rare = make(map[*Conn]rareConn)
	}
	r := l.rare[c]
	f(&r)
	l.rare[c] = r
	c.flags |= flagRare
}

// dropRare ends that.
func (c *Conn) dropRare() {
	if c.flags&flagRare == 0 {
		return
	}
	l := c.loop
	c.flags &^= flagRare
	if delete(l.rare, c); len(l.rare) == 0 {
		l.rare = nil // a map never shrinks
	}
}

// Local is our address; nil once the connection has gone. It asks the kernel.
func (c *Conn) Local() net.Addr {
	if c.flags&flagDead != 0 {
		return nil
	}
	return c.loop.drv.local(c)
}

// Closed reports that Close, Reset or Detach was called or that the connection has gone: nothing is read or queued any more.
func (c *Conn) Closed() bool { return c.flags&(flagDead|flagClosing) != 0 }

// SetDeadline sets the second (of Loop.Now) at which OnDeadline runs; 0 clears it. One per connection; costs a store. A second
// that has passed runs at the next. After Close there is none.
func (c *Conn) SetDeadline(at uint32) {
	if c.flags&(flagDead|flagClosing) == 0 {
		c.loop.deadlines[c.slot] = at
	}
}

// Ref names a connection on any goroutine; it stays valid, and names nobody once the connection is gone. Comparable; the
// zero Ref names nobody and has no loop.
type Ref struct {
	c   *Conn
	gen uint32
}

// Loop is the connection's loop. Any goroutine.
func (r Ref) Loop() *Loop {
	if r.c == nil {
		return nil
	}
	return r.c.loop
}

// Conn is the connection, or nil when it is gone. On its loop only.
func (r Ref) Conn() *Conn {
	if r.c == nil || r.c.gen != r.gen || r.c.flags&flagDead != 0 {
		return nil
	}
	return r.c
}
