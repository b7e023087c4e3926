package engine

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// sealed is what a connection has that speaks TLS. It stands between the loop and the driver: receiveSealed and transmit are what the driver's read and write are for a
// plain connection, and keep their contract, so that everything above is the same. The records are those of crypto/tls, whose Conn is given a net.Conn that never
// blocks: the sealed itself. Its Read says errAgain when there are no more bytes for now, which leaves the tls.Conn as it was, with half a record kept; its Write
// takes everything, into a buffer of the loop.
//
// Reading: what the kernel has is read into a buffer of the loop and given to the tls.Conn until nothing is left of it, one record at a time. So an idle
// connection keeps no bytes but half a record, in its tls.Conn.
//
// Writing: the bytes in the queue are plain, and shared, until their record is made, of 16 KiB at most. If the kernel does not take all of it, the rest is kept in
// unsent, and the plain bytes stay in the queue as if nothing of them had left: transmit answers EAGAIN, and when the rest has left, its next call takes them
// off. So all that looks at the queue (its caps, the send timeout, the end of Close) sees what has not left.
type sealed struct { // in the handshake its loop or its goroutine; then loop; detached: its reader, but for out
	tc  *tls.Conn
	cut cut // how far the tls.Conn is in its records

	during *handshake // not nil: in its handshake
	loop   *Loop      // not nil: on its loop
	raw    net.Conn   // not nil: detached

	source   []byte // records to be opened; in the loop's buffer, so empty between calls
	kept     []byte // the same, of the connection's own, as what came together with the end of the handshake
	ends     bool   // the peer has ended its direction of TCP
	carry    bool   // the tls.Conn may have more without being given anything
	dry      bool   // the kernel has no more
	notified bool   // close_notify has been written
	failed   error  // what was wrong with the records; io.EOF: the peer's close_notify
	errno    syscall.Errno

	unsent *buffer // the rest of a record that the kernel has not taken, and what was written behind it
	off    int     // bytes of it that have left
	owed   int     // plain bytes at the front of the queue that are in it

	mu  sync.Mutex
	out []byte // under mu: what unsent was when it was detached
}

const (
	recordPlain = 16 << 10             // bytes in a record: RFC 8446, 5.1
	sealedRead  = readBudget - 20<<10  // with half a record in the tls.Conn they open to less than readBudget
	unsentMax   = recordPlain + 48<<10 // bytes: a record, and answers to key updates of a peer that does not read
)

// errAgain says that there are no bytes for now. That it is temporary has the tls.Conn keep what it has of a record and go on at the next Read.
var errAgain net.Error = again{}

type again struct{}

