package http1

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// proxied is a server whose peers, which have no address in memory, are trusted, and that answers with "RemoteAddr Remote scheme Host TARGET".
func proxied(t *testing.T, list string, protocol bool) Config {
	t.Helper()
	trust, err := proxy.ParseTrust(list)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Trust: &trust, ProxyProtocol: protocol, Serve: origins}
}

func origins(x *Exchange) {
	r := x.Request()
	x.Reply(200, nil, []byte(strings.Join([]string{r.RemoteAddr, x.Remote().String(), proxy.Scheme(r), r.Host, r.RequestURI}, " ")))
}

const (
	lineV1  = "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n"
	blockV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x14\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb\x20\x00\x05\x01\x00\x00\x00\x00" // the client came by TLS
	localV2 = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	unixV2  = "\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8"
	get     = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	lie     = "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: y\r\n\r\n"
)

func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, trusted, in string
		status            int
		body              string
	}{
		{"nobody is trusted", "10.0.0.0/8", lie, 200, "@ invalid AddrPort http x /a"},
		{"a proxy", "unix", lie, 200, "203.0.113.9:0 203.0.113.9:0 https y /a"},
		{"a proxy that says nothing", "unix", get, 200, "@ invalid AddrPort http x /a"},
		{"Forwarded", "unix", "GET /a HTTP/1.1\r\nHost: x\r\nForwarded: for=\"[2001:db8::1]:80\";host=y;proto=https\r\n\r\n", 200, "[2001:db8::1]:80 [2001:db8::1]:80 https y /a"},
		{"the absolute form is the client's own word", "unix", "GET https://x/a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n", 200, "192.0.2.7:0 192.0.2.7:0 http x https://x/a"},
		{"an untrue one", "unix", "GET /a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: me\r\n\r\n", 400, "X-Forwarded-For from a trusted proxy has an entry that is no address\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, proxied(t, tt.trusted, false), func(t *testing.T, s *server) {
				c := s.dial()
				c.send(tt.in)
				if c.want(tt.status, tt.body); tt.status == 200 {
					c.send(get) // the next request is another one's
					c.want(200, "@ invalid AddrPort http x /a")
				}
				c.close()
				s.quiet()
			})
		})
	}
}

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	client := "192.0.2.1:51234 192.0.2.1:51234 "
	for _, tt := range []struct{ name, trusted, header, request, body string }{
		{"version 1", "unix", lineV1, get, client + "http x /a"},
		{"version 2", "unix", blockV2, get, client + "https x /a"},
		{"the client's own headers are a lie", "unix", lineV1, lie, client + "http x /a"},
		{"the client is another proxy", "unix,192.0.2.0/24", lineV1, lie, "203.0.113.9:0 203.0.113.9:0 https y /a"},
		{"the proxy itself", "unix", localV2, lie, "203.0.113.9:0 203.0.113.9:0 https y /a"},
		{"somebody", "unix", "PROXY UNKNOWN\r\n", lie, "@ invalid AddrPort http x /a"},
		{"somebody on a unix socket", "unix", unixV2 + strings.Repeat("/", 216), lie, "@ invalid AddrPort http x /a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, proxied(t, tt.trusted, true), func(t *testing.T, s *server) {
				c := s.dial() // at once, two requests
				c.send(tt.header + tt.request + tt.request)
				c.want(200, tt.body)
				c.want(200, tt.body)
				c.close()
				for cut := range len(tt.header) { // split at any byte
					c := s.dial()
					c.send(tt.header[:cut])
					synctest.Wait()
					c.send(tt.header[cut:] + tt.request)
					c.want(200, tt.body)
					c.close()
				}
				s.quiet()
			})
		})
	}
}

func TestProxyProtocolRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, trusted, in string
		body              string
	}{
		{"a trusted proxy without a header", "unix", get, "the connection does not begin with a PROXY protocol header"},
		{"TLS instead of a header", "unix", "\x16\x03\x01", "the connection does not begin with a PROXY protocol header"},
		{"half a header, then HTTP", "unix", "PROXY TCP4 192.0.2.1 " + get, "(version 1) is no line such as"},
		{"a header without an end", "unix", "PROXY TCP4 " + strings.Repeat("1", 97), "no CR LF in its first 107 bytes"},
		{"a bad CRC", "unix", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x13\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb\x03\x00\x04\x00\x00\x00\x00" + get, "does not have the CRC that it says"},
		{"twice", "unix", lineV1 + lineV1 + get, "the request line does not end in a version"},
		{"version 1 from somebody else", "10.0.0.0/8", lineV1 + get, "the request line does not end in a version"},
		{"version 2 from somebody else", "10.0.0.0/8", blockV2 + get, "the first byte is not that of a method"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, proxied(t, tt.trusted, true), func(t *testing.T, s *server) {
				c := s.dial()
				c.send(tt.in)
				if r := c.answer(http.MethodGet); r.StatusCode != 400 || !strings.Contains(r.body, tt.body) {
					t.Fatalf("answer %d %q: want 400 with %q", r.StatusCode, r.body, tt.body)
				}
				c.eof()
				c.close()
				s.closed(engine.BadRequest)
				s.quiet()
			})
		})
	}
	t.Run("somebody else without a header", func(t *testing.T) {
		t.Parallel()
		bubble(t, proxied(t, "10.0.0.0/8", true), func(t *testing.T, s *server) {
			c := s.dial()
			c.send(lie)
			c.want(200, "@ invalid AddrPort http x /a")
			c.close()
		})
	})
}

func TestProxyProtocolTimes(t *testing.T) {
	t.Parallel()
	cfg := proxied(t, "unix", true)
	cfg.HeadTimeout = 3 * time.Second
	for _, in := range []string{"", "PROXY TCP4 ", blockV2[:20]} {
		bubble(t, cfg, func(t *testing.T, s *server) {
			c := s.dial()
			c.send(in)
			begin := time.Now()
			c.want(408, "no PROXY protocol header came within 3s\n")
			if d := time.Since(begin); d < 3*time.Second || d > 5*time.Second {
				t.Errorf("after %v: want 3 s and a little", d)
			}
			c.eof()
			c.close()
			s.closed(engine.HeadTimeout)
		})
	}
	bubble(t, cfg, func(t *testing.T, s *server) { // then HTTP has its own time
		c := s.dial()
		time.Sleep(2 * time.Second)
		c.send(lineV1)
		time.Sleep(2 * time.Second)
		c.send(get)
		c.want(200, "")
		c.close()
		synctest.Wait()
	})
	bubble(t, cfg, func(t *testing.T, s *server) { // a look whether somebody is there
		for _, in := range []string{"", "PROXY"} {
			c := s.dial()
			c.send(in)
			synctest.Wait()
			c.close()
			synctest.Wait()
		}
		s.closed(engine.PeerClosed, engine.PeerClosed)
		s.quiet()
	})
}

