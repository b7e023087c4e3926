package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/panjf2000/gnet/v2"
)

// On Windows gnet is a goroutine per connection that reads, and a channel to its loop; see stream.

// gnetStream is what gnet has instead of the connection.
type gnetStream struct{ stream *stream }

// roomWatch: a stream reports for itself.
type roomWatch struct{}

func (*roomWatch) start(*gnetDriver) error { return nil }
func (*roomWatch) stop()                   {}

// bootPair returns both ends of a connection.
func bootPair() (ours, theirs net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = ln.Close() }()
	if theirs, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	if ours, err = ln.Accept(); err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// enroll has gnet's loop take nc, under a stream. It waits for the loop.
func (d *gnetDriver) enroll(nc net.Conn, a *arrival) error {
	if a.boot != nil {
		_, err := d.client.EnrollContext(nc, a)
		return err
	}
	a.stream = newStream(nc, func(bits readiness) {
		d.reports.add(a.slot, a.gen, bits) // nothing is written before OnOpen has set them
		d.loop.wakeUp()
	})
	done, err := d.el.Enroll(gnet.NewContext(context.Background(), a), a.stream)
	if err != nil {
		_ = nc.Close()
		return err
	}
	if r := <-done; r.Err != nil {
		_ = nc.Close()
		return r.Err
	}
	if !a.opened {
		_ = nc.Close()
		return errNotTaken
	}
	return nil
}

// refused closes a connection that our loop did not take.
func (*gnetDriver) refused(a *arrival) { a.stream.end(true, 0) }

// arrived is called when gnet shows what was read, handled when the loop has seen it, wanted when it reads again. The reader
// goes on unless the connection is paused: that is all that a pause takes.
func (d *gnetDriver) arrived(c *Conn) { d.peers[c.slot].stream.shown() }

func (d *gnetDriver) handled(c *Conn, _ gnet.Conn) {
	if c.flags&flagPaused == 0 {
		d.peers[c.slot].stream.more()
	}
}

func (d *gnetDriver) wanted(c *Conn) {
	if p := &d.peers[c.slot]; p.gc.InboundBuffered() == 0 {
		p.stream.more()
	}
}

func spareDescriptor(net.Conn) error { return nil }

func descriptor(gnet.Conn) int32 { return -1 }

// comeBack and returned: nothing leaves gnet here but for good.
func (*gnetDriver) comeBack(*Conn)            {}
func (*gnetDriver) returned(*Conn, gnet.Conn) {}

// succeed: the stream is ours anyway.
func (d *gnetDriver) succeed(*Conn) readiness { return 0 }

func (d *gnetDriver) write(c *Conn, p []byte) (int, syscall.Errno) {
	return d.peers[c.slot].stream.write(p)
}

func (d *gnetDriver) writev(c *Conn, v [][]byte) (int, syscall.Errno) {
	p := d.loop.readBuf[:0] // free between reads
	for _, b := range v {
		p = append(p, b[:min(len(b), streamChunk-len(p))]...)
	}
	return d.peers[c.slot].stream.write(p)
}

func (d *gnetDriver) finish(c *Conn) { d.peers[c.slot].stream.finish() }

func (d *gnetDriver) close(c *Conn, reset bool) {
	p := d.peers[c.slot]
	d.peers[c.slot] = gnetPeer{}
	p.stream.end(reset, d.loop.engine.cfg.Linger)
	d.letGo(p.gc)
}

// letGo has gnet forget a connection.
func (d *gnetDriver) letGo(gc gnet.Conn) {
	if gc == nil {
		return
	}
	gc.SetContext(nil)
	if err := d.el.Close(gc); err != nil {
		d.loop.engine.cfg.Logger.Error("gnet could not close a connection", "error", err)
	}
}

func (d *gnetDriver) detach(c *Conn) (net.Conn, []byte, error) {
	p := d.peers[c.slot]
	var unread []byte
	if p.gc != nil {
		unread = drain(p.gc)
	} else {
		unread = p.away.kept
	}
	nc, rest, err := p.stream.leave()
	if err != nil {
		return nil, nil, err
	}
	d.peers[c.slot] = gnetPeer{}
	d.letGo(p.gc)
	return nc, append(unread, rest...), nil
}

func (d *gnetDriver) local(c *Conn) net.Addr { return d.peers[c.slot].stream.LocalAddr() }

// socketFile is for unix sockets, which are not served here.
type socketFile struct{}

func (*socketFile) remove() {}

func netListen(network, addr string) (net.Listener, *socketFile, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		ln, err := net.Listen(network, addr)
		return ln, nil, err
	case "unix":
		return nil, nil, fmt.Errorf("unix sockets are not served on Windows: %w", errors.ErrUnsupported)
	}
	return nil, nil, fmt.Errorf("network %q is unknown; there are tcp, tcp4 and tcp6", network)
}

// takeGnet: there are no duplicates here, so nc itself is taken.
func (e *Engine) takeGnet(nc net.Conn) (s socket, release func(ok bool), err error) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return s, nil, ErrNotPlain
	}
	s.conn = t
	s.remote = remoteOf(t)
	return s, func(bool) {}, nil
}
