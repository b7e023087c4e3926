package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// sink is what the server is measured against: it takes the same bytes from the same client, hands the same items to the same method at the same pace, and has nothing of Spoke.
// What the other client's calls lose to an upload to it, they lose to the machine, to the clients and to the hub's method, which all work on the same processors; what they lose beyond
// that to an upload to the server is the server's.
type sink struct {
	hub      *slow // constant
	protocol string
	item     int
	listener net.Listener
	serving  sync.WaitGroup
	err      error // once serving is done
}

func newSink(cfg config) (*sink, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{hub: &slow{bytesPerSecond: float64(cfg.rate) * mib}, protocol: cfg.protocol, item: cfg.item, listener: ln}
	s.serving.Go(func() { s.err = s.serve() })
	return s, nil
}

// connect makes the uploader that sends to it.
func (s *sink) connect() (*uploader, error) {
	nc, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	return newSender(nc, s.protocol, s.item), nil
}

// serve takes one connection to its end.
func (s *sink) serve() error {
	nc, err := s.listener.Accept()
	_ = s.listener.Close()
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }()
	_, err = s.hub.Take(func(yield func([]byte, error) bool) {
		for buf := make([]byte, sinkBuffer); ; {
			item, err := s.next(nc, buf)
			if errors.Is(err, io.EOF) || !yield(item, err) {
				return
			}
		}
	})
	return err
}

// sinkBuffer holds any frame of check's largest item.
const sinkBuffer = 64 << 10

// next reads a frame and returns a copy of its item.
func (s *sink) next(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:2]); err != nil {
		return nil, err
	}
	n, rest := int(buf[1]&0x7f), 4 // the mask, which is 0
	if n == 126 {
		rest += 2
	}
	if _, err := io.ReadFull(r, buf[:rest]); err != nil {
		return nil, fmt.Errorf("the head of a frame: %w", err)
	}
	if n == 126 {
		n = int(binary.BigEndian.Uint16(buf))
	}
	if n == 127 || n > len(buf) {
		return nil, fmt.Errorf("a frame is larger than %d bytes, which no item is", len(buf))
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return nil, fmt.Errorf("a frame: %w", err)
	}
	if s.protocol == messagePack {
		if n < s.item {
			return nil, fmt.Errorf("a frame of %d bytes holds no item of %d", n, s.item)
		}
		return append([]byte(nil), buf[n-s.item:n]...), nil
	}
	head, tail := len(`{"type":2,"invocationId":"2","item":"`), len("\"}\x1e")
	if n < head+tail {
		return nil, fmt.Errorf("a frame of %d bytes holds no item", n)
	}
	return base64.StdEncoding.AppendDecode(make([]byte, 0, s.item), buf[head:n-tail])
}

// close ends it and says what went wrong; the uploader's connection is closed first.
func (s *sink) close() error {
	_ = s.listener.Close()
	s.serving.Wait()
	if errors.Is(s.err, net.ErrClosed) {
		return nil // nobody has come
	}
	return s.err
}
