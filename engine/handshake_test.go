package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// staller is a client's end that lets only the beginning through of what is written, and swallows the rest.
type staller struct {
	*MemoryConn
	writes int             // so many pass whole, and half of the next
	hello  func(n int) int // not nil: how many bytes of the first pass
	done   int
}

// Write implements net.Conn.
func (s *staller) Write(p []byte) (int, error) {
	n := 0
	switch s.done++; {
	case s.done <= s.writes:
		n = len(p)
	case s.done == s.writes+1:
		n = len(p) / 2
		if s.hello != nil {
			n = s.hello(len(p))
		}
	}
	if _, err := s.MemoryConn.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// stalls are the steps of the handshake at which a client may stop.
var stalls = []struct {
	name   string
	writes int
	hello  func(n int) int
}{
	{"nothing", 0, func(int) int { return 0 }},
	{"one byte", 0, func(int) int { return 1 }},
	{"a record's header", 0, func(int) int { return recordHeader }},
	{"half a ClientHello", 0, nil},
	{"all of a ClientHello but a byte", 0, func(n int) int { return n - 1 }},
	{"a ClientHello, and no answer to the ServerHello", 0, func(n int) int { return n }},
	{"half a Finished", 1, nil},
}

// memoryEngine is an engine of the memory backend that ends before the bubble does.
func memoryEngine(t *testing.T, cfg Config) *Engine {
	t.Helper()
	cfg.Backend = backendMemory
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		e.settled(t)
		if s := e.Stats(); s.HandshakesRunning != 0 {
			t.Errorf("%d handshakes are said to run in an engine that has stopped", s.HandshakesRunning)
		}
	})
	return e
}

// dialMemory makes a connection for open.
func dialMemory(t *testing.T, e *Engine, open func(c *Conn) Handler) *MemoryConn {
	t.Helper()
	nc, err := e.Dial(open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc.(*MemoryConn)
}

// secured is a client that has its handshake behind it.
func secured(t *testing.T, e *Engine, by *Handshaker, cfg *tls.Config, open func(c *Conn) Handler) *tls.Conn {
	t.Helper()
	tc := tls.Client(dialMemory(t, e, by.Open(open)), cfg)
	_ = tc.SetDeadline(time.Now().Add(patience))
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return tc
}

// TestHandshakeStalls: whatever a client sends of its handshake, it is gone at the deadline, and nothing of it is left (the bubble ends with its goroutines); others are
// not disturbed.
func TestHandshakeStalls(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tc := range stalls {
			t.Run(tls.VersionName(version)+"/"+tc.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := memoryEngine(t, Config{Loops: 1})
					by := handshaker(t, TLS{HandshakeTimeout: 10 * time.Second})
					plain := dialMemory(t, e, echo().open)
					raw := dialMemory(t, e, by.Open(func(*Conn) Handler { t.Error("the handshake has succeeded"); return nil }))
					cfg := clientTLS()
					cfg.MinVersion, cfg.MaxVersion = version, version
					client := tls.Client(&staller{MemoryConn: raw, writes: tc.writes, hello: tc.hello}, cfg)
					ended := make(chan error, 1)
					go func() {
						err := client.Handshake()
						if err == nil { // with TLS 1.3 the client has nothing to wait for
							_, err = client.Read(make([]byte, 1))
						}
						ended <- err
					}()
					time.Sleep(9 * time.Second)
					send(t, plain, []byte("plain"))
					receive(t, plain, "plain")
					select {
					case err := <-ended:
						t.Fatalf("ended after 9 s of 10: %v", err)
					default:
					}
					time.Sleep(3 * time.Second)
					synctest.Wait()
					select {
					case <-ended:
					default:
						t.Fatal("not ended after 12 s of 10")
					}
					send(t, plain, []byte("plain"))
					receive(t, plain, "plain")
					if s := e.Stats(); s.Closed[TLSHandshakeTimeout] != 1 || s.HandshakesFailed != 1 || s.Handshakes != 0 || s.HandshakesRunning != 0 || s.Open != 1 {
						t.Errorf("counted: %+v", s)
					}
				})
			})
		}
	}
}

