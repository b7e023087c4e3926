package engine

import (
	"crypto/tls"
	"net"
)

// TLSClient is tls.Client for connections that are to be moved into the loops: Attach takes what it returns, once its Handshake has succeeded, and its records are
// then read and written there. Before, it is as any other. What it is given must be what Attach takes. It reads one record at a time, with a system call or two for each.
func TLSClient(nc net.Conn, cfg *tls.Config) *tls.Conn {
	return movable(nc, func(s *sealed) *tls.Conn { return tls.Client(s, cfg) })
}

// TLSServer is tls.Server with the same difference: a net/http server whose listener makes such connections gives WebSockets up to the loops without a Bridge.
func TLSServer(nc net.Conn, cfg *tls.Config) *tls.Conn {
	return movable(nc, func(s *sealed) *tls.Conn { return tls.Server(s, cfg) })
}

func movable(nc net.Conn, wrap func(s *sealed) *tls.Conn) *tls.Conn {
	s := &sealed{raw: nc}
	s.tc = wrap(s)
	return s.tc
}
