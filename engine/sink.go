package engine

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Sink is the far end of a memory connection without a goroutine and without buffers: it counts what the engine writes and
// throws it away. It is for simulations with very many connections. Its methods may be called on any goroutine.
type Sink struct {
	bytes atomic.Int64

	mu     sync.Mutex
	driver *memory // under mu, as all that follows
	slot   int32
	gen    uint32
	in     []byte // fed, not yet read
	state  uint8
}

const (
	sinkFin    = 1 << iota // no more is fed
	sinkReset              // by the far end
	sinkFull               // takes nothing
	sinkClosed             // by the engine
)

// DialSink makes a connection of the memory backend whose far end is a Sink. open runs on the loop that gets the connection;
// each loop gets one in turn. Any goroutine.
func (e *Engine) DialSink(open func(c *Conn) Handler) (*Sink, error) {
	s := &Sink{}
	if err := e.AttachSink(s, open); err != nil {
		return nil, err
	}
	return s, nil
}

// AttachSink is DialSink for a Sink that is a part of something else, as an array that costs the collector less than a million single ones. It must be
// zero, and may not be copied afterwards. Any goroutine.
func (e *Engine) AttachSink(s *Sink, open func(c *Conn) Handler) error {
	if e.cfg.Backend != backendMemory {
		return fmt.Errorf("engine: dial is for the memory backend, this is %q", e.cfg.Backend)
	}
	return e.post(e.pick(), socket{fd: -1, peer: sinkPeer{s}}, nil, open)
}

// Bytes is the number of bytes that the engine has written.
func (s *Sink) Bytes() int64 { return s.bytes.Load() }

// Feed gives the engine bytes to read; p is copied, and not bounded: the caller paces itself.
func (s *Sink) Feed(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state&(sinkFin|sinkReset|sinkClosed) == 0 {
		s.in = append(s.in, p...)
		s.tell(readyIn)
	}
}

// Stall makes the sink take nothing (true), like a reader that has stopped reading, or everything again.
func (s *Sink) Stall(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.state |= sinkFull
	} else if s.state&sinkFull != 0 {
		s.state &^= sinkFull
		s.tell(readyOut)
	}
}

// CloseWrite ends the direction to the engine.
func (s *Sink) CloseWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state |= sinkFin
	s.tell(readyIn | readyEnd)
}

// Reset breaks the connection off.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state |= sinkReset
	s.tell(readyIn | readyOut | readyEnd | readyHup | readyErr)
}

// Closed reports that the engine has closed the connection.
func (s *Sink) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state&sinkClosed != 0
}

func (s *Sink) tell(bits readiness) {
	if s.driver != nil {
		s.driver.report(s.slot, s.gen, bits)
	}
}

// sinkPeer is the loop's side of a Sink.
type sinkPeer struct{ s *Sink }

func (p sinkPeer) start(d *memory, slot int32, gen uint32) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driver, s.slot, s.gen = d, slot, gen
	var bits readiness
	if len(s.in) > 0 {
		bits |= readyIn
	}
	if s.state&sinkFin != 0 {
		bits |= readyIn | readyEnd
	}
	if s.state&sinkReset != 0 {
		bits |= readyIn | readyEnd | readyHup | readyErr
	}
	if bits != 0 {
		s.tell(bits)
	}
}

func (p sinkPeer) read(b []byte) (int, syscall.Errno) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in) > 0 {
		n := copy(b, s.in)
		if s.in = s.in[n:]; len(s.in) == 0 {
			s.in = nil
		}
		return n, 0
	}
	switch {
	case s.state&sinkReset != 0:
		return 0, syscall.ECONNRESET
	case s.state&sinkFin != 0:
		return 0, 0
	}
	return 0, syscall.EAGAIN
}

func (p sinkPeer) write(b []byte) (int, syscall.Errno) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state&sinkReset != 0:
		return 0, syscall.ECONNRESET
	case s.state&sinkFull != 0:
		return 0, syscall.EAGAIN
	}
	s.bytes.Add(int64(len(b)))
	return len(b), 0
}

// finish ends the engine's direction: the far end answers with its own end, as a client does.
func (p sinkPeer) finish() { p.s.CloseWrite() }

func (p sinkPeer) close(bool) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state |= sinkClosed
	s.in = nil
}

func (p sinkPeer) conn() net.Conn { return nil }
