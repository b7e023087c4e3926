package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeBuffer is how much each direction of a memory connection holds, like a socket's buffers: a writer that is not read waits.
const pipeBuffer = 64 << 10

// Pipe makes a connection in memory that behaves like TCP: bounded buffers, half-close, reset. Either end may be given to an
// engine of the memory backend with Attach.
func Pipe() (a, b *MemoryConn) {
	p := &pipe{}
	p.cond.L = &p.mu
	a = &MemoryConn{p: p}
	b = &MemoryConn{p: p, side: 1}
	p.ends = [2]*MemoryConn{a, b}
	return a, b
}

// pipe is both directions of a memory connection.
type pipe struct {
	mu   sync.Mutex
	cond sync.Cond      // under mu: something has changed
	flow [2]flow        // under mu; by the side that writes
	ends [2]*MemoryConn // constant
}

// flow is one direction.
type flow struct {
	b        []byte // what waits is behind off
	off      int
	fin      bool // no more is written
	reset    bool // the writer has reset the connection
	gone     bool // the reader has closed: what is written now meets a reset
	wantRoom bool // the writer was told that there is no room
}

// flowKeep is the most room that a direction keeps when nothing waits in it.
const flowKeep = 4 << 10

func (f *flow) waiting() int { return len(f.b) - f.off }

// take moves out what there is room for.
func (f *flow) take(p []byte) int {
	n := copy(p, f.b[f.off:])
	if f.off += n; f.off == len(f.b) {
		f.b, f.off = f.b[:0], 0
		if cap(f.b) > flowKeep {
			f.b = nil
		}
	}
	return n
}

func (f *flow) put(p []byte) {
	if f.off > 0 && len(f.b)+len(p) > cap(f.b) { // before it grows: what has been read makes room
		f.b, f.off = f.b[:copy(f.b, f.b[f.off:])], 0
	}
	f.b = append(f.b, p...)
}

func (f *flow) drop() { f.b, f.off = nil, 0 }

// MemoryConn is one end of a memory connection, a net.Conn. Reads and writes that cannot go on wait; deadlines work. Any goroutine.
type MemoryConn struct {
	p    *pipe
	side int // 0 or 1; writes flow[side], reads flow[1-side]

	// Under p.mu.
	closed     bool
	readUntil  time.Time
	writeUntil time.Time
	readTimer  *time.Timer
	writeTimer *time.Timer
	driver     *memory // the loop's driver when an engine has this end
	slot       int32
	gen        uint32
}

func (c *MemoryConn) in() *flow         { return &c.p.flow[1-c.side] }
func (c *MemoryConn) out() *flow        { return &c.p.flow[c.side] }
func (c *MemoryConn) peer() *MemoryConn { return c.p.ends[1-c.side] }

// tell says to this end that something has become ready for it. Under mu.
func (c *MemoryConn) tell(bits readiness) {
	c.p.cond.Broadcast()
	if c.driver != nil {
		c.driver.report(c.slot, c.gen, bits)
	}
}

// readNow reads what there is. Under mu.
func (c *MemoryConn) readNow(p []byte) (int, syscall.Errno) {
	f := c.in()
	if f.waiting() > 0 {
		if len(p) == 0 {
			return 0, 0
		}
		n := f.take(p)
		if f.wantRoom {
			f.wantRoom = false
			c.peer().tell(readyOut)
		}
		return n, 0
	}
	switch {
	case f.reset:
		return 0, syscall.ECONNRESET
	case f.fin:
		return 0, 0
	}
	return 0, syscall.EAGAIN
}

// writeNow writes what there is room for. Under mu.
func (c *MemoryConn) writeNow(p []byte) (int, syscall.Errno) {
	f := c.out()
	switch {
	case c.in().reset:
		return 0, syscall.ECONNRESET
	case f.fin, f.gone:
		return 0, syscall.EPIPE
	}
	n := min(len(p), pipeBuffer-f.waiting())
	if n == 0 && len(p) > 0 {
		f.wantRoom = true
		return 0, syscall.EAGAIN
	}
	f.put(p[:n])
	if n > 0 {
		c.peer().tell(readyIn)
	}
	return n, 0
}

// closeNow gives the end back. Like a socket's, a close with unread bytes is a reset. Under mu.
func (c *MemoryConn) closeNow(reset bool) {
	if c.closed {
		return
	}
	c.closed = true
	in, out := c.in(), c.out()
	reset = reset || in.waiting() > 0
	in.drop()
	in.gone = true
	bits := readyIn | readyOut | readyEnd
	if reset {
		out.reset = true
		bits |= readyHup | readyErr
	} else if in.fin { // both directions have ended
		bits |= readyHup
	}
	out.fin = true
	c.peer().tell(bits)
	c.p.cond.Broadcast()
}

