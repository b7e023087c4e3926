package engine

import (
	"crypto/tls"
	"net"
)

// leave has the tls.Conn read and write nc from now on, of which the driver has read unread.
func (s *sealed) leave(nc net.Conn, unread []byte) {
	s.kept = append(s.kept, unread...)
	if s.unsent != nil {
		s.out = append([]byte(nil), s.unsent.b[s.off:]...)
	}
	s.raw = nc
}

// readRaw reads one record at most, so that the connection can come back to the loops.
func (s *sealed) readRaw(p []byte) (int, error) {
	if err := s.sendRaw(); err != nil {
		return 0, err
	}
	if len(s.kept) > 0 {
		n := copy(p, s.kept[:s.cut.next(s.kept, len(p))])
		s.kept = s.kept[n:]
		return n, nil
	}
	n, err := s.raw.Read(p[:min(len(p), s.cut.wanted())])
	s.cut.next(p[:n], n)
	return n, err
}

// writeRaw writes p, behind what has not left since the loops.
func (s *sealed) writeRaw(p []byte) (int, error) {
	if err := s.sendRaw(); err != nil {
		return 0, err
	}
	return s.raw.Write(p)
}

func (s *sealed) sendRaw() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.out) == 0 {
		return nil
	}
	n, err := s.raw.Write(s.out)
	if s.out = s.out[n:]; len(s.out) == 0 {
		s.out = nil
	}
	return err
}

// waits is how many bytes of records have not left.
func (s *sealed) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.out)
}

// sealedOf is the TLS side of a connection that Detach has returned, and the connection under it; nil for others, and for one that has come back to the loops since.
func sealedOf(nc net.Conn) (*sealed, net.Conn) {
	tc, ok := nc.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	s, ok := tc.NetConn().(*sealed)
	if !ok {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw == nil {
		return nil, nil
	}
	return s, s.raw
}

// reopen goes on with a detached connection on c's loop, whose handler is that of open.
func (s *sealed) reopen(open func(c *Conn) Handler) func(c *Conn) Handler {
	return func(c *Conn) Handler {
		s.mu.Lock()
		s.raw = nil
		s.mu.Unlock()
		s.dry, s.carry = false, true
		c.loop.setSealed(c, s)
		c.loop.queueAgain(c)
		return open(c)
	}
}

// detachedTLS is a connection that has left the loops with bytes under way.
type detachedTLS struct {
	*detached
	s *sealed
}

// Write implements net.Conn. Of nothing it is a write too: of the records that wait, which a tls.Conn would not come to.
func (d *detachedTLS) Write(p []byte) (int, error) {
	n, err := d.detached.Write(p)
	if err == nil {
		err = d.s.sendRaw()
	}
	return n, err
}

// ConnectionState is that of the tls.Conn.
func (d *detachedTLS) ConnectionState() tls.ConnectionState { return d.s.tc.ConnectionState() }
