//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package engine

import (
	"net"
	"time"
)

// waitGone returns when the other end of nc has been closed, if that can be told, or at the given time.
func waitGone(nc net.Conn, until time.Time) {
	if m, ok := nc.(*MemoryConn); ok {
		m.waitGone(until)
		return
	}
	// What the peer still sends to a connection that has gone is refused, which ends the bridge; one that sends nothing is waited for.
	if nc.SetReadDeadline(until) == nil {
		_, _ = nc.Read(make([]byte, 1))
	}
}
