package spoke_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/certtest"
	"github.com/spokehub/spoke/internal/hubtest"
)

// secureClient is an HTTP client that trusts ca alone, by HTTP/1.1 or HTTP/2.
func secureClient(t *testing.T, ca *certtest.Authority, h2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: h2}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// secureDial is hubtest.Dial under TLS.
func secureDial(t *testing.T, ca *certtest.Authority, addr, path string, header ...string) *hubtest.Client {
	t.Helper()
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool(), NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c, err := hubtest.New(nc, path, header...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talkOverTLS has a client of each transport hear what the others say, and call a method, at https://addr/h.
func talkOverTLS(t *testing.T, ca *certtest.Authority, addr string, client *http.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Timeout)
	defer cancel()
	long := strings.Repeat("long", 5000) // more than a record
	const say = "{\"type\":1,\"target\":\"Send\",\"arguments\":[\"%\",\"text\"]}\x1e"

	socket := secureDial(t, ca, addr, "/h")
	if r := invoke(t, socket, "Echo", long); r != `"`+long+`"` {
		t.Errorf("the WebSocket's echo has %d bytes, want %d", len(r), len(long)+2)
	}
	streamed, err := openRequests(t, "https://"+addr, client, client)
	if err != nil {
		t.Fatal(err)
	}
	events, err := streamed.stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	polled, err := openRequests(t, "https://"+addr, client, client)
	if err == nil {
		_, err = polled.poll(ctx, client)
	}
	if err == nil {
		err = polled.post(shakeHands)
	}
	if err == nil {
		_, err = polled.poll(ctx, client) // the handshake
	}
	if err != nil {
		t.Fatal(err)
	}

	if err := socket.Send("Send", "socket", "text"); err != nil {
		t.Fatal(err)
	}
	for i, r := range []*requests{nil, streamed, polled} {
		from := []string{"socket", "stream", "poll"}[i]
		if r != nil {
			if err := r.post(strings.ReplaceAll(say, "%", from)); err != nil {
				t.Fatal(err)
			}
		}
		if m := next(t, socket); m.Target != "messageReceived" || string(m.Arguments[0]) != `"`+from+`"` {
			t.Errorf("the WebSocket heard %+v, want one of the %s", m, from)
		}
		if got, err := event(events); err != nil || !strings.Contains(got, from) {
			t.Errorf("the event stream heard %q, %v, want one of the %s", got, err, from)
		}
		if got, err := polled.poll(ctx, client); err != nil || !strings.Contains(got, from) {
			t.Errorf("the poll heard %q, %v, want one of the %s", got, err, from)
		}
	}
	if err := streamed.post("{\"type\":1,\"invocationId\":\"9\",\"target\":\"Echo\",\"arguments\":[\"" + long + "\"]}\x1e"); err != nil {
		t.Fatal(err)
	}
	if got, err := event(events); err != nil || !strings.Contains(got, long) {
		t.Errorf("the event stream's echo has %d bytes, %v", len(got), err)
	}
	if err := polled.delete(); err != nil {
		t.Error(err)
	}
	socket.Close() // else the server waits for it to
}

// Behind an https server of net/http all transports work: WebSockets over a bridge, which ends with them.
func TestMountedWithTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		for _, backend := range []string{"epoll", "gnet"} {
			t.Run(name+" and "+backend, func(t *testing.T) {
				t.Parallel()
				cfg := spoke.Config{Drain: -1}
				cfg.Engine.Backend = backend
				s, err := spoke.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				hub := mapHub(t, s, "/h", Room{})
				if err := hub.Handle("Remote", func(c *spoke.Context) string { return c.Request().RemoteAddr }); err != nil {
					t.Fatal(err)
				}
				srv := httptest.NewUnstartedServer(s)
				srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil).Certificate(t)}}
				srv.EnableHTTP2 = h2
				srv.StartTLS()
				defer srv.Close()
				defer func() {
					if err := s.Shutdown(context.Background()); err != nil {
						t.Error(err)
					}
				}()
				addr := srv.Listener.Addr().String()
				talkOverTLS(t, ca, addr, secureClient(t, ca, h2))

				c := secureDial(t, ca, addr, "/h")
				if n := s.Stats().Engine.Bridges; n == 0 {
					t.Error("no bridge was counted")
				}
				if r := invoke(t, c, "Remote"); r != `"`+c.Conn.LocalAddr().String()+`"` {
					t.Errorf("the hub sees the address %s, want %v", r, c.Conn.LocalAddr())
				}
				if err := hub.Clients().All().Send("bye"); err != nil {
					t.Fatal(err)
				}
				if m := next(t, c); m.Target != "bye" {
					t.Errorf("got %+v", m)
				}
				c.Close()
			})
		}
	}
}

