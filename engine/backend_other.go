//go:build !linux

package engine

import (
	"errors"
	"net"
	"runtime"
)

// defaultBackend is what there is without epoll.
const defaultBackend = backendMemory

// noListener is what the memory backend says to Listen.
var noListener = errNoSockets.Error()

var errNoSockets = errors.New("sockets on " + runtime.GOOS + " need the gnet backend, which this version does not have yet; the epoll backend is for Linux")

func newSocketDriver(*Loop) (driver, error) { return nil, errNoSockets }

func (e *Engine) listen(string, string, func(c *Conn) Handler) (listener, net.Addr, error) {
	return nil, nil, errNoSockets
}

// take prepares a connection for the loops.
func (e *Engine) take(nc net.Conn) (socket, func(ok bool), error) {
	s, err := takeMemory(nc)
	return s, func(bool) {}, err
}
