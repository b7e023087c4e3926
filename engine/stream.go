package engine

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// streamChunk is the most that is written, or read, at once.
const streamChunk = 64 << 10

// stream makes of a blocking connection what a loop can use. It is for Windows, where gnet has a goroutine per connection that reads
// on and on, and writes on its loop until the peer has taken all. gnet is given the stream instead of the connection: its goroutine then
// reads the next bytes when the loop has seen the last, so that a pause reaches the peer and nothing is under way when the
// connection leaves; its Close does nothing. What is written goes out on a goroutine of its own, 64 KiB at a time.
type stream struct {
	net.Conn
	report func(bits readiness) // any goroutine

	mu   sync.Mutex
	cond sync.Cond // under mu: the reader may go on

	// Under mu.

	unseen  []byte // the last bytes read, until gnet has shown them to the loop
	hold    bool   // the reader waits: they have been read, and more is not wanted yet
	left    bool   // nobody is to read any more
	reading bool
	out     []byte // being written
	writing bool
	wrErr   error
	fin     bool // the direction to the peer ends after what is being written
	closing bool // the connection is closed after what is being written
}

// errLeft ends gnet's goroutine.
var errLeft = errors.New("engine: the connection has left the loop")

func newStream(nc net.Conn, report func(bits readiness)) *stream {
	s := &stream{Conn: nc, report: report}
	s.cond.L = &s.mu
	return s
}

// Read implements net.Conn, for gnet's goroutine.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for s.hold && !s.left {
		s.cond.Wait()
	}
	if s.left {
		s.mu.Unlock()
		return 0, errLeft
	}
	s.reading = true
	s.mu.Unlock()
	n, err := s.Conn.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	s.cond.Broadcast()
	s.unseen = append(s.unseen[:0], p[:n]...)
	s.hold = true
	if s.left {
		return 0, errLeft
	}
	return n, err
}

// shown says that gnet has shown what was read. Loop.
func (s *stream) shown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unseen = nil
}

// more lets the reader go on. Loop.
func (s *stream) more() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unseen) == 0 {
		s.hold = false
		s.cond.Broadcast()
	}
}

// leave ends the reader. It returns the connection for its new owner and what has been read and not shown. Loop.
func (s *stream) leave() (net.Conn, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, nil, err
	}
	s.left = true
	s.cond.Broadcast()
	for s.reading { // a moment: its time is over
		s.cond.Wait()
	}
	if err := s.Conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	if s.writing {
		return &handed{s.Conn, s}, s.unseen, nil
	}
	return s.Conn, s.unseen, nil
}

// handed is a connection that has left its loop while bytes were being written.
type handed struct {
	net.Conn
	s *stream
}

func (h *handed) wait() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	for h.s.writing {
		h.s.cond.Wait()
	}
}

// Write implements net.Conn.
func (h *handed) Write(p []byte) (int, error) {
	h.wait()
	return h.Conn.Write(p)
}

// CloseWrite ends the direction to the peer.
func (h *handed) CloseWrite() error {
	h.wait()
	if w, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements net.Conn.
func (h *handed) Close() error {
	h.wait()
	return h.Conn.Close()
}

// write takes what there is room for; readyOut is reported when there is room again. Loop.
func (s *stream) write(p []byte) (int, syscall.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.wrErr != nil:
		return 0, errnoOf(s.wrErr)
	case s.writing:
		return 0, syscall.EAGAIN
	}
	n := min(len(p), streamChunk)
	s.out = append(s.out[:0], p[:n]...)
	s.writing = true
	go s.flush()
	return n, 0
}

func (s *stream) flush() {
	_, err := s.Conn.Write(s.out) // out is ours while writing
	s.mu.Lock()
	s.writing = false
	s.wrErr = err
	if cap(s.out) > 4<<10 { // not kept for a connection that is idle now
		s.out = nil
	}
	if s.fin {
		s.closeWrite()
	}
	if s.closing {
		_ = s.Conn.Close()
	}
	s.cond.Broadcast()
	s.mu.Unlock()
	s.report(readyOut)
}

func (s *stream) closeWrite() {
	if w, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite() // fails if the peer has gone
	}
}

// finish ends the direction to the peer.
func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fin = true; !s.writing {
		s.closeWrite()
	}
}

// end closes the connection, after what is being written, for which there is the given time; reset: at once.
func (s *stream) end(reset bool, linger time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
	s.cond.Broadcast()
	if s.writing && !reset {
		s.closing = true
		_ = s.Conn.SetWriteDeadline(time.Now().Add(linger))
		_ = s.Conn.SetReadDeadline(time.Unix(1, 0))
		return
	}
	if t, ok := s.Conn.(*net.TCPConn); ok && reset {
		_ = t.SetLinger(0)
	}
	_ = s.Conn.Close()
}

// Close implements net.Conn, for gnet: the connection is not gnet's.
func (s *stream) Close() error { return nil }

// errnoOf makes a system call's error of one of the standard library.
func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return 0
	case errors.Is(err, net.ErrClosed):
		return syscall.EPIPE
	case !errors.As(err, &e):
		return syscall.EIO
	case isReset(e):
		return syscall.ECONNRESET
	}
	return e
}
