package engine

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// ErrClosed is the answer of a connection that has gone.
var ErrClosed = errors.New("engine: the connection is closed")

// ErrNotPlain is the answer of Attach to a connection that it cannot move into the loops. Bridge can.
var ErrNotPlain = errors.New("only *net.TCPConn and *net.UnixConn can be taken, and what Detach has returned; not what else wraps them (TLS)")

var errHandshaking = errors.New("engine: detach: the connection is in its TLS handshake; it can leave when that has succeeded")

// Attach moves a plain TCP or unix connection into the loops (with the memory backend: an end of Pipe). prefix holds bytes
// already read from it, which are shown first; it is copied. open runs on the loop that gets it. After a nil error nc must not
// be used; after an error it is as it was. A connection that Detach has returned is taken with what it has not given out yet.
// Deadlines set on nc end. Any goroutine.
func (e *Engine) Attach(nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	return e.attach(e.pick(), nc, prefix, open)
}

// Attach is Engine.Attach for this loop. Any goroutine but those of the loops.
func (l *Loop) Attach(nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	return l.engine.attach(l, nc, prefix, open)
}

func (e *Engine) attach(to *Loop, nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	if e.stopping.Load() {
		return fmt.Errorf("engine: attach: %w", ErrStopped)
	}
	given := nc
	prefix = append([]byte(nil), prefix...)
	if d, ok := nc.(*detachedTLS); ok {
		nc = d.detached
	}
	if d, ok := nc.(*detached); ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.unsent) > 0 {
			return fmt.Errorf("engine: attach: %d bytes of a detached connection wait to go out; write or read it once before", len(d.unsent))
		}
		prefix = append(prefix, d.prefix...)
		nc = d.Conn
	}
	if s, raw := sealedOf(nc); s != nil {
		if n := s.waits(); n > 0 {
			return fmt.Errorf("engine: attach: %d bytes of a detached connection wait to go out; write or read it once before", n)
		}
		nc, open = raw, s.reopen(open)
	}
	s, release, err := e.take(nc)
	if err != nil {
		return fmt.Errorf("engine: attach %T: %w", given, err)
	}
	if err := e.post(to, s, prefix, open); err != nil {
		release(false)
		return err
	}
	release(true)
	return nil
}

// Detach takes the connection out of the engine and returns it as a net.Conn, for blocking use by its new owner. Its Read first
// gives prefix (copied), then what the engine has kept of bytes that OnData left, then what is in the socket. Inside OnData
// the engine adds nothing: what is not consumed must be in prefix, and what OnData then returns is ignored. Queued bytes that
// the kernel does not take at once go out before the first Read or Write of the new owner. OnClose is not called. After an
// error the connection is as it was.
//
// Of a connection that speaks TLS it is a *tls.Conn, or, when bytes are under way, one that has the method ConnectionState too. Both can be given to Attach.
func (c *Conn) Detach(prefix []byte) (net.Conn, error) {
	if c.flags&(flagDead|flagClosing) != 0 {
		return nil, fmt.Errorf("engine: detach: %w", ErrClosed)
	}
	if h, ok := c.handler.(*handshake); ok && h.step != succeeded {
		return nil, errHandshaking
	}
	l := c.loop
	l.settle(c)
	l.flush(c)
	if c.flags&flagDead != 0 {
		return nil, fmt.Errorf("engine: detach: %w", ErrClosed)
	}
	var unsent []byte
	if n := c.Buffered(); n > 0 {
		unsent = c.appendQueue(make([]byte, 0, n))
	}
	nc, unread, err := l.drv.detach(c)
	if err != nil {
		return nil, fmt.Errorf("engine: detach: %w", err)
	}
	s := l.sealedConn(c)
	if s != nil {
		s.leave(nc, unread)
		unsent, unread = unsent[s.owed:], nil
		nc = s.tc
	}
	prefix = append([]byte(nil), prefix...)
	if c.in != nil && c.flags&flagInData == 0 {
		prefix = append(prefix, c.in.b...)
	}
	prefix = append(prefix, unread...)
	c.reason = Detached
	c.flags |= flagTold
	c.bury()
	if len(prefix) > 0 || len(unsent) > 0 || s != nil && s.waits() > 0 {
		d := &detached{Conn: nc, prefix: prefix, unsent: unsent}
		if nc = d; s != nil {
			nc = &detachedTLS{d, s}
		}
	}
	return nc, nil
}

// detached is a connection that has left the loops with bytes under way.
type detached struct {
	net.Conn
	mu     sync.Mutex
	prefix []byte // under mu: read, not given out
	unsent []byte // under mu: written, not gone
}

func (d *detached) send() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.unsent) == 0 {
		return nil
	}
	n, err := d.Conn.Write(d.unsent)
	d.unsent = d.unsent[n:]
	return err
}

// Read implements net.Conn.
func (d *detached) Read(p []byte) (int, error) {
	if err := d.send(); err != nil {
		return 0, err
	}
	d.mu.Lock()
	if len(d.prefix) > 0 {
		n := copy(p, d.prefix)
		if d.prefix = d.prefix[n:]; len(d.prefix) == 0 {
			d.prefix = nil
		}
		d.mu.Unlock()
		return n, nil
	}
	d.mu.Unlock()
	return d.Conn.Read(p)
}

// Write implements net.Conn.
func (d *detached) Write(p []byte) (int, error) {
	if err := d.send(); err != nil {
		return 0, err
	}
	return d.Conn.Write(p)
}

// CloseWrite ends the direction to the peer.
func (d *detached) CloseWrite() error {
	if err := d.send(); err != nil {
		return err
	}
	if w, ok := d.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return fmt.Errorf("engine: half-close: %w", errors.ErrUnsupported)
}