// TestHandshakeFlood: clients that stop in the middle of their handshakes take the places there are, and no more; above that new ones are refused at once. After a
// second they make room for others, and when their time is over they are all gone.
func TestHandshakeFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit, many = 50, 500
		e := memoryEngine(t, Config{Loops: 2})
		by := handshaker(t, TLS{Handshakes: limit, Computing: 2})
		plain := dialMemory(t, e, echo().open)
		for range many {
			raw := dialMemory(t, e, by.Open(echo().open))
			client := tls.Client(&staller{MemoryConn: raw, hello: func(n int) int { return n }}, clientTLS())
			go func() { _ = client.Handshake() }()
		}
		synctest.Wait()
		send(t, plain, []byte("plain"))
		receive(t, plain, "plain")
		if s := e.Stats(); s.HandshakesRunning != limit || s.HandshakesRefused != many-limit || s.Closed[Refused] != many-limit || s.Open != limit+1 {
			t.Fatalf("counted: %+v", s)
		}
		time.Sleep(2 * time.Second)
		early := secured(t, e, by, clientTLS(), echo().open) // in the place of one that has waited for more than a second
		synctest.Wait()
		if s := e.Stats(); s.HandshakesRunning != limit-1 || s.Closed[TLSHandshakeTimeout] != 1 || s.Handshakes != 1 || s.HandshakesRefused != many-limit {
			t.Fatalf("counted after a client that wanted in: %+v", s)
		}
		_ = early.Close()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := e.Stats(); s.HandshakesRunning != 0 || s.Closed[TLSHandshakeTimeout] != limit || s.Open != 1 {
			t.Fatalf("counted after the deadline: %+v", s)
		}
		tc := secured(t, e, by, clientTLS(), echo().open)
		send(t, tc, []byte("in"))
		receive(t, tc, "in")
		_ = tc.Close()
	})
}

// TestHandshakeTurns: of many handshakes so many compute at once as may; one whose client goes while it waits for its turn has no goroutine, and takes nobody's place.
func TestHandshakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := memoryEngine(t, Config{Loops: 1})
		entered, release := make(chan struct{}, 10), make(chan struct{})
		cfg := serverTLS()
		cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			entered <- struct{}{}
			<-release
			return nil, nil
		}
		by := handshaker(t, TLS{Config: cfg, Computing: 2})
		var raws []*MemoryConn
		results := make(chan error, 10)
		for range 6 {
			raw := dialMemory(t, e, by.Open(echo().open))
			raws = append(raws, raw)
			go func() { results <- tls.Client(raw, clientTLS()).Handshake() }()
			synctest.Wait()
		}
		if n := len(entered); n != 2 {
			t.Fatalf("%d handshakes compute, want 2", n)
		}
		_ = raws[3].Reset()
		synctest.Wait()
		if s := e.Stats(); s.HandshakesRunning != 5 || s.Closed[PeerReset] != 1 {
			t.Errorf("after a client has gone: %+v", s)
		}
		close(release)
		failed := 0
		for range 6 {
			if <-results != nil {
				failed++
			}
		}
		synctest.Wait()
		if s := e.Stats(); failed != 1 || s.Handshakes != 5 || s.HandshakesFailed != 1 || s.HandshakesRunning != 0 {
			t.Errorf("%d clients have failed; counted: %+v", failed, s)
		}
		for _, raw := range raws {
			_ = raw.Close()
		}
	})
}