// The loops' own end of a WebSocket under TLS, a drain, reaches the client as it does without.
func TestMountedWithTLSDrains(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	mapHub(t, s, "/h", Room{})
	srv := httptest.NewUnstartedServer(s)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil).Certificate(t)}}
	srv.StartTLS()
	defer srv.Close()
	var clients []*hubtest.Client
	for range 5 {
		clients = append(clients, secureDial(t, ca, srv.Listener.Addr().String(), "/h"))
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	for _, c := range clients {
		if m := next(t, c); m.Type != 7 || !m.AllowReconnect {
			t.Errorf("got %+v, want a Close that allows to reconnect", m)
		}
		var closed *hubtest.Closed
		if _, err := c.Next(); !errors.As(err, &closed) || closed.Code != 1000 {
			t.Errorf("then %v, want a close frame 1000", err)
		}
		c.Close()
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A connection wrapped by a middleware in something that is no TLS is bridged, too.
func TestMountedInWrapper(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	mapHub(t, s, "/h", Room{})
	srv := httptest.NewUnstartedServer(s)
	srv.Listener = wrapping{srv.Listener}
	srv.Start()
	defer srv.Close()
	defer s.Shutdown(context.Background())
	c := dial(t, srv.Listener.Addr().String(), "/h")
	if r := invoke(t, c, "Echo", "x"); r != `"x"` {
		t.Errorf("result %s", r)
	}
	c.Close()
}

// A server whose listener makes connections that can move has no bridges: a WebSocket leaves net/http with its TLS.
func TestMountedWithTLSServer(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	for _, backend := range []string{"epoll", "gnet"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			cfg := spoke.Config{Drain: -1}
			cfg.Engine.Backend = backend
			s, err := spoke.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			mapHub(t, s, "/h", Room{})
			srv := httptest.NewUnstartedServer(s)
			srv.Listener = moving{srv.Listener, &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil).Certificate(t)}}}
			srv.Start()
			defer srv.Close()
			defer s.Shutdown(context.Background())
			addr := srv.Listener.Addr().String()
			talkOverTLS(t, ca, addr, secureClient(t, ca, false))
			c := secureDial(t, ca, addr, "/h")
			if r := invoke(t, c, "Echo", "x"); r != `"x"` {
				t.Errorf("result %s", r)
			}
			if n := s.Stats().Engine.Bridges; n != 0 {
				t.Errorf("there are %d bridges", n)
			}
			c.Close()
		})
	}
}

// moving is a listener whose TLS connections can move into the loops.
type moving struct {
	net.Listener
	config *tls.Config
}

func (l moving) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return engine.TLSServer(nc, l.config), nil
}

// wrapping is a listener whose connections are no plain ones to look at.
type wrapping struct{ net.Listener }

func (l wrapping) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return struct{ net.Conn }{nc}, err
}

