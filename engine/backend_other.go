//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package engine

import (
	"errors"
	"net"
	"runtime"
)

// defaultBackend is what there is without epoll and without gnet.
const defaultBackend = backendMemory

var errNoSockets = errors.New("there is no backend with sockets for " + runtime.GOOS)

func newSocketDriver(*Loop) (driver, error) { return nil, errNoSockets }

func (e *Engine) listen(string, string, func(c *Conn) Handler) (listener, net.Addr, error) {
	return nil, nil, errNoSockets
}

func bootPair() (ours, theirs net.Conn, err error) { return nil, nil, errNoSockets }

// take prepares a connection for the loops.
func (e *Engine) take(nc net.Conn) (socket, func(ok bool), error) {
	s, err := takeMemory(nc)
	return s, func(bool) {}, err
}
