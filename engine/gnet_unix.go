//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/panjf2000/gnet/v2"
	gio "github.com/panjf2000/gnet/v2/pkg/io"
	"golang.org/x/sys/unix"
)

// gnetStream is for Windows.
type gnetStream struct{}

func (*gnetDriver) refused(*arrival) {}
func (*gnetDriver) arrived(*Conn)    {}
func (*gnetDriver) wanted(*Conn)     {}

func descriptor(gc gnet.Conn) int32 { return int32(gc.Fd()) }

// handled looks at what gnet has read of a paused connection.
func (d *gnetDriver) handled(c *Conn, gc gnet.Conn) {
	if c.flags&flagPaused == 0 {
		return
	}
	n := gc.InboundBuffered()
	if n <= parkAt {
		return
	}
	if err := d.park(c, gc); err != nil && n > d.loop.engine.cfg.InputMax {
		c.Reset(InputOverflow, fmt.Errorf("engine: %d bytes have come during a pause, at most %d are kept, and gnet could not be kept from reading: %w",
			n, d.loop.engine.cfg.InputMax, err))
	}
}

// bootPair returns both ends of a connection.
func bootPair() (ours, theirs net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if ours, err = fileConn(fds[0]); err == nil {
		if theirs, err = fileConn(fds[1]); err == nil {
			return ours, theirs, nil
		}
		_ = ours.Close()
		return nil, nil, err
	}
	_ = unix.Close(fds[1])
	return nil, nil, err
}

// fileConn makes a connection of the standard library of fd, which it owns.
func fileConn(fd int) (net.Conn, error) {
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "connection")
	defer func() { _ = f.Close() }() // FileConn makes a duplicate
	return net.FileConn(f)
}

func dupFD(fd int32) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return n, os.NewSyscallError("fcntl", err)
}

// enroll has gnet's loop take nc, of which it makes a duplicate; nc is closed. It waits for the loop.
func (d *gnetDriver) enroll(nc net.Conn, a *arrival) error {
	if nc.RemoteAddr() == nil || nc.LocalAddr() == nil { // gnet asks for them without looking
		_ = nc.Close()
		return syscall.ENOTCONN
	}
	for _, addr := range []net.Addr{nc.RemoteAddr(), nc.LocalAddr()} {
		if t, ok := addr.(*net.TCPAddr); ok {
			t.Zone = "" // gnet would put its bytes, which are net's, into a pool of buffers
		}
	}
	if _, err := d.client.EnrollContext(nc, a); err != nil {
		return err
	}
	if !a.opened {
		return errNotTaken
	}
	return nil
}

// spareDescriptor is nil if there is one more: gnet makes a duplicate, and closes a connection of which it cannot.
func spareDescriptor(nc net.Conn) error {
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil // the connection has gone, which enroll will see
	}
	var dupErr error
	_ = rc.Control(func(fd uintptr) {
		var n int
		if n, dupErr = dupFD(int32(fd)); dupErr == nil {
			dupErr = os.NewSyscallError("close", unix.Close(n))
		}
	})
	return dupErr
}

// park takes a paused connection out of gnet, with what gnet has read. The caller has gnet close its descriptor.
func (d *gnetDriver) park(c *Conn, gc gnet.Conn) error {
	fd, err := dupFD(c.fd)
	if err != nil {
		return err
	}
	peer := &d.peers[c.slot]
	peer.gc, peer.away = nil, &away{kept: drain(gc)}
	gc.SetContext(nil)
	d.move(c, int32(fd))
	d.watchEnd(c, unix.POLLERR) // not for the end of both directions, before which there is something to read
	return nil
}

// watchEnd: without it the end of c is seen when it is read or written.
func (d *gnetDriver) watchEnd(c *Conn, ends int16) {
	if err := d.room.watchEnd(c, ends); err != nil {
		d.loop.engine.cfg.Logger.Warn("a connection cannot be watched for its end", "error", err)
	}
}

// comeBack has gnet take the connection again.
func (d *gnetDriver) comeBack(c *Conn) {
	a := d.peers[c.slot].away
	if a.entering || a.ended || len(a.kept) > 0 || !d.begin() {
		return // with bytes kept it has been parked anew since a first try has failed
	}
	a.entering = true
	way := &arrival{slot: c.slot, gen: c.gen}
	fd, err := dupFD(c.fd)
	if err == nil {
		var nc net.Conn
		if nc, err = fileConn(fd); err == nil {
			go d.bring(nc, way)
			return
		}
	}
	d.end()
	d.loop.Post(TaskFunc(func(*Loop) { d.notBack(way, err) })) // not from within a read
}

// returned takes over the descriptor of a connection that gnet has again.
func (d *gnetDriver) returned(c *Conn, gc gnet.Conn) {
	old := c.fd
	d.move(c, int32(gc.Fd()))
	_ = unix.Close(int(old))
}

// succeed keeps a connection for writing whose descriptor gnet is about to close, and says what else has become ready.
func (d *gnetDriver) succeed(c *Conn) readiness {
	a := d.peers[c.slot].away
	if a.end != 0 || c.flags&flagFinSent != 0 {
		d.move(c, -1) // there is no writing any more
		return 0
	}
	if ended := polled(c.fd) & (unix.POLLHUP | unix.POLLERR); ended != 0 {
		d.move(c, -1)
		return endBits(ended)
	}
	fd, err := dupFD(c.fd)
	if err != nil {
		d.loop.engine.cfg.Logger.Warn("a half-closed connection could not be kept", "error", err)
		d.move(c, -1)
		return readyHup
	}
	d.move(c, int32(fd))
	d.watchEnd(c, unix.POLLHUP|unix.POLLERR)
	return 0
}

