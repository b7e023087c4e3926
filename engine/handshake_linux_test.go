package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// TestHandshakeFloodOverSockets is TestHandshakeFlood with sockets and a real clock, half of the clients stopping at another byte of their hello each, the others behind it, while plain clients of the same loops go on.
func TestHandshakeFloodOverSockets(t *testing.T) {
	t.Parallel()
	const limit, many, timeout = 100, 400, 2 * time.Second
	hello := clientHello(t, tls.VersionTLS13)
	for _, backend := range []string{backendEpoll, backendGnet} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			e, err := New(Config{Backend: backend, Loops: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Shutdown(t.Context()) }()
			plainAt, err := e.Listen("tcp", "127.0.0.1:0", echo().open)
			if err != nil {
				t.Fatal(err)
			}
			secureAt, err := e.ListenTLS("tcp", "127.0.0.1:0", TLS{Config: serverTLS(), Handshakes: limit, HandshakeTimeout: timeout}, echo().open)
			if err != nil {
				t.Fatal(err)
			}
			var plain []net.Conn
			for range 2 { // of both loops, as a rule
				nc, err := net.Dial("tcp", plainAt.String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				plain = append(plain, nc)
			}
			over := make(chan struct{})
			var others sync.WaitGroup
			for _, nc := range plain {
				others.Go(func() {
					var slowest time.Duration
					n := 0
					for p := make([]byte, 5); ; n++ {
						select {
						case <-over:
							if n == 0 || slowest >= timeout {
								t.Errorf("a plain client: %d answers, the slowest after %v", n, slowest)
							}
							return
						case <-time.After(time.Millisecond):
						}
						began := time.Now()
						_ = nc.SetDeadline(began.Add(patience))
						if _, err := nc.Write([]byte("plain")); err != nil {
							t.Errorf("a plain client after %d answers: %v", n, err)
							return
						}
						if _, err := io.ReadFull(nc, p); err != nil {
							t.Errorf("a plain client after %d answers: %v", n, err)
							return
						}
						slowest = max(slowest, time.Since(began))
					}
				})
			}

			var flood sync.WaitGroup
			for i := range many {
				nc, err := net.Dial("tcp", secureAt.String())
				if err != nil {
					t.Fatal(err)
				}
				flood.Go(func() {
					defer nc.Close()
					_, _ = nc.Write(hello[:min(len(hello), 2*i*len(hello)/many)]) // it may be refused already
					_ = nc.SetReadDeadline(time.Now().Add(patience))
					if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("client %d of %d, half of which stop in the middle of their hello, is there after %v", i, many, patience)
					}
				})
			}
			flood.Wait()
			close(over)
			others.Wait()

			client, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", secureAt.String(), clientTLS())
			if err != nil {
				t.Fatal(err)
			}
			send(t, client, []byte("in"))
			receive(t, client, "in")
			for _, nc := range append(plain, client) {
				_ = nc.Close()
			}
			if err := e.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			e.settled(t)
			s := e.Stats()
			if gone := s.Closed[TLSHandshakeTimeout] + s.Closed[Refused]; gone != many || s.HandshakesRunning != 0 || s.Handshakes != 1 || s.Accepted != many+int64(len(plain))+1 {
				t.Errorf("%d of %d are gone; counted: %+v", gone, many, s)
			}
		})
	}
}