// Read implements net.Conn. After the peer's close it gives io.EOF, after its reset an error that is syscall.ECONNRESET.
func (c *MemoryConn) Read(p []byte) (int, error) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	for {
		if err := c.usable(c.readUntil); err != nil {
			return 0, c.fail("read", err)
		}
		n, e := c.readNow(p)
		switch {
		case e == syscall.EAGAIN:
			c.p.cond.Wait()
		case e != 0:
			return 0, c.fail("read", e)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write implements net.Conn.
func (c *MemoryConn) Write(p []byte) (int, error) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	sum := 0
	for {
		if err := c.usable(c.writeUntil); err != nil {
			return sum, c.fail("write", err)
		}
		n, e := c.writeNow(p[sum:])
		sum += n
		switch {
		case e == syscall.EAGAIN:
			c.p.cond.Wait()
		case e != 0:
			return sum, c.fail("write", e)
		case sum == len(p):
			return sum, nil
		}
	}
}

func (c *MemoryConn) usable(until time.Time) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.driver != nil:
		return errors.New("this end belongs to an engine")
	case !until.IsZero() && !time.Now().Before(until):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *MemoryConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: backendMemory, Addr: memoryAddr{}, Err: err}
}

// Close implements net.Conn.
func (c *MemoryConn) Close() error { return c.end(false) }

// Reset closes with a reset: the peer's next read and write fail, and what it has not read yet may be lost.
func (c *MemoryConn) Reset() error { return c.end(true) }

func (c *MemoryConn) end(reset bool) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed || c.driver != nil {
		return c.fail("close", net.ErrClosed)
	}
	c.closeNow(reset)
	c.until(&c.readUntil, &c.readTimer, time.Time{})
	c.until(&c.writeUntil, &c.writeTimer, time.Time{})
	return nil
}

// CloseWrite ends the direction to the peer, which reads io.EOF behind what was written.
func (c *MemoryConn) CloseWrite() error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.finishNow()
	return nil
}

// finishNow ends the outgoing direction. Under mu.
func (c *MemoryConn) finishNow() {
	if f := c.out(); !f.fin {
		f.fin = true
		bits := readyIn | readyEnd
		if c.in().fin {
			bits |= readyHup
		}
		c.peer().tell(bits)
		if c.in().fin && c.driver != nil {
			c.driver.report(c.slot, c.gen, readyHup)
		}
	}
}

// LocalAddr implements net.Conn.
func (c *MemoryConn) LocalAddr() net.Addr { return memoryAddr{} }

// RemoteAddr implements net.Conn.
func (c *MemoryConn) RemoteAddr() net.Addr { return memoryAddr{} }

// SetDeadline implements net.Conn.
func (c *MemoryConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *MemoryConn) SetReadDeadline(t time.Time) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed {
		return c.fail("set deadline", net.ErrClosed)
	}
	c.until(&c.readUntil, &c.readTimer, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *MemoryConn) SetWriteDeadline(t time.Time) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed {
		return c.fail("set deadline", net.ErrClosed)
	}
	c.until(&c.writeUntil, &c.writeTimer, t)
	return nil
}

// until sets a deadline; waiting calls look at it again. Under mu.
func (c *MemoryConn) until(at *time.Time, timer **time.Timer, t time.Time) {
	*at = t
	if *timer != nil {
		(*timer).Stop()
		*timer = nil
	}
	if !t.IsZero() {
		*timer = time.AfterFunc(time.Until(t), func() {
			c.p.mu.Lock()
			defer c.p.mu.Unlock()
			c.p.cond.Broadcast()
		})
	}
	c.p.cond.Broadcast()
}

// waitGone returns when the other end has been closed, not only ended its direction, or at the given time, or with this end.
func (c *MemoryConn) waitGone(until time.Time) {
	if c.SetReadDeadline(until) != nil {
		return
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	for !c.out().gone && !c.in().reset && c.usable(c.readUntil) == nil {
		c.p.cond.Wait()
	}
}

// The rest is the loop's side: memoryPeer.

func (c *MemoryConn) start(d *memory, slot int32, gen uint32) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.driver, c.slot, c.gen = d, slot, gen
	if d == nil {
		return
	}
	// What came before has no event any more.
	var bits readiness
	f := c.in()
	if f.waiting() > 0 {
		bits |= readyIn
	}
	if f.fin {
		bits |= readyIn | readyEnd
	}
	if f.fin && c.out().fin {
		bits |= readyHup
	}
	if f.reset {
		bits |= readyIn | readyEnd | readyHup | readyErr
	}
	if bits != 0 {
		d.report(slot, gen, bits)
	}
}

func (c *MemoryConn) read(p []byte) (int, syscall.Errno) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.readNow(p)
}

func (c *MemoryConn) write(p []byte) (int, syscall.Errno) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.writeNow(p)
}

func (c *MemoryConn) finish() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.finishNow()
}

func (c *MemoryConn) close(reset bool) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.closeNow(reset)
}

func (c *MemoryConn) conn() net.Conn { return c }

// takeMemory prepares an end for an engine.
func takeMemory(nc net.Conn) (socket, error) {
	c, ok := nc.(*MemoryConn)
	if !ok {
		return socket{}, fmt.Errorf("the memory backend takes *engine.MemoryConn only (see Pipe)")
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed || c.driver != nil {
		return socket{}, net.ErrClosed
	}
	c.until(&c.readUntil, &c.readTimer, time.Time{})
	c.until(&c.writeUntil, &c.writeTimer, time.Time{})
	return socket{fd: -1, peer: c}, nil
}
