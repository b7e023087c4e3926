package engine

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultBackend is our own epoll loop.
const defaultBackend = backendEpoll

// interest is registered once per connection and never changed: a change costs a system call of 357 ns. Pausing is not reading.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// wakeSlot and listenSlot mark events that are no connection's. Their generation is 0, which no connection has.
const (
	wakeSlot   = -1
	listenSlot = -2
)

// epoll is the driver of the epoll backend.
type epoll struct {
	loop   *Loop
	fd     int
	batch  []unix.EpollEvent // loop
	iovecs []unix.Iovec      // loop
	sa     unix.RawSockaddrAny

	listeners []*acceptor // loop
	accepting bool        // loop: a listener may have more

	mu    sync.Mutex
	event int // under mu: eventfd that ends a wait; -1 after stop
}

func newSocketDriver(l *Loop) (driver, error) {
	if l.engine.cfg.Backend == backendGnet {
		return newGnet(l)
	}
	return newEpoll(l)
}

func newEpoll(l *Loop) (driver, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	ev, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	d := &epoll{loop: l, fd: fd, event: ev, batch: make([]unix.EpollEvent, eventBatch), iovecs: make([]unix.Iovec, 0, vectorMax)}
	// Edge-triggered: the counter never has to be read.
	if err := d.add(ev, unix.EPOLLIN|unix.EPOLLET, wakeSlot, 0); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// add registers a descriptor with the tag (slot, gen).
func (d *epoll) add(fd int, events uint32, slot int32, gen uint32) error {
	err := unix.EpollCtl(d.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: slot, Pad: int32(gen)})
	return os.NewSyscallError("epoll_ctl", err)
}

func (d *epoll) wait(events []event, dur time.Duration) (int, error) {
	ms := 0
	if dur > 0 {
		ms = int((dur + time.Millisecond - 1) / time.Millisecond)
	}
	n, e := sysPoll(d.fd, d.batch[:min(len(d.batch), len(events))], ms)
	if e != 0 {
		if e == unix.EINTR {
			return 0, nil
		}
		return 0, os.NewSyscallError("epoll_pwait", e)
	}
	k := 0
	for i := range d.batch[:n] {
		ev := &d.batch[i]
		if ev.Pad == 0 {
			if ev.Fd == listenSlot {
				d.wakeListeners()
			}
			continue
		}
		events[k] = event{slot: ev.Fd, gen: uint32(ev.Pad), bits: readinessOf(ev.Events)}
		k++
	}
	return k, nil
}

func readinessOf(ev uint32) readiness {
	var bits readiness
	if ev&unix.EPOLLIN != 0 {
		bits = readyIn
	}
	if ev&unix.EPOLLOUT != 0 {
		bits |= readyOut
	}
	if ev&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		if ev&unix.EPOLLRDHUP != 0 {
			bits |= readyEnd
		}
		if ev&unix.EPOLLHUP != 0 {
			bits |= readyHup
		}
		if ev&unix.EPOLLERR != 0 {
			bits |= readyErr
		}
	}
	return bits
}

var eventOne = [8]byte{1}

// wake may come late, from a goroutine that saw the loop asleep a while ago: it must not write to a descriptor that is somebody
// else's by now.
func (d *epoll) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.event >= 0 {
		_, _ = sysWrite(int32(d.event), eventOne[:]) // full: then it is awake
	}
}

func (d *epoll) register(c *Conn, s socket) error {
	return d.add(int(s.fd), interest, c.slot, c.gen)
}

func (d *epoll) read(c *Conn, p []byte) (int, syscall.Errno)  { return sysRead(c.fd, p) }
func (d *epoll) write(c *Conn, p []byte) (int, syscall.Errno) { return sysWrite(c.fd, p) }

func (d *epoll) writev(c *Conn, v [][]byte) (int, syscall.Errno) {
	iov := d.iovecs[:0]
	for _, b := range v {
		x := unix.Iovec{Base: unsafe.SliceData(b)}
		x.SetLen(len(b))
		iov = append(iov, x)
	}
	n, e := sysWritev(c.fd, iov)
	clear(iov)
	return n, e
}

func (d *epoll) finish(c *Conn) { _ = unix.Shutdown(int(c.fd), unix.SHUT_WR) }

// close takes the descriptor out of the poller too. A reset throws away what the kernel holds; an ordinary close of a peer that
// has stopped reading would keep it for minutes.
func (d *epoll) close(c *Conn, reset bool) {
	if reset {
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	_ = unix.Close(int(c.fd))
	c.fd = -1
}

// detach: net.FileConn works on a duplicate, which keeps the open file and with it the poller's entry alive; so that goes first.
func (d *epoll) detach(c *Conn) (net.Conn, []byte, error) {
	if err := unix.EpollCtl(d.fd, unix.EPOLL_CTL_DEL, int(c.fd), nil); err != nil {
		return nil, nil, os.NewSyscallError("epoll_ctl", err)
	}
	dup, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		f := os.NewFile(uintptr(dup), "detached")
		var nc net.Conn
		nc, err = net.FileConn(f)
		_ = f.Close()
		if err == nil {
			_ = unix.Close(int(c.fd))
			c.fd = -1
			return nc, nil, nil
		}
	}
	if e := d.add(int(c.fd), interest, c.slot, c.gen); e != nil {
		c.kill(IOError, e, false) // it can be neither here nor there
	}
	return nil, nil, err
}

func (d *epoll) local(c *Conn) net.Addr { return localAddr(int(c.fd)) }

func (d *epoll) drop(s socket) {
	_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(int(s.fd))
}

func (d *epoll) stop() {
	d.mu.Lock()
	if d.event >= 0 {
		_ = unix.Close(d.event)
		d.event = -1
	}
	d.mu.Unlock()
	_ = unix.Close(d.fd)
}

// take duplicates the descriptor of a connection of the standard library; release closes the original, or gives up.
func (e *Engine) take(nc net.Conn) (s socket, release func(ok bool), err error) {
	switch e.cfg.Backend {
	case backendMemory:
		s, err = takeMemory(nc)
		return s, func(bool) {}, err
	case backendGnet:
		return e.takeGnet(nc)
	}
	var rc syscall.RawConn
	switch t := nc.(type) {
	case *net.TCPConn:
		rc, err = t.SyscallConn()
		s.remote = t.RemoteAddr().(*net.TCPAddr).AddrPort()
	case *net.UnixConn:
		rc, err = t.SyscallConn()
	default:
		return s, nil, ErrNotPlain
	}
	if err != nil {
		return s, nil, err
	}
	var dup int
	var dupErr error
	if err := rc.Control(func(fd uintptr) { dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return s, nil, err
	}
	if dupErr != nil {
		return s, nil, os.NewSyscallError("fcntl", dupErr)
	}
	if err := e.setOptions(dup); err != nil {
		_ = unix.Close(dup)
		return s, nil, err
	}
	s.fd = int32(dup)
	return s, func(ok bool) {
		if ok {
			_ = nc.Close()
		} else {
			_ = unix.Close(dup)
		}
	}, nil
}
