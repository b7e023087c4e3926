package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	gsocket "github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"
)

// acceptBudget is how many connections are accepted per listener and iteration.
const acceptBudget = 128

// acceptor is the listening socket of one loop. Edge-triggered like connections: waiting says that there may be more.
type acceptor struct {
	driver *epoll
	open   func(c *Conn) Handler
	spread bool // give the connections to all loops in turn

	waiting bool   // loop
	backOff bool   // loop: descriptors are exhausted; a timer is set
	warned  uint32 // loop: the second of the last warning

	mu sync.Mutex
	fd int // under mu; -1: closed
}

// listening is what Listen opens: one acceptor per loop, or one for all.
type listening struct {
	acceptors []*acceptor
	file      *socketFile
}

// listen opens the sockets of Engine.Listen.
func (e *Engine) listen(network, addr string, open func(c *Conn) Handler) (listener, net.Addr, error) {
	if e.cfg.Backend == backendGnet {
		return e.listenGnet(network, addr, open)
	}
	switch network {
	case "tcp", "tcp4", "tcp6":
		return e.listenTCP(network, addr, open)
	case "unix":
		return e.listenUnix(addr, open)
	}
	return nil, nil, fmt.Errorf("network %q is unknown; there are tcp, tcp4, tcp6 and unix", network)
}

func (e *Engine) listenTCP(network, addr string, open func(c *Conn) Handler) (listener, net.Addr, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	if host == "::" && network == "tcp" { // as net.Listen understands it: both versions
		host = ""
	}
	if port != "0" && port != "" {
		if err := portFree(network, net.JoinHostPort(host, port)); err != nil {
			return nil, nil, err
		}
	}
	ln := &listening{}
	var at net.Addr
	for i, l := range e.loops {
		fd, err := e.bind(network, net.JoinHostPort(host, port))
		if err != nil && i == 0 && network == "tcp" && host == "" && errors.Is(err, unix.EAFNOSUPPORT) {
			network = "tcp4" // a machine without IPv6
			fd, err = e.bind(network, net.JoinHostPort(host, port))
		}
		if err == nil && i == 0 {
			// A port of 0 is chosen by the kernel for the first loop; the others share it.
			at = localAddr(fd)
			if t, ok := at.(*net.TCPAddr); ok {
				port = fmt.Sprint(t.Port)
			}
		}
		if err == nil {
			err = ln.start(l, fd, open, false)
		}
		if err != nil {
			ln.close()
			return nil, nil, err
		}
	}
	return ln, at, nil
}

// bind makes a listening socket, whose options its connections inherit.
func (e *Engine) bind(network, addr string) (int, error) {
	opts := []gsocket.Option[int]{
		{SetSockOpt: gsocket.SetReuseAddr, Opt: 1},
		{SetSockOpt: gsocket.SetReuseport, Opt: 1},
		{SetSockOpt: gsocket.SetNoDelay, Opt: 1},
	}
	if e.cfg.SendBuffer > 0 {
		opts = append(opts, gsocket.Option[int]{SetSockOpt: gsocket.SetSendBuffer, Opt: e.cfg.SendBuffer})
	}
	fd, _, err := gsocket.TCPSocket(network, addr, true, opts, nil)
	return fd, err
}

// setOptions gives a connection that no listener of ours has accepted the options that the others inherit.
func (e *Engine) setOptions(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if e.cfg.SendBuffer > 0 {
		if err := gsocket.SetSendBuffer(fd, e.cfg.SendBuffer); err != nil {
			return err
		}
	}
	return nil
}

// portFree fails if somebody listens on the address: with SO_REUSEPORT alone, a server that was started twice by mistake would
// silently share its clients between both.
func portFree(network, addr string) error {
	fd, _, err := gsocket.TCPSocket(network, addr, true, []gsocket.Option[int]{{SetSockOpt: gsocket.SetReuseAddr, Opt: 1}}, nil)
	if err != nil {
		if errors.Is(err, unix.EAFNOSUPPORT) {
			return nil // bind will see
		}
		return err
	}
	return os.NewSyscallError("close", unix.Close(fd))
}