// secureServer serves a Room at /h by TLS, with a certificate from files.
func secureServer(t *testing.T, ca *certtest.Authority, cfg spoke.Config, mapMore func(s *spoke.Server)) (s *spoke.Server, addr string) {
	t.Helper()
	if cfg.TLS.CertFile == "" {
		cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Issue(nil).Write(t, t.TempDir(), "server")
	}
	return start(t, cfg, func(s *spoke.Server) {
		mapHub(t, s, "/h", Room{})
		if mapMore != nil {
			mapMore(s)
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	for _, backend := range []string{"epoll", "gnet"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			cfg := spoke.Config{}
			cfg.Engine.Backend, cfg.Engine.Loops = backend, 3
			s, addr := secureServer(t, ca, cfg, nil)
			talkOverTLS(t, ca, addr, secureClient(t, ca, false))
			once := secureClient(t, ca, false)
			once.Transport.(*http.Transport).DisableKeepAlives = true // any loop: polls move, with their TLS
			for range 3 {
				talkOverTLS(t, ca, addr, once)
			}
			if n := s.Stats().Engine.Handshakes; n < 8 {
				t.Errorf("%d handshakes were counted", n)
			}
		})
	}
}

// User code sees that a request came by TLS, on the loops, in handlers of net/http on the same port, and in a hub; answers say that the host is for TLS.
func TestTLSIsSeen(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	names := []string{"localhost", "spoke.example", "127.0.0.1"}
	seen := make(chan *http.Request, 10)
	cfg := spoke.Config{Authenticate: func(r *http.Request) (*spoke.Identity, error) { seen <- r; return nil, nil }}
	cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Issue(nil, names...).Write(t, t.TempDir(), "server")
	_, addr := secureServer(t, ca, cfg, func(s *spoke.Server) {
		s.Handle("/plain", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen <- r }))
		if err := mapHub(t, s, "/who", nil).Handle("Version", func(c *spoke.Context) uint16 { return c.Request().TLS.Version }); err != nil {
			t.Fatal(err)
		}
	})
	client := secureClient(t, ca, false)
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	for _, tt := range []struct{ method, url, strict string }{
		{"POST", "https://spoke.example/h/negotiate", "max-age=2592000"}, // on the loop
		{"GET", "https://spoke.example/plain", "max-age=2592000"},        // handed to net/http
		{"POST", "https://spoke.example/h/negotiate", "max-age=2592000"}, // on either
		{"POST", "https://localhost/h/negotiate", ""},
		{"GET", "https://localhost/plain", ""},
	} {
		req, err := http.NewRequest(tt.method, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Strict-Transport-Security") != tt.strict {
			t.Errorf("%s: %d, Strict-Transport-Security %q, want %q", tt.url, res.StatusCode, res.Header.Get("Strict-Transport-Security"), tt.strict)
		}
		if r := <-seen; r.TLS == nil || r.TLS.Version != tls.VersionTLS13 || !r.TLS.HandshakeComplete {
			t.Errorf("%s: the request has %+v", tt.url, r.TLS)
		}
	}
	c := secureDial(t, ca, addr, "/who")
	if r := invoke(t, c, "Version"); r != "772" {
		t.Errorf("the hub sees version %s, want TLS 1.3", r)
	}
	c.Close()
	<-seen
}

// One TLS connection goes from the loop to net/http and back, as a plain one does.
func TestTLSConnectionServesHubsAndHandlers(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	_, addr := secureServer(t, ca, spoke.Config{}, func(s *spoke.Server) {
		s.Handle("/hello", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "hello %d", len(b))
		}))
	})
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(hubtest.Timeout))
	answers := bufio.NewReader(nc)
	for _, tt := range []struct {
		path string
		body int
		want string
	}{
		{"/h/negotiate", 0, `{"negotiateVersion":0`}, {"/hello", 300_000, "hello 300000"}, {"/h/negotiate", 0, `{"negotiateVersion":0`}, {"/hello", 5, "hello 5"},
	} {
		fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", tt.path, tt.body, strings.Repeat("x", tt.body))
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		got, _ := io.ReadAll(res.Body)
		if !strings.HasPrefix(string(got), tt.want) {
			t.Errorf("%s: got %.80q, want %.80q", tt.path, got, tt.want)
		}
	}
	c, err := hubtest.New(nc, "/h")
	if err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, c, "Echo", "back"); r != `"back"` {
		t.Errorf("result %s", r)
	}
}

