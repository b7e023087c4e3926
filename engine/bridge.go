package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// bridgeSmall is the buffer that each direction of a bridge keeps; one that has more to carry takes bridgeLarge, the size of a TLS record, from a pool for as long.
	bridgeSmall = 2 << 10
	bridgeLarge = 16 << 10
	// bridgeHolds is how much the kernel may hold of what a bridge has read for a loop that does not take it.
	bridgeHolds = 64 << 10
)

var bridgeBuffers = sync.Pool{New: func() any { return new([bridgeLarge]byte) }}

// Bridge serves a connection that Attach cannot take, such as a *tls.Conn of a net/http server, on the loops: two goroutines carry its bytes to and from one that a loop
// has. It costs that, 4 KiB of buffers, and two descriptors, besides what the connection itself is made of; each message is copied twice more. All else is as with Attach: either
// side feels it when the other does not read, Config.SendTimeout acts, and Conn.Remote is that of nc. A write to nc may take SendTimeout and two seconds for each 16 KiB. Any goroutine.
func (e *Engine) Bridge(nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	return e.bridge(e.pick(), nc, prefix, open)
}

// Bridge is Engine.Bridge for this loop. Any goroutine but those of the loops.
func (l *Loop) Bridge(nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	return l.engine.bridge(l, nc, prefix, open)
}

// bridge is both ends of one. // constant
type bridge struct {
	engine *Engine
	outer  net.Conn // the peer's
	inner  net.Conn // the loop has the other end of it
}

func (e *Engine) bridge(to *Loop, nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("engine: bridge %T: %w", nc, err)
	}
	near, far, err := e.pair()
	if err != nil {
		return fmt.Errorf("engine: bridge %T: %w", nc, err)
	}
	b := &bridge{engine: e, outer: nc, inner: far}
	if !e.enter(b) {
		_, _ = near.Close(), far.Close()
		return fmt.Errorf("engine: bridge: %w", ErrStopped)
	}
	if s, ok := far.(interface{ SetWriteBuffer(n int) error }); ok {
		_ = s.SetWriteBuffer(bridgeHolds) // else it holds what the kernel likes
	}
	remote := remoteAddress(nc)
	if err := e.attach(to, near, prefix, func(c *Conn) Handler {
		c.setRemote(remote)
		return open(c)
	}); err != nil {
		_, _ = near.Close(), far.Close()
		e.leave(b)
		return err
	}
	go b.run()
	return nil
}

// pair makes a connection of which one end can be attached.
func (e *Engine) pair() (near, far net.Conn, err error) {
	if e.cfg.Backend == backendMemory {
		a, b := Pipe()
		return a, b, nil
	}
	return bootPair()
}

// enter puts b on the books, which keep Shutdown waiting; false: the engine has stopped.
func (e *Engine) enter(b *bridge) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping.Load() {
		return false
	}
	if e.bridges == nil {
		e.bridges = make(map[*bridge]struct{})
	}
	e.bridges[b] = struct{}{}
	e.running.Add(1)
	return true
}

func (e *Engine) leave(b *bridge) {
	e.mu.Lock()
	delete(e.bridges, b)
	e.mu.Unlock()
	e.running.Done()
}

// cutBridges ends what waits for peers, when Shutdown's time is over. The loops' ends have been reset.
func (e *Engine) cutBridges() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for b := range e.bridges {
		go func() { _ = b.outer.Close() }() // it may wait for a moment, to say goodbye
	}
}

// run carries bytes until both ends have gone.
func (b *bridge) run() {
	defer b.engine.leave(b)
	var in sync.WaitGroup
	in.Go(b.carryIn)
	b.carryOut()
	in.Wait()
}

// carryIn carries what the peer sends. Its end is the loop's OnEOF; what breaks it off breaks the loop's connection off. A loop that has stopped reading holds it up, which the
// peer feels.
func (b *bridge) carryIn() {
	switch from, to := carry(b.inner, b.outer, nil); {
	case to != nil: // the loop's end has gone; what it has sent last may still be on its way out
	case from != nil || closeWrite(b.inner) != nil:
		_ = b.inner.Close()
	}
}

// carryOut carries what the loop sends, and ends both ends when the loop's has gone.
func (b *bridge) carryOut() {
	patience := b.engine.cfg.SendTimeout + 2*time.Second // so that the loop, whose times are in seconds, acts first and has its own reason
	from, to := carry(b.outer, b.inner, func() error { return b.outer.SetWriteDeadline(time.Now().Add(patience)) })
	if from == nil && to == nil && closeWrite(b.outer) == nil {
		// The loop has ended its direction, or its connection. In the first case it waits for the end of the peer, for Config.Linger and a second at most.
		waitGone(b.inner, time.Now().Add(b.engine.cfg.Linger+2*time.Second))
	} else if t, ok := b.outer.(interface{ NetConn() net.Conn }); ok {
		_ = t.NetConn().Close() // TLS would say that this is an end in good order, and wait to say it
	}
	_ = b.outer.Close()
	_ = b.inner.Close()
}

// carry copies until the end of from, which is no error. before runs before each write. The error is that of one side.
func carry(to, from net.Conn, before func() error) (fromErr, toErr error) {
	small := make([]byte, bridgeSmall)
	p := small
	var large *[bridgeLarge]byte
	defer func() {
		if large != nil {
			bridgeBuffers.Put(large)
		}
	}()
	for {
		n, err := from.Read(p)
		if n > 0 {
			if before != nil {
				if err := before(); err != nil {
					return nil, err
				}
			}
			if _, err := to.Write(p[:n]); err != nil {
				return nil, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return err, nil
		case n == len(p) && large == nil:
			large = bridgeBuffers.Get().(*[bridgeLarge]byte)
			p = large[:]
		case n < bridgeSmall && large != nil: // not kept while nothing comes
			bridgeBuffers.Put(large)
			large, p = nil, small
		}
	}
}

func closeWrite(nc net.Conn) error {
	if w, ok := nc.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// remoteAddress is the peer's address, if it has one with a port.
func remoteAddress(nc net.Conn) netip.AddrPort {
	a, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
