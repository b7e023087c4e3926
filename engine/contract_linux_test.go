package engine

import (
	"net"
	"path/filepath"
	"testing"
)

func init() {
	over := func(network, addr string) func(t testing.TB, e *Engine) func(open func(c *Conn) Handler) peer {
		return func(t testing.TB, e *Engine) func(open func(c *Conn) Handler) peer {
			return func(open func(c *Conn) Handler) peer {
				a := addr
				if network == "unix" {
					a = filepath.Join(t.TempDir(), "s")
				}
				at, err := e.Listen(network, a, open)
				if err != nil {
					t.Fatal(err)
				}
				nc, err := net.Dial(at.Network(), at.String())
				if err != nil {
					t.Fatal(err)
				}
				return nc.(peer)
			}
		}
	}
	backends = append(backends, []struct {
		name string
		cfg  Config
		make func(t testing.TB, e *Engine) func(open func(c *Conn) Handler) peer
	}{
		{"epoll tcp", Config{Backend: "epoll", Loops: 2}, over("tcp", "127.0.0.1:0")},
		{"epoll unix", Config{Backend: "epoll", Loops: 2}, over("unix", "")},
	}...)
}
