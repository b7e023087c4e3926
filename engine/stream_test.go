package engine

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// streamPair returns a stream, what it reports, and its peer's end.
func streamPair(t *testing.T) (*stream, chan readiness, *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan readiness, 1000)
	s := newStream(near, func(bits readiness) { ready <- bits })
	t.Cleanup(func() { s.end(true, 0); _ = far.Close() })
	_ = far.SetDeadline(time.Now().Add(patience))
	return s, ready, far.(*net.TCPConn)
}

// reader is gnet's goroutine: it reads until an error.
func reader(s *stream) (chan string, chan error) {
	got, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		p := make([]byte, 1<<16)
		for {
			n, err := s.Read(p)
			if err != nil {
				ended <- err
				return
			}
			got <- string(p[:n])
		}
	}()
	return got, ended
}

// put writes all of p as a loop does.
func put(t *testing.T, s *stream, ready chan readiness, p []byte) {
	t.Helper()
	for len(p) > 0 {
		n, e := s.write(p)
		switch e {
		case 0:
			p = p[n:]
		case syscall.EAGAIN:
			if bits := await(t, ready, "room"); bits != readyOut {
				t.Fatalf("reported %b", bits)
			}
		default:
			t.Fatal(e)
		}
	}
}

// TestStream: what Windows makes of a connection, on any system.
func TestStream(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, s *stream, ready chan readiness, far *net.TCPConn)
	}{
		{"reads no more than is wanted", func(t *testing.T, s *stream, _ chan readiness, far *net.TCPConn) {
			got, ended := reader(s)
			send(t, far, []byte("one"))
			if p := await(t, got, "the first"); p != "one" {
				t.Fatalf("read %q", p)
			}
			s.more() // not shown yet: nothing happens
			send(t, far, []byte("two"))
			s.mu.Lock()
			if !s.hold || s.reading {
				t.Error("the reader goes on though the loop has not seen what it read")
			}
			s.mu.Unlock()
			s.shown()
			s.more()
			if p := await(t, got, "the second"); p != "two" {
				t.Fatalf("read %q", p)
			}
			s.shown()
			s.more()
			_ = far.Close()
			if err := await(t, ended, "the end"); err != io.EOF || errnoOf(err) != 0 {
				t.Fatalf("ended with %v", err)
			}
		}},
		{"an upload without end stops at the kernel's buffers", func(t *testing.T, s *stream, _ chan readiness, far *net.TCPConn) {
			got, _ := reader(s)
			sent := 0
			for p := make([]byte, 1<<20); ; {
				_ = far.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				n, err := far.Write(p)
				if sent += n; err != nil && n == 0 {
					break
				}
				if sent > 64<<20 {
					t.Fatalf("%d bytes went in", sent)
				}
			}
			if n := len(got); n != 1 {
				t.Errorf("the reader has read %d times", n)
			}
		}},
		{"writes in order, and ends after the last", func(t *testing.T, s *stream, ready chan readiness, far *net.TCPConn) {
			want := numbers(5 << 20)
			go func() {
				put(t, s, ready, want)
				s.finish()
			}()
			got, err := io.ReadAll(far)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
		}},
		{"closes after the last", func(t *testing.T, s *stream, ready chan readiness, far *net.TCPConn) {
			want := numbers(3 << 20)
			go func() {
				put(t, s, ready, want)
				s.end(false, patience)
			}()
			got, err := io.ReadAll(far)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
		}},
		{"a reset ends a write that is stuck", func(t *testing.T, s *stream, ready chan readiness, far *net.TCPConn) {
			p := make([]byte, streamChunk)
			for stuck := false; !stuck; { // until the peer's kernel takes no more
				if _, e := s.write(p); e == syscall.EAGAIN {
					select {
					case <-ready:
					case <-time.After(200 * time.Millisecond):
						stuck = true
					}
				}
			}
			s.end(true, 0)
			await(t, ready, "the end of the write")
			if _, e := s.write(p); e == 0 || e == syscall.EAGAIN {
				t.Errorf("after the end a write gives %v", e)
			}
			if _, err := io.Copy(io.Discard, far); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer sees %v", err)
			}
		}},
		{"a peer's reset", func(t *testing.T, s *stream, _ chan readiness, far *net.TCPConn) {
			_, ended := reader(s)
			_ = far.SetLinger(0)
			_ = far.Close()
			if err := await(t, ended, "the end"); errnoOf(err) != syscall.ECONNRESET {
				t.Errorf("ended with %v", err)
			}
		}},
		{"leaves with what was read and not shown", func(t *testing.T, s *stream, ready chan readiness, far *net.TCPConn) {
			got, ended := reader(s)
			send(t, far, []byte("unseen"))
			await(t, got, "the bytes")
			want := numbers(2 << 20)
			go func() { // so that something is being written
				put(t, s, ready, want)
				nc, unread, err := s.leave()
				if err != nil || string(unread) != "unseen" {
					t.Errorf("left with %q, %v", unread, err)
				}
				send(t, nc, []byte("tail"))
				_ = nc.(interface{ CloseWrite() error }).CloseWrite()
				_ = nc.Close()
			}()
			all, err := io.ReadAll(far)
			if err != nil || !bytes.Equal(all, append(want, "tail"...)) {
				t.Errorf("the peer got %d bytes, %v", len(all), err)
			}
			if err := await(t, ended, "the reader's end"); !errors.Is(err, errLeft) {
				t.Errorf("the reader ended with %v", err)
			}
		}},
		{"leaves while it reads", func(t *testing.T, s *stream, _ chan readiness, far *net.TCPConn) {
			_, ended := reader(s)
			nc, unread, err := s.leave()
			if err != nil || len(unread) != 0 {
				t.Fatalf("left with %q, %v", unread, err)
			}
			await(t, ended, "the reader's end")
			send(t, far, []byte("hello"))
			receive(t, nc, "hello")
			_ = nc.Close()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, ready, far := streamPair(t)
			tc.run(t, s, ready, far)
		})
	}
}