// TestHandshakeRefusals: what is no handshake that can succeed ends at once, with a reason that says so.
func TestHandshakeRefusals(t *testing.T) {
	t.Parallel()
	header := func(n int) []byte { return []byte{22, 3, 1, byte(n >> 8), byte(n)} }
	for _, tc := range []struct {
		name, sent string
		answer     string // "*": an alert
		reason     CloseReason
		text       string
	}{
		{"plain HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", plainHTTPAnswer, TLSHandshakeFailed, "HTTP request"},
		{"plain HTTP, a POST", "POST /chat/negotiate HTTP/1.1\r\n", plainHTTPAnswer, TLSHandshakeFailed, "HTTP request"},
		{"SSH", "SSH-2.0-OpenSSH_9.7\r\n", "", TLSHandshakeFailed, "no TLS handshake"},
		{"zeros", "\x00\x00\x00\x00\x00", "", TLSHandshakeFailed, "no TLS handshake"},
		{"SSL 2", "\x80\x2e\x01\x00\x02", "", TLSHandshakeFailed, "no TLS handshake"},
		{"an alert", "\x15\x03\x01\x00\x02\x02\x28", "", TLSHandshakeFailed, "no TLS handshake"},
		{"version 16", "\x16\x10\x00\x00\x05", "", TLSHandshakeFailed, "no TLS handshake"},
		{"an empty record", string(header(0)), "", TLSHandshakeFailed, "no TLS handshake"},
		{"a record that is too large", string(header(recordMax + 1)), "", TLSHandshakeFailed, "no TLS handshake"},
		{"a ClientHello that is too large", string(header(4)) + "\x01\x00\x80\x00", "", TLSHandshakeFailed, "ClientHello of 32772 bytes, at most 16384"},
		{"another message", string(header(4)) + "\x02\x00\x00\x00", "*", TLSHandshakeFailed, "TLS handshake"},
		{"a ClientHello of nonsense", string(header(12)) + "\x01\x00\x00\x08nonsense", "*", TLSHandshakeFailed, "TLS handshake"},
		{"more behind the ClientHello than fits", string(header(1000)) + "\x01\x00\x40\x00" + strings.Repeat("x", 20_000), "", TLSHandshakeFailed, ""},
		{"an end in the middle", string(header(100)) + "\x01\x00", "", TLSHandshakeFailed, "unexpected EOF"},
		{"an end at once", "", "", PeerClosed, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, cutAll := range []bool{false, true} {
				w := start(t, Config{}, memoryBackend)
				by := handshaker(t, TLS{})
				closed, ends := endings()
				p := w.connect(func(c *Conn) Handler {
					return endWatched{by.Open(func(*Conn) Handler { t.Error("the handshake has succeeded"); return nil })(c), closed}
				})
				for i := 0; cutAll && i < len(tc.sent) && i < 100; i++ {
					_, _ = p.Write([]byte(tc.sent[i : i+1])) // the end may come in between
				}
				if !cutAll {
					_, _ = p.Write([]byte(tc.sent))
				}
				_ = p.CloseWrite()
				got, _ := io.ReadAll(p)
				if tc.answer == "*" {
					if len(got) == 0 || got[0] != 21 {
						t.Errorf("the answer is %q, want an alert", got)
					}
				} else if string(got) != tc.answer {
					t.Errorf("the answer is %q, want %q", got, tc.answer)
				}
				end := await(t, ends, "the end")
				if end.reason != tc.reason || !strings.Contains(fmt.Sprint(end.err), tc.text) {
					t.Errorf("ended with %v, %v; want %v, %q", end.reason, end.err, tc.reason, tc.text)
				}
			}
		})
	}
}

// endWatched is a Handler whose end is watched.
type endWatched struct {
	Handler
	closed func(c *Conn, r CloseReason, err error)
}

func (w endWatched) OnClose(c *Conn, r CloseReason, err error) {
	w.Handler.OnClose(c, r, err)
	w.closed(c, r, err)
}

// TestHandshakeOutcomes: what clients and server agree on, or do not.
func TestHandshakeOutcomes(t *testing.T) {
	t.Parallel()
	cert, pool := identity()
	type outcome struct {
		state tls.ConnectionState
		err   error
	}
	for _, tc := range []struct {
		name   string
		server func(cfg *tls.Config)
		client func(cfg *tls.Config)
		want   string // of the client's error; "" is success
		check  func(t *testing.T, s tls.ConnectionState)
	}{
		{"TLS 1.0", nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }, "protocol version not supported", nil},
		{"TLS 1.1", nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, "protocol version not supported", nil},
		{"ALPN", nil, nil, "", func(t *testing.T, s tls.ConnectionState) {
			if s.NegotiatedProtocol != "http/1.1" || s.ServerName != "localhost" || s.Version != tls.VersionTLS13 {
				t.Errorf("agreed on %q for %q with %x", s.NegotiatedProtocol, s.ServerName, s.Version)
			}
		}},
		{"no common protocol", nil, func(c *tls.Config) { c.NextProtos = []string{"h2"} }, "no application protocol", nil},
		{"no ALPN", nil, func(c *tls.Config) { c.NextProtos = nil }, "", nil},
		{"a client certificate", func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool },
			func(c *tls.Config) { c.Certificates = []tls.Certificate{cert} }, "", func(t *testing.T, s tls.ConnectionState) {
				if len(s.VerifiedChains) != 1 {
					t.Errorf("%d verified chains, want 1", len(s.VerifiedChains))
				}
			}},
		{"no client certificate", func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool }, nil, "certificate required", nil},
		{"a certificate by name", func(c *tls.Config) {
			c.Certificates = nil
			c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if h.ServerName != "localhost" || h.Conn.RemoteAddr() == nil || h.Conn.LocalAddr() == nil {
					return nil, errors.New("another server")
				}
				return &cert, nil
			}
		}, nil, "", nil},
		{"a configuration by client", func(c *tls.Config) {
			own := c.Clone()
			own.NextProtos = []string{"http/1.1"}
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return own, nil }
		}, nil, "", nil},
		{"a configuration by client that allows too little", func(c *tls.Config) {
			own := c.Clone()
			own.MinVersion = tls.VersionTLS10
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return own, nil }
		}, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "*", nil},
		{"a configuration that fails", func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no") }
		}, nil, "internal error", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, Config{}, memoryBackend)
			scfg, ccfg := serverTLS(), clientTLS()
			if tc.server != nil {
				tc.server(scfg)
			}
			if tc.client != nil {
				tc.client(ccfg)
			}
			states := make(chan tls.ConnectionState, 1)
			by := handshaker(t, TLS{Config: scfg})
			p := w.connect(by.Open(func(c *Conn) Handler {
				s, ok := c.TLS()
				if !ok || !c.Encrypted() {
					t.Error("a connection with TLS says that it is plain")
				}
				states <- s
				return echo()
			}))
			client := tls.Client(p, ccfg)
			err := func() error {
				if _, err := client.Write([]byte("hello")); err != nil {
					return err
				}
				_, err := io.ReadFull(client, make([]byte, 5))
				return err
			}()
			if tc.want != "" {
				if err == nil || tc.want != "*" && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("the client's error is %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := await(t, states, "the state")
			if tc.check != nil {
				tc.check(t, s)
			}
		})
	}
}

