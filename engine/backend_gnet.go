//go:build darwin || dragonfly || freebsd || netbsd || openbsd || windows

package engine

import "net"

// defaultBackend is gnet's engine where our own loop is not at home.
const defaultBackend = backendGnet

func newSocketDriver(l *Loop) (driver, error) { return newGnet(l) }

func (e *Engine) listen(network, addr string, open func(c *Conn) Handler) (listener, net.Addr, error) {
	return e.listenGnet(network, addr, open)
}

// take prepares a connection for the loops; release says what becomes of it.
func (e *Engine) take(nc net.Conn) (s socket, release func(ok bool), err error) {
	if e.cfg.Backend == backendMemory {
		s, err = takeMemory(nc)
		return s, func(bool) {}, err
	}
	return e.takeGnet(nc)
}