// move goes on with another descriptor.
func (d *gnetDriver) move(c *Conn, fd int32) {
	waits := d.room.forget(c.fd)
	c.fd = fd
	if waits && (fd < 0 || d.await(c) != syscall.EAGAIN) {
		d.reports.add(c.slot, c.gen, readyOut) // to be written again, which shows the error
		d.loop.wakeUp()
	}
}

// await has a readyOut reported when there is room, or the connection has gone.
func (d *gnetDriver) await(c *Conn) syscall.Errno {
	if err := d.room.watch(c); err != nil {
		d.loop.engine.cfg.Logger.Warn("a connection cannot be watched for room to write", "error", err)
		return syscall.ENOMEM // not EAGAIN, after which it would wait for ever
	}
	return syscall.EAGAIN
}

func (d *gnetDriver) write(c *Conn, p []byte) (int, syscall.Errno) {
	if c.fd < 0 {
		return 0, syscall.EPIPE
	}
	n, err := unix.Write(int(c.fd), p)
	return d.wrote(c, n, err)
}

func (d *gnetDriver) writev(c *Conn, v [][]byte) (int, syscall.Errno) {
	if c.fd < 0 {
		return 0, syscall.EPIPE
	}
	n, err := gio.Writev(int(c.fd), v)
	return d.wrote(c, n, err)
}

func (d *gnetDriver) wrote(c *Conn, n int, err error) (int, syscall.Errno) {
	if err == nil {
		return n, 0
	}
	switch e := errnoOf(err); e {
	case unix.EINTR:
		return 0, 0 // the loop tries again after a short write
	case unix.EAGAIN:
		return 0, d.await(c)
	default:
		return 0, e
	}
}

func (d *gnetDriver) finish(c *Conn) {
	if c.fd >= 0 {
		_ = unix.Shutdown(int(c.fd), unix.SHUT_WR)
	}
}

// close has gnet close its descriptor, or closes ours.
func (d *gnetDriver) close(c *Conn, reset bool) {
	gc := d.peers[c.slot].gc
	d.peers[c.slot] = gnetPeer{}
	d.room.forget(c.fd)
	if reset && c.fd >= 0 {
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if gc != nil {
		gc.SetContext(nil)
		if err := d.el.Close(gc); err != nil {
			d.loop.engine.cfg.Logger.Error("gnet could not close a connection", "error", err)
		}
	} else if c.fd >= 0 {
		_ = unix.Close(int(c.fd))
	}
	c.fd = -1
}

func (d *gnetDriver) detach(c *Conn) (net.Conn, []byte, error) {
	if c.fd < 0 {
		return nil, nil, ErrClosed
	}
	fd, err := dupFD(c.fd)
	if err != nil {
		return nil, nil, err
	}
	nc, err := fileConn(fd)
	if err != nil {
		return nil, nil, err
	}
	var unread []byte
	if peer := &d.peers[c.slot]; peer.gc != nil {
		unread = drain(peer.gc)
	} else {
		unread = peer.away.kept
	}
	d.close(c, false)
	return nc, unread, nil
}

func (d *gnetDriver) local(c *Conn) net.Addr {
	if c.fd < 0 {
		return nil
	}
	return localAddr(int(c.fd))
}

// netListen listens with the standard library.
func netListen(network, addr string) (net.Listener, *socketFile, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		ln, err := net.Listen(network, addr)
		return ln, nil, err
	case "unix":
	default:
		return nil, nil, fmt.Errorf("network %q is unknown; there are tcp, tcp4, tcp6 and unix", network)
	}
	named, err := clearSocketFile(addr)
	if err != nil {
		return nil, nil, err
	}
	ln, err := net.ListenUnix(network, &net.UnixAddr{Name: addr, Net: network})
	if err != nil {
		return nil, nil, err
	}
	ln.SetUnlinkOnClose(false) // it would remove a file that is somebody else's by now
	if !named {
		return ln, nil, nil
	}
	file, err := newSocketFile(addr)
	if err != nil {
		_ = ln.Close()
		return nil, nil, err
	}
	return ln, file, nil
}

// takeGnet makes a second connection of the standard library's; release closes the first, or the second.
func (e *Engine) takeGnet(nc net.Conn) (s socket, release func(ok bool), err error) {
	var f *os.File
	switch t := nc.(type) {
	case *net.TCPConn:
		f, err = t.File()
		s.remote = remoteOf(t)
	case *net.UnixConn:
		f, err = t.File()
	default:
		return s, nil, ErrNotPlain
	}
	if err != nil {
		return s, nil, err
	}
	defer func() { _ = f.Close() }()
	if s.conn, err = net.FileConn(f); err != nil {
		return s, nil, err
	}
	if e.cfg.SendBuffer > 0 {
		if err := setSendBuffer(s.conn, e.cfg.SendBuffer); err != nil {
			_ = s.conn.Close()
			return s, nil, err
		}
	}
	return s, func(ok bool) {
		if ok {
			_ = nc.Close()
		} else {
			_ = s.conn.Close()
		}
	}, nil
}