// TestResumption: a client that comes again is recognised by its ticket.
func TestResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			w := start(t, Config{}, memoryBackend)
			by := handshaker(t, TLS{})
			ccfg := clientTLS()
			ccfg.MinVersion, ccfg.MaxVersion = version, version
			ccfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			resumed := make(chan bool, 1)
			for i := range 3 {
				p := w.connect(by.Open(func(c *Conn) Handler {
					s, _ := c.TLS()
					resumed <- s.DidResume
					return echo()
				}))
				client := tls.Client(p, ccfg)
				send(t, client, []byte("hello"))
				receive(t, client, "hello") // with TLS 1.3 the ticket comes before
				if got := await(t, resumed, "the handshake"); got != (i > 0) {
					t.Errorf("connection %d has been resumed: %v", i, got)
				}
				_ = client.Close()
			}
		})
	}
}

// TestSecure: a connection that begins plain is secured behind what its handler has consumed, also when the ClientHello came with it.
func TestSecure(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		w := start(t, Config{}, memoryBackend)
		by := handshaker(t, TLS{})
		const header = "PROXY UNKNOWN\r\n"
		p := w.connect(func(*Conn) Handler {
			return &probe{data: func(c *Conn, p []byte) int {
				if len(p) < len(header) {
					return 0
				}
				if c.Encrypted() {
					t.Error("a plain connection says that it speaks TLS")
				}
				c.Secure(by, echo().open)
				return len(header)
			}}
		})
		if !together {
			send(t, p, []byte(header))
		}
		client := tls.Client(&prefixed{Conn: p, prefix: map[bool]string{true: header}[together]}, clientTLS())
		send(t, client, []byte("hello"))
		receive(t, client, "hello")
		_ = client.Close()
	}
}

// prefixed writes prefix together with what is written first.
type prefixed struct {
	net.Conn
	prefix string
}

// Write implements net.Conn.
func (c *prefixed) Write(p []byte) (int, error) {
	if c.prefix == "" {
		return c.Conn.Write(p)
	}
	_, err := c.Conn.Write(append([]byte(c.prefix), p...))
	c.prefix = ""
	return len(p), err
}

// TestSecureTwice: TLS within TLS is not served.
func TestSecureTwice(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, memoryBackend)
	by := handshaker(t, TLS{})
	closed, ends := endings()
	p := w.connect(by.Open(func(*Conn) Handler {
		return &probe{data: func(c *Conn, p []byte) int { c.Secure(by, echo().open); return 0 }, close: closed}
	}))
	_, _ = tls.Client(p, clientTLS()).Write([]byte("x"))
	if e := await(t, ends, "the end"); e.reason != InternalError {
		t.Errorf("ended with %v, %v", e.reason, e.err)
	}
}