// TestProxyProtocolStays checks that a connection keeps its peer when it moves to another loop, where no other header is waited for, and when it is given away.
func TestProxyProtocolStays(t *testing.T) {
	t.Parallel()
	given := make(chan proxy.Peer, 1)
	cfg := proxied(t, "unix", true)
	cfg.HandOver = func(nc net.Conn, peer *proxy.Peer) {
		nc.Close()
		given <- *peer
	}
	synctest.Test(t, func(t *testing.T) {
		var s *server
		moved := false // both loops, one after the other
		cfg.Serve = func(x *Exchange) {
			loops := s.e.Loops()
			switch path := x.Request().URL.Path; {
			case path == "/b":
				x.HandOver()
			case path == "/move" && !moved:
				moved = true
				if to := loops[0]; to != x.Conn().Loop() {
					x.Move(to)
				} else {
					x.Move(loops[1])
				}
			default:
				origins(x)
			}
		}
		s = startLoops(t, cfg, 2)
		defer s.stop()
		c := s.dial()
		c.send(blockV2 + "GET /move HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want(200, "192.0.2.1:51234 192.0.2.1:51234 https x /move")
		c.send(lie)
		c.want(200, "192.0.2.1:51234 192.0.2.1:51234 https x /a")
		c.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
		if got, want := <-given, (proxy.Peer{Addr: netip.MustParseAddrPort("192.0.2.1:51234"), TLS: true}); got != want {
			t.Errorf("handed over with %+v, want %+v", got, want)
		}
		c.eof()
	})
}

// TestProxyProtocolBeforeTLS sends a header and then a ClientHello behind it, split at any byte of the header: the rest of it comes with the ClientHello.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	start := func(trusted string) Config {
		h, err := engine.NewHandshaker(engine.TLS{Config: &tls.Config{Certificates: web.TLS.Certificates}})
		if err != nil {
			t.Fatal(err)
		}
		cfg := proxied(t, trusted, true)
		cfg.TLS = h
		return cfg
	}
	ask := func(t *testing.T, c *client, header, want string) {
		tc := tls.Client(&prefixed{c.nc, header}, &tls.Config{RootCAs: roots, ServerName: "example.com"})
		if _, err := io.WriteString(tc, lie); err != nil {
			t.Fatal(err)
		}
		(&client{t, c.nc, bufio.NewReader(tc)}).want(200, want)
		c.close()
	}
	bubble(t, start("unix"), func(t *testing.T, s *server) {
		s.cfg.Serve = func(x *Exchange) { x.Reply(200, nil, []byte(x.Request().RemoteAddr)) }
		for cut := range len(lineV1) {
			c := s.dial()
			c.send(lineV1[:cut])
			synctest.Wait()
			ask(t, c, lineV1[cut:], "192.0.2.1:51234")
		}
		c := s.dial() // HTTP where TLS should begin
		c.send(lineV1 + get)
		if r := c.answer(http.MethodGet); r.StatusCode != 400 {
			t.Errorf("plain HTTP is answered with %d", r.StatusCode)
		}
		c.close()
		c = s.dial() // TLS where a header should begin
		c.send("\x16\x03\x01")
		c.want(400, "")
		c.close()
		s.quiet()
	})
	bubble(t, start("10.0.0.0/8"), func(t *testing.T, s *server) { // who is not trusted has no header
		s.cfg.Serve = func(x *Exchange) { x.Reply(200, nil, []byte(x.Request().RemoteAddr)) }
		ask(t, s.dial(), "", "@")
		s.quiet()
	})
}

// prefixed writes something before the first bytes, in one piece with them.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.prefix == "" {
		return p.Conn.Write(b)
	}
	all := append([]byte(p.prefix), b...)
	n, err := p.Conn.Write(all)
	n -= len(p.prefix)
	p.prefix = ""
	return max(n, 0), err
}

// FuzzPreface feeds a connection of the PROXY protocol at once and in pieces: it says the same, and never goes on without a header.
func FuzzPreface(f *testing.F) {
	for _, h := range []string{lineV1, blockV2, localV2, "PROXY UNKNOWN\r\n"} {
		f.Add([]byte(h+get), uint64(1))
		f.Add([]byte(h+h+get), uint64(2))
	}
	trust, err := proxy.ParseTrust("unix")
	if err != nil {
		f.Fatal(err)
	}
	s := start(f, Config{Trust: &trust, ProxyProtocol: true, Serve: origins})
	f.Cleanup(func() {
		ctx := f.Context()
		if err := s.e.Shutdown(ctx); err != nil && !errors.Is(err, ctx.Err()) {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		if len(in) > 32<<10 {
			return
		}
		whole := converse(t, s, in, nil)
		if pieces := converse(t, s, in, rand.New(rand.NewPCG(seed, 0))); whole != pieces {
			t.Errorf("at once:\n%s\nin pieces:\n%s", whole, pieces)
		}
		if _, n, err := proxy.ReadHeader(in); (err != nil || n == 0) && strings.Contains(whole, "HTTP/1.1 200") {
			t.Errorf("served without a header: %q", whole)
		}
	})
}