func TestReloadCertificates(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	dir := t.TempDir()
	var cfg spoke.Config
	cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Issue(nil, "localhost", "first.example").Write(t, dir, "server")
	s, addr := secureServer(t, ca, cfg, nil)
	served := func() string {
		t.Helper()
		nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return nc.ConnectionState().PeerCertificates[0].DNSNames[1]
	}
	if got := served(); got != "first.example" {
		t.Errorf("serves %s", got)
	}
	ca.Issue(nil, "localhost", "second.example").Write(t, dir, "server")
	if err := s.ReloadCertificates(); err != nil {
		t.Error(err)
	}
	if got := served(); got != "second.example" {
		t.Errorf("serves %s after the reload", got)
	}
	if err := os.WriteFile(cfg.TLS.KeyFile, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ReloadCertificates(); err == nil || !strings.Contains(err.Error(), cfg.TLS.KeyFile) {
		t.Errorf("with a broken key: %v", err)
	}
	if got := served(); got != "second.example" {
		t.Errorf("serves %s with a broken key", got)
	}
	if at, ok := s.CertificatesExpire(); !ok || at.Year() != 2099 {
		t.Errorf("expires %v, %v", at, ok)
	}
	plain, _ := start(t, spoke.Config{}, func(*spoke.Server) {})
	if err := plain.ReloadCertificates(); !errors.Is(err, spoke.ErrNoCertificateFiles) {
		t.Errorf("reload without files: %v", err)
	}
}

// Client certificates are asked for by a tls.Config, whose certificate may be a file's, and are there for Authenticate.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cfg := spoke.Config{Authenticate: func(r *http.Request) (*spoke.Identity, error) {
		return &spoke.Identity{UserID: r.TLS.PeerCertificates[0].Subject.CommonName}, nil
	}}
	cfg.TLS.Config = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	_, addr := secureServer(t, ca, cfg, func(s *spoke.Server) {
		if err := mapHub(t, s, "/who", nil).Handle("User", func(c *spoke.Context) string { return c.UserID() }); err != nil {
			t.Fatal(err)
		}
	})
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Issue(nil, "ann").Certificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c, err := hubtest.New(nc, "/who")
	if err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, c, "User"); r != `"ann"` {
		t.Errorf("the user is %s", r)
	}
	without, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool()})
	if err == nil { // in TLS 1.3 the client is through before the server has looked
		defer without.Close()
		without.SetDeadline(time.Now().Add(hubtest.Timeout))
		_, err = without.Read(make([]byte, 1))
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
}

// Behind a proxy that speaks the PROXY protocol TLS begins after the header.
func TestTLSBehindProxyProtocol(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cfg := spoke.Config{ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	_, addr := secureServer(t, ca, cfg, func(s *spoke.Server) {
		if err := mapHub(t, s, "/who", nil).Handle("Remote", func(c *spoke.Context) string { return c.Remote().String() }); err != nil {
			t.Fatal(err)
		}
	})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.WriteString(raw, "PROXY TCP4 192.0.2.7 192.0.2.1 5555 443\r\n"); err != nil {
		t.Fatal(err)
	}
	c, err := hubtest.New(tls.Client(raw, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}), "/who")
	if err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, c, "Remote"); r != `"192.0.2.7:5555"` {
		t.Errorf("the client is %s", r)
	}
}

func TestBadTLSConfig(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	certFile, keyFile := ca.Issue(nil).Write(t, t.TempDir(), "a")
	_, otherKey := ca.Issue(nil).Write(t, t.TempDir(), "b")
	for _, tt := range []struct {
		name string
		tls  spoke.TLSOptions
		want string
	}{
		{"a certificate without a key", spoke.TLSOptions{CertFile: certFile}, "KeyFile is empty"},
		{"a key without a certificate", spoke.TLSOptions{KeyFile: keyFile}, "CertFile is empty"},
		{"two certificates and one key", spoke.TLSOptions{CertFile: certFile + "," + certFile, KeyFile: keyFile}, "2 files and KeyFile 1"},
		{"another's key", spoke.TLSOptions{CertFile: certFile, KeyFile: otherKey}, "does not match"},
		{"a file that is missing", spoke.TLSOptions{CertFile: certFile, KeyFile: keyFile + ".x"}, "no such file"},
		{"limits alone", spoke.TLSOptions{Handshakes: 5}, "neither CertFile nor Config"},
		{"no certificate", spoke.TLSOptions{Config: &tls.Config{}}, "no certificate"},
		{"two sources", spoke.TLSOptions{CertFile: certFile, KeyFile: keyFile, Config: &tls.Config{Certificates: make([]tls.Certificate, 1)}}, "want one of them"},
		{"TLS 1.1", spoke.TLSOptions{CertFile: certFile, KeyFile: keyFile, Config: &tls.Config{MinVersion: tls.VersionTLS11}}, "MinVersion is TLS 1.1"},
		{"a timeout below 0", spoke.TLSOptions{CertFile: certFile, KeyFile: keyFile, HandshakeTimeout: -1}, "HandshakeTimeout is -1ns"},
		{"handshakes below 0", spoke.TLSOptions{CertFile: certFile, KeyFile: keyFile, Handshakes: -1}, "Handshakes is -1"},
		{"computing below 0", spoke.TLSOptions{CertFile: certFile, KeyFile: keyFile, HandshakesComputing: -1}, "Computing is -1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := spoke.New(spoke.Config{TLS: tt.tls})
			if err == nil {
				t.Fatalf("made %v", s)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}