func (again) Error() string   { return "engine: no bytes for now" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// newSealed makes the TLS side of a connection for its handshake.
func newSealed(h *handshake) *sealed {
	s := &sealed{during: h}
	s.tc = tls.Server(s, h.by.cfg.Config)
	return s
}

// sealedConn is what c has for TLS; nil when it is plain or has gone.
func (l *Loop) sealedConn(c *Conn) *sealed {
	if c.flags&flagTLS == 0 || int(c.slot) >= len(l.sealed) {
		return nil
	}
	return l.sealed[c.slot]
}

// setSealed makes c a connection that speaks TLS.
func (l *Loop) setSealed(c *Conn, s *sealed) {
	if need := len(l.slab.pages) << pageBits; len(l.sealed) < need {
		l.sealed = append(l.sealed, make([]*sealed, need-len(l.sealed))...)
	}
	if l.sealedIn == nil {
		l.sealedIn = make([]byte, sealedRead)
		l.sealedOut = make([]byte, 0, recordPlain+2<<10)
	}
	l.sealed[c.slot] = s
	c.flags |= flagTLS
	s.loop = l
}

// dropSealed ends that.
func (l *Loop) dropSealed(c *Conn) {
	s := l.sealedConn(c)
	if s == nil {
		return
	}
	l.sealed[c.slot] = nil
	s.loop = nil
	if s.unsent != nil {
		l.buffers.put(s.unsent)
	}
	s.unsent, s.off, s.owed = nil, 0, 0 // it may come back
}

// encrypt goes over from the handshake, of which in has come already: from now on c's handler sees what is in the records. What is queued is records of the
// handshake. false: the connection has ended.
func (l *Loop) encrypt(c *Conn, s *sealed, in []byte) bool {
	l.flush(c)
	if c.flags&(flagDead|flagClosing) != 0 {
		return false
	}
	s.during = nil
	s.kept = in
	if n := c.Buffered(); n > 0 {
		s.unsent = l.buffers.get(n)
		s.unsent.b = c.appendQueue(s.unsent.b)
		l.bytesOut += int64(n) // it was taken off beforehand, and is not counted when it leaves
		l.unstall(c)
		l.dropOutput(c)
		c.flags &^= flagOver
	}
	l.setSealed(c, s)
	s.dropBuffers()
	return true
}

// appendQueue adds what waits to go out to b.
func (c *Conn) appendQueue(b []byte) []byte {
	switch o := c.out; {
	case o != nil:
		off := o.off
		for _, p := range o.pieces[o.head:] {
			b = append(b, p.bytes()[off:]...)
			off = 0
		}
	case c.frame != nil:
		b = append(b, c.frame.buf...)
	}
	return b
}

// receiveSealed is driver.read of a connection that speaks TLS. p must be of readBudget bytes, and who wants to know if there is more asks hasMore.
func (l *Loop) receiveSealed(c *Conn, p []byte) (int, syscall.Errno) {
	s := l.sealed[c.slot]
	for {
		if s.carry || len(s.source) > 0 {
			n := s.open(c, p)
			if c.flags&flagDead != 0 {
				return 0, syscall.ECONNRESET // by answer: there is nothing left to read from
			}
			if n > 0 {
				return n, 0
			}
		}
		switch {
		case s.failed == io.EOF: //nolint:errorlint // as crypto/tls returns it
			return 0, 0
		case s.failed != nil:
			return 0, syscall.EPROTO
		case s.errno != 0:
			return 0, s.errno
		}
		if l.fetch(c, s); s.dry && len(s.source) == 0 {
			return 0, syscall.EAGAIN
		}
	}
}

// hasMore reports that there may be more to receive after n bytes that went where there was room for so many.
func (l *Loop) hasMore(c *Conn, n, room int) bool {
	if c.flags&flagTLS == 0 {
		return n == room || c.flags&flagEnd != 0
	}
	return l.hasMoreSealed(c)
}

func (l *Loop) hasMoreSealed(c *Conn) bool {
	s := l.sealedConn(c)
	return s != nil && (!s.dry || s.carry || s.failed != nil || s.errno != 0 || len(s.kept) > 0)
}

// fetch gets records to be opened.
func (l *Loop) fetch(c *Conn, s *sealed) {
	s.dry = false
	if len(s.kept) > 0 {
		n := min(len(s.kept), sealedRead)
		if s.source, s.kept = s.kept[:n], s.kept[n:]; len(s.kept) == 0 {
			s.kept = nil
		}
		return
	}
	n, e := l.drv.read(c, l.sealedIn)
	switch {
	case e == syscall.EAGAIN:
		s.dry = true
	case e != 0:
		s.errno = e
	case n == 0:
		s.ends, s.carry = true, true
	default:
		s.source = l.sealedIn[:n]
		s.dry = n < len(l.sealedIn) && c.flags&flagEnd == 0
	}
}

// open opens the records of source into p and returns how many bytes they had in all.
func (s *sealed) open(c *Conn, p []byte) int {
	n := 0
	s.carry = false
	s.borrow()
	for {
		if n == len(p) { // not while p has readBudget
			s.carry = true
			break
		}
		k, err := s.tc.Read(p[n:])
		n += k
		if err != nil {
			if err != errAgain { //nolint:errorlint // it is ours, and comes as it is
				s.failed = err
			}
			break
		}
		if len(s.source) == 0 && n < len(p) && !s.ends && s.cut.atEnd() {
			break // it would only say errAgain
		}
	}
	if len(s.source) > 0 && s.failed == nil {
		s.kept = append(append([]byte(nil), s.source...), s.kept...)
	}
	s.source = nil
	s.giveBack()
	if len(s.loop.sealedOut) > 0 {
		s.answer(c)
	}
	return n
}

// answer sends what crypto/tls has written while it read: an alert, or its part of a key update.
func (s *sealed) answer(c *Conn) {
	l := s.loop
	if s.unsent == nil {
		if s.push(c, 0) == syscall.EAGAIN {
			c.flags |= flagBlocked
		}
		return // another error is the next read's
	}
	s.keep(l.sealedOut)
	l.sealedOut = l.sealedOut[:0]
	if n := len(s.unsent.b) - s.off; n > unsentMax {
		c.Reset(OutboundOverflow, fmt.Errorf("engine: %d bytes of TLS records wait to go out, at most %d may", n, unsentMax))
	}
}

// keep adds records to those that wait for the kernel.
func (s *sealed) keep(b []byte) {
	free := &s.loop.buffers
	switch u := s.unsent; {
	case u == nil:
		s.unsent = free.get(len(b))
	case cap(u.b)-len(u.b) < len(b):
		s.unsent = free.get(len(u.b) - s.off + len(b))
		s.unsent.b = append(s.unsent.b, u.b[s.off:]...)
		s.off = 0
		free.put(u)
	}
	s.unsent.b = append(s.unsent.b, b...)
}

// push writes the records that crypto/tls has made of so many bytes at the front of the queue. EAGAIN: the kernel has not taken all, the rest is kept.
func (s *sealed) push(c *Conn, plain int) syscall.Errno {
	l := s.loop
	b := l.sealedOut
	l.sealedOut = b[:0]
	for len(b) > 0 {
		n, e := l.drv.write(c, b)
		if n > 0 && c.out != nil {
			c.out.progress = l.now
		}
		if e == syscall.EAGAIN {
			s.keep(b)
			s.owed += plain
			return e
		}
		if e != 0 {
			return e
		}
		b = b[n:]
	}
	return 0
}

// drain writes what the kernel has not taken before.
func (s *sealed) drain(c *Conn) syscall.Errno {
	l := s.loop
	for s.unsent != nil {
		n, e := l.drv.write(c, s.unsent.b[s.off:])
		if e != 0 {
			return e
		}
		if n > 0 && c.out != nil {
			c.out.progress = l.now
		}
		if s.off += n; s.off == len(s.unsent.b) {
			l.buffers.put(s.unsent)
			s.unsent, s.off = nil, 0
		}
	}
	return 0
}

// flushSealed writes what is left of records; true when nothing is. It comes before each transmit.
func (l *Loop) flushSealed(c *Conn) bool {
	s := l.sealedConn(c)
	if s == nil {
		return true
	}
	switch e := s.drain(c); {
	case e == 0:
		return true
	case e == syscall.EAGAIN:
		c.flags |= flagBlocked
		if c.out != nil {
			l.overCap(c, c.out)
		}
	case lost(e):
		c.kill(PeerReset, e, false)
	default:
		c.kill(IOError, e, false)
	}
	return false
}

// transmit writes like driver.write; of a connection that speaks TLS, what it has written may be more than p: bytes of the queue's front, of which p is the beginning.
func (l *Loop) transmit(c *Conn, p []byte) (int, syscall.Errno) {
	if c.flags&flagTLS == 0 {
		return l.drv.write(c, p)
	}
	return l.transmitSealed(c, p)
}

func (l *Loop) transmitSealed(c *Conn, p []byte) (int, syscall.Errno) {
	s := l.sealed[c.slot]
	if n := s.owed; n > 0 {
		s.owed = 0
		return n, 0
	}
	p = p[:min(len(p), recordPlain)]
	if _, err := s.tc.Write(p); err != nil {
		s.failed = err
		return 0, syscall.EPROTO
	}
	if e := s.push(c, len(p)); e != 0 {
		if o := c.out; o != nil {
			o.message = 0 // what is in a record must not change
		}
		return 0, e
	}
	return len(p), 0
}

// transmitAll writes like driver.writev, with the same difference: the pieces share records.
func (l *Loop) transmitAll(c *Conn, v [][]byte) (int, syscall.Errno) {
	if c.flags&flagTLS == 0 {
		return l.drv.writev(c, v)
	}
	if len(v[0]) >= recordPlain/2 {
		return l.transmit(c, v[0])
	}
	b := l.joinBuffer()
	for _, p := range v {
		n := min(len(p), recordPlain-len(b))
		if b = append(b, p[:n]...); len(b) == recordPlain {
			break
		}
	}
	return l.transmit(c, b)
}

// notify writes close_notify, once, when no other record waits; true when the kernel has it, or nothing can be written any more.
func (l *Loop) notify(c *Conn) bool {
	s := l.sealedConn(c)
	if s == nil {
		return true
	}
	if !s.notified {
		if s.unsent != nil {
			return false
		}
		s.notified = true
		if s.tc.CloseWrite() != nil || s.push(c, 0) != syscall.EAGAIN {
			return true // an alert has been the last word, or the peer has gone
		}
		c.flags |= flagBlocked
	}
	return s.unsent == nil
}

// Read implements net.Conn, for the tls.Conn.
func (s *sealed) Read(p []byte) (int, error) {
	switch {
	case s.during != nil:
		return s.during.read(p)
	case s.raw != nil:
		return s.readRaw(p)
	case len(s.source) > 0:
		n := copy(p, s.source[:s.cut.next(s.source, len(p))])
		s.source = s.source[n:]
		return n, nil
	case s.ends:
		return 0, io.EOF
	}
	return 0, errAgain
}

// Write implements net.Conn, for the tls.Conn.
func (s *sealed) Write(p []byte) (int, error) {
	switch {
	case s.during != nil:
		return s.during.write(p)
	case s.raw != nil:
		return s.writeRaw(p)
	case s.loop == nil:
		return 0, net.ErrClosed
	}
	s.loop.sealedOut = append(s.loop.sealedOut, p...)
	return len(p), nil
}

// Close implements net.Conn.
func (s *sealed) Close() error {
	if s.raw == nil {
		return nil // the engine does that
	}
	return s.raw.Close()
}

// LocalAddr implements net.Conn. On the loops nobody asks, and nothing is kept for it.
func (s *sealed) LocalAddr() net.Addr {
	switch {
	case s.during != nil:
		return s.during.local
	case s.raw != nil:
		return s.raw.LocalAddr()
	}
	return nil
}

// RemoteAddr implements net.Conn.
func (s *sealed) RemoteAddr() net.Addr {
	switch {
	case s.during != nil:
		return s.during.remote
	case s.raw != nil:
		return s.raw.RemoteAddr()
	}
	return nil
}

// SetDeadline implements net.Conn. On the loops there are the engine's.
func (s *sealed) SetDeadline(t time.Time) error {
	if s.raw == nil {
		return nil
	}
	return s.raw.SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (s *sealed) SetReadDeadline(t time.Time) error {
	if s.raw == nil {
		return nil
	}
	return s.raw.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (s *sealed) SetWriteDeadline(t time.Time) error {
	if s.raw == nil {
		return nil
	}
	return s.raw.SetWriteDeadline(t)
}

// cut finds the ends of the records in a stream, so that crypto/tls is given no more than one at a time.
type cut struct {
	header [recordHeader]byte
	have   uint8 // bytes of the header
	rest   int   // bytes of the record that are still to come
}

// next is how many bytes of p, at most room, belong to the present record.
func (c *cut) next(p []byte, room int) int {
	p = p[:min(len(p), room)]
	n := 0
	if c.rest == 0 {
		n = copy(c.header[c.have:], p)
		if c.have += uint8(n); c.have < recordHeader {
			return n
		}
		c.have, c.rest = 0, recordLen(c.header[:])
	}
	k := min(len(p)-n, c.rest)
	c.rest -= k
	return n + k
}

// atEnd reports that no record is incomplete.
func (c *cut) atEnd() bool { return c.have == 0 && c.rest == 0 }

// wanted is how many bytes of the present record, or of its header, are still to come.
func (c *cut) wanted() int {
	if c.rest > 0 {
		return c.rest
	}
	return recordHeader - int(c.have)
}
