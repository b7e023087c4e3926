//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waitGone returns when the other end of nc has been closed, not only ended its direction, or at the given time.
func waitGone(nc net.Conn, until time.Time) {
	if m, ok := nc.(*MemoryConn); ok {
		m.waitGone(until)
		return
	}
	s, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	rc, err := s.SyscallConn()
	if err != nil || nc.SetReadDeadline(until) != nil {
		return // it has gone
	}
	_ = rc.Read(func(fd uintptr) bool { // called again at each event
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, 0)
		return err != nil && err != unix.EINTR || n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
	})
}
