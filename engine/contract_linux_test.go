package engine

import (
	"errors"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	backends = append(backends,
		backend{"epoll tcp", Config{Backend: "epoll", Loops: 2}, overSockets("tcp")},
		backend{"epoll unix", Config{Backend: "epoll", Loops: 2}, overSockets("unix")},
		backend{"gnet tcp", Config{Backend: "gnet", Loops: 2}, overSockets("tcp")},
		backend{"gnet unix", Config{Backend: "gnet", Loops: 2}, overSockets("unix")},
	)
}

func overSockets(network string) func(t testing.TB, e *Engine) serve {
	return func(t testing.TB, e *Engine) serve {
		return func(open func(c *Conn) Handler) func() peer {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = filepath.Join(t.TempDir(), "s")
			}
			at, err := e.Listen(network, addr, open)
			if err != nil {
				t.Fatal(err)
			}
			return func() peer {
				nc, err := net.Dial(at.Network(), at.String())
				if errors.Is(err, unix.ECONNRESET) { // accepted and reset before connect had returned
					a, b := Pipe()
					_ = b.Reset()
					return a
				}
				if err != nil {
					t.Error(err)
					return nil
				}
				return nc.(peer)
			}
		}
	}
}