// TestDetachInHandshake: a connection cannot leave in the middle of its handshake; and when somebody gives it another handler, what the handshake has ends at its time.
func TestDetachInHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := memoryEngine(t, Config{Loops: 1})
		by := handshaker(t, TLS{Handshakes: 1})
		var r Ref
		raw := dialMemory(t, e, func(c *Conn) Handler { r = c.Ref(); return by.Open(echo().open)(c) })
		client := tls.Client(&staller{MemoryConn: raw, hello: func(n int) int { return n }}, clientTLS())
		go func() { _ = client.Handshake() }()
		synctest.Wait()
		on(t, e.Loops()[0], func() {
			if _, err := r.Conn().Detach(nil); err == nil || !strings.Contains(err.Error(), "TLS handshake") {
				t.Errorf("Detach answers %v", err)
			}
			r.Conn().SetHandler(echo())
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		_ = raw.Close()
		tc := secured(t, e, by, clientTLS(), echo().open) // in the only place there is
		_ = tc.Close()
	})
}

// TestHandshakePanic: a function of the configuration that panics ends one connection.
func TestHandshakePanic(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, memoryBackend)
	cfg := serverTLS()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { panic("a fault of the user's") }
	p := w.connect(handshaker(t, TLS{Config: cfg}).Open(echo().open))
	if err := tls.Client(p, clientTLS()).Handshake(); err == nil {
		t.Error("the handshake has succeeded")
	}
	if n := w.Stats().Panics; n != 1 {
		t.Errorf("%d panics were counted, want 1", n)
	}
}

func TestTLSConfig(t *testing.T) {
	t.Parallel()
	cert, _ := identity()
	good := []tls.Certificate{cert}
	for _, tc := range []struct {
		name string
		cfg  TLS
		want []string // "": it is right
	}{
		{"nothing", TLS{}, []string{"Config is nil"}},
		{"no certificate", TLS{Config: &tls.Config{}}, []string{"no certificate"}},
		{"defaults", TLS{Config: &tls.Config{Certificates: good}}, nil},
		{"TLS 1.3 only", TLS{Config: &tls.Config{Certificates: good, MinVersion: tls.VersionTLS13}}, nil},
		{"TLS 1.0", TLS{Config: &tls.Config{Certificates: good, MinVersion: tls.VersionTLS10}}, []string{"MinVersion is TLS 1.0, but at least TLS 1.2"}},
		{"TLS 1.1 at most", TLS{Config: &tls.Config{Certificates: good, MaxVersion: tls.VersionTLS11}}, []string{"MaxVersion is TLS 1.1, but at least TLS 1.2"}},
		{"all at once", TLS{HandshakeTimeout: -1, Handshakes: -1, Computing: -1}, []string{"Config is nil", "HandshakeTimeout", "Handshakes is -1", "Computing is -1"}},
		{"too long", TLS{Config: &tls.Config{Certificates: good}, HandshakeTimeout: 25 * time.Hour}, []string{"HandshakeTimeout is 25h0m0s, but at most 24h"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, err := NewHandshaker(tc.cfg)
			if len(tc.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if c := h.cfg.Config; c == tc.cfg.Config || c.MinVersion < tls.VersionTLS12 || len(c.NextProtos) != 1 {
					t.Errorf("the configuration is %+v", c)
				}
				return
			}
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %v, want %q", err, want)
				}
			}
		})
	}
	e := memoryEngine(t, Config{})
	if _, err := e.ListenTLS("tcp", "127.0.0.1:0", TLS{}, echo().open); err == nil || !strings.Contains(err.Error(), "Config is nil") {
		t.Errorf("ListenTLS answers %v", err)
	}
}

// FuzzHandshake: no bytes instead of a handshake do more than end the connection, and all of them are gone when the engine has stopped.
func FuzzHandshake(f *testing.F) {
	_, server := Pipe()
	_ = server.Close()
	var hello bytes.Buffer
	_ = tls.Client(&tap{MemoryConn: server, into: &hello}, clientTLS()).Handshake()
	f.Add(hello.Bytes(), uint16(hello.Len()/2))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint16(3))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, uint16(0))
	by := handshaker(f, TLS{HandshakeTimeout: time.Second})
	f.Fuzz(func(t *testing.T, sent []byte, cut uint16) {
		synctest.Test(t, func(t *testing.T) {
			e := memoryEngine(t, Config{Loops: 1, Linger: time.Second})
			p := dialMemory(t, e, by.Open(echo().open))
			at := min(int(cut), len(sent))
			go func() { _, _ = io.Copy(io.Discard, p) }()
			_, _ = p.Write(sent[:at])
			synctest.Wait()
			_, _ = p.Write(sent[at:])
			time.Sleep(5 * time.Second)
			if n := e.Stats().Open; n != 0 {
				t.Errorf("%d connections are open after the deadline", n)
			}
		})
	})
}