func (e *Engine) listenUnix(path string, open func(c *Conn) Handler) (listener, net.Addr, error) {
	ln := &listening{}
	named, err := clearSocketFile(path)
	if err != nil {
		return nil, nil, err
	}
	fd, at, err := gsocket.UnixSocket("unix", path, true, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	if named {
		if ln.file, err = newSocketFile(path); err != nil {
			_ = unix.Close(fd)
			return nil, nil, err
		}
	}
	if err := ln.start(e.pick(), fd, open, true); err != nil {
		ln.close()
		return nil, nil, err
	}
	return ln, at, nil
}

// start gives fd to the loop as a listener; it owns fd, also after an error.
func (ln *listening) start(l *Loop, fd int, open func(c *Conn) Handler, spread bool) error {
	d := l.sockets()
	a := &acceptor{driver: d, open: open, fd: fd, spread: spread}
	ln.acceptors = append(ln.acceptors, a)
	if !l.Post(TaskFunc(func(*Loop) { d.listen(a) })) {
		return ErrStopped
	}
	return nil
}

// close may be called more than once, on any goroutine. shutdown makes the kernel refuse connections at once; the descriptor
// is given back by the loop, which may be about to use it.
func (ln *listening) close() {
	for _, a := range ln.acceptors {
		a.mu.Lock()
		if a.fd >= 0 {
			_ = unix.Shutdown(a.fd, unix.SHUT_RDWR)
		}
		a.mu.Unlock()
		if !a.driver.loop.Post(TaskFunc(func(*Loop) { a.driver.unlisten(a) })) {
			a.close()
		}
	}
	ln.file.remove()
	ln.file = nil
}

func (a *acceptor) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fd >= 0 {
		_ = unix.Close(a.fd)
		a.fd = -1
	}
}

// sockets is the loop's epoll driver, under whatever tests have wrapped around it.
func (l *Loop) sockets() *epoll {
	d := l.drv
	for {
		switch t := d.(type) {
		case *epoll:
			return t
		case interface{ unwrap() driver }:
			d = t.unwrap()
		}
	}
}

// listen begins to accept.
func (d *epoll) listen(a *acceptor) {
	if a.fd < 0 {
		return
	}
	if err := d.add(a.fd, unix.EPOLLIN|unix.EPOLLET, listenSlot, 0); err != nil {
		d.loop.engine.cfg.Logger.Error("a listener could not be registered", "error", err)
		a.close()
		return
	}
	d.listeners = append(d.listeners, a)
	a.waiting = true // connections may have come before
	d.accepting = true
}

// unlisten ends it.
func (d *epoll) unlisten(a *acceptor) {
	a.close()
	for i, x := range d.listeners {
		if x == a {
			d.listeners = append(d.listeners[:i], d.listeners[i+1:]...)
			return
		}
	}
}

// wakeListeners has all listeners of the loop looked at: there are one or two.
func (d *epoll) wakeListeners() {
	for _, a := range d.listeners {
		a.waiting = true
	}
	d.accepting = true
}

func (d *epoll) pending() bool { return d.accepting }

// step accepts what waits.
func (d *epoll) step() {
	if !d.accepting {
		return
	}
	d.accepting = false
	for i := len(d.listeners) - 1; i >= 0; i-- {
		if a := d.listeners[i]; a.waiting && !a.backOff {
			d.accept(a)
			d.accepting = d.accepting || a.waiting && !a.backOff
		}
	}
}

func (d *epoll) accept(a *acceptor) {
	l := d.loop
	for range acceptBudget {
		fd, remote, e := sysAccept(a.fd, &d.sa)
		switch e {
		case 0:
		case unix.EAGAIN:
			a.waiting = false
			return
		case unix.ECONNABORTED, unix.EINTR, unix.EPROTO: // the peer has gone again
			l.counters.acceptErrors.Add(1)
			continue
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.counters.acceptErrors.Add(1)
			if e == unix.EMFILE || e == unix.ENFILE {
				l.counters.fdExhausted.Add(1)
			}
			d.backOff(a, e)
			return
		case unix.EINVAL, unix.EBADF: // closed meanwhile
			a.waiting = false
			return
		default:
			l.counters.acceptErrors.Add(1)
			d.backOff(a, e)
			return
		}
		s := socket{fd: fd, remote: remote}
		if !a.spread {
			l.adopt(s, nil, a.open)
			continue
		}
		if size := l.engine.cfg.SendBuffer; size > 0 { // a unix socket does not inherit it
			_ = gsocket.SetSendBuffer(int(fd), size)
		}
		to := l.engine.pick()
		if to == l {
			l.adopt(s, nil, a.open)
		} else if l.engine.post(to, s, nil, a.open) != nil {
			d.drop(s)
		}
	}
}

// backOff leaves waiting connections in the kernel's queue until descriptors may be free again, instead of asking in a circle.
func (d *epoll) backOff(a *acceptor, e error) {
	a.backOff = true
	if a.warned != d.loop.now { // ten tries a second make one line
		a.warned = d.loop.now
		d.loop.engine.cfg.Logger.Warn("connections cannot be accepted for now", "error", e, "retry", acceptRetry)
	}
	d.loop.AfterFunc(acceptRetry, func() {
		a.backOff = false
		d.accepting = true
	})
}
