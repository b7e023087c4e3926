package replay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// maxUnread bounds the bytes that a connection keeps between two steps: the longest recorded message, many times over.
const maxUnread = 32 << 20

// writeTimeout bounds one send.
const writeTimeout = 10 * time.Second

// errTimeout says that nothing (more) came in time.
var errTimeout = errors.New("nothing came in time")

// A fault is something that no server may send, whatever was expected.
type fault struct{ text string }

func (f *fault) Error() string { return f.text }

func faultf(format string, a ...any) error { return &fault{fmt.Sprintf(format, a...)} }

// conn is one TCP connection of a scenario. Not safe for concurrent use.
type conn struct {
	nc       net.Conn
	in       []byte // read, not yet used
	ended    error  // why nothing more can be read; nil: it can
	writeErr error  // the first send that failed: often the server has ended first, so the next expect decides

	method string // of the request that is under way, "" when it has been answered

	ws  *wsState
	sse *sseState
}

// more reads once, until deadline at most. After the end of TCP it returns io.EOF for a FIN and the cause otherwise.
func (c *conn) more(deadline time.Time) error {
	if c.ended != nil {
		return c.ended
	}
	if len(c.in) > maxUnread {
		return faultf("more than %d bytes that no step asked for", maxUnread)
	}
	_ = c.nc.SetReadDeadline(deadline) // fails on a connection that has ended, and then so does Read, which says how
	c.in = slices.Grow(c.in, 4096)
	n, err := c.nc.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	switch {
	case n > 0:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	case err == nil:
		return nil
	}
	c.ended = err
	return err
}

// send writes p. A failure is kept, not returned: a server may end before all is written, and whether it may is the next expect's affair.
func (c *conn) send(p []byte) {
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && c.writeErr == nil {
		c.writeErr = err
	}
	if _, err := c.nc.Write(p); err != nil && c.writeErr == nil {
		c.writeErr = err
	}
}

// finish ends the client's direction.
func (c *conn) finish() error {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("a %T cannot end one direction", c.nc)
	}
	if err := half.CloseWrite(); err != nil && c.writeErr == nil {
		c.writeErr = err
	}
	return nil
}

// reset ends the connection by RST where there is one.
func (c *conn) reset() {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the end is an ordinary one, and the server's answer shows it
	}
	c.close()
}

func (c *conn) close() {
	_ = c.nc.Close() // nothing is expected of it any more
	if c.ended == nil {
		c.ended = errors.New("closed by the scenario")
	}
}

// endText describes the end of TCP for a report.
func (c *conn) endText() string {
	text := "TCP ended"
	if c.ended != nil && !errors.Is(c.ended, io.EOF) {
		text += " (" + c.ended.Error() + ")"
	}
	if c.writeErr != nil {
		text += ", after a send had failed (" + c.writeErr.Error() + ")"
	}
	return text
}
