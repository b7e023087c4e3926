package spoke_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/hubtest"
	"github.com/spokehub/spoke/proxy"
)

// Whence is a hub that says where its client comes from: as the hub, its request, and Authenticate see it.
type Whence struct{}

func (Whence) Where(c *spoke.Context) [5]string {
	r := c.Request()
	return [5]string{c.Remote().String(), r.RemoteAddr, proxy.Scheme(r), r.Host, c.UserID()}
}

// byAddress has the address that a request comes from as its user.
func byAddress(r *http.Request) (*auth.Identity, error) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return &auth.Identity{UserID: host}, nil
}

// whence is a server of which who is trusted can be chosen; /from is for net/http.
func whence(cfg spoke.Config) (spoke.Config, func(s *spoke.Server) error) {
	cfg.Drain, cfg.Authenticate = -1, byAddress
	return cfg, func(s *spoke.Server) error {
		s.Handle("GET /from", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s %s", r.RemoteAddr, proxy.Scheme(r), r.Host)
		}))
		_, err := s.MapHub("/h", Whence{})
		return err
	}
}

var (
	nobody   = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
)

// told adds headers to each request.
type told struct {
	http.RoundTripper
	headers map[string]string
}

func (t told) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range t.headers {
		r.Header.Set(name, value)
	}
	return t.RoundTripper.RoundTrip(r)
}

// inFront is what a proxy says of a client that says something else of itself.
var inFront = map[string]string{"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example"}

const callWhere = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"Where\",\"arguments\":[]}\x1e"

// result finds the answer to callWhere in what the server has said.
func result(t *testing.T, records string) (got [5]string, found bool) {
	t.Helper()
	for r := range strings.SplitSeq(records, "\x1e") {
		var m struct {
			Type   int
			Result [5]string
			Error  string
		}
		if json.Unmarshal([]byte(r), &m) == nil && m.Type == 3 {
			if m.Error != "" {
				t.Fatal(m.Error)
			}
			return m.Result, true
		}
	}
	return got, false
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"epoll", "gnet", "net/http"} {
		for name, trusted := range map[string][]netip.Prefix{"trusted": loopback, "not trusted": nobody} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				cfg, mapAll := whence(spoke.Config{TrustedProxies: trusted, Engine: engine.Config{Loops: 2}})
				var addr string
				if kind == "net/http" {
					s, err := spoke.New(cfg)
					if err != nil {
						t.Fatal(err)
					}
					if err := mapAll(s); err != nil {
						t.Fatal(err)
					}
					srv := httptest.NewServer(s)
					t.Cleanup(srv.Close)
					t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
					addr = srv.Listener.Addr().String()
				} else {
					cfg.Engine.Backend = kind
					_, addr = start(t, cfg, func(s *spoke.Server) {
						if err := mapAll(s); err != nil {
							t.Fatal(err)
						}
					})
				}
				check := func(way string, got [5]string) {
					t.Helper()
					want := [5]string{"203.0.113.9:0", "203.0.113.9:0", "https", "chat.example", "203.0.113.9"}
					if name != "trusted" {
						if !strings.HasPrefix(got[0], "127.0.0.1:") || got[0] != got[1] || got[0] == "127.0.0.1:0" {
							t.Errorf("%s: a lie is believed: %q", way, got)
						}
						want = [5]string{got[0], got[1], "http", got[3], "127.0.0.1"}
						if got[3] == "chat.example" {
							t.Errorf("%s: a lie about the host is believed", way)
						}
					}
					if got != want {
						t.Errorf("%s: %q, want %q", way, got, want)
					}
				}
				askEachTransport(t, addr, check)

				// net/http on the same port, and a request that it may not read.
				client := &http.Client{Transport: told{&http.Transport{DisableKeepAlives: true}, inFront}}
				res, err := client.Get("http://" + addr + "/from")
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if from := strings.Fields(string(b)); len(from) != 3 || (from[0] == "203.0.113.9:0" && from[1] == "https" && from[2] == "chat.example") != (name == "trusted") {
					t.Errorf("a handler sees %q", b)
				}
				for path, status := range map[string]int{"/from": 200, "/h/negotiate?negotiateVersion=1": 200} {
					method := "GET"
					if path != "/from" {
						method = "POST"
					}
					if name == "trusted" {
						status = 400
					}
					r, _ := http.NewRequest(method, "http://"+addr+path, nil)
					client.Transport = told{&http.Transport{DisableKeepAlives: true}, map[string]string{"Forwarded": "for=me"}}
					res, err := client.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					b, _ := io.ReadAll(res.Body)
					if res.Body.Close(); res.StatusCode != status || status == 400 && !strings.Contains(string(b), "Forwarded from a trusted proxy") {
						t.Errorf("%s with what is no address is answered with %d %q", path, res.StatusCode, b)
					}
				}
			})
		}
	}
}

// askEachTransport asks the hub /h for Where, with inFront in each request.
func askEachTransport(t *testing.T, addr string, check func(way string, got [5]string)) {
	t.Helper()
	var pairs []string
	for name, value := range inFront {
		pairs = append(pairs, name, value)
	}
	var got [5]string
	c := dial(t, addr, "/h", pairs...)
	if err := json.Unmarshal([]byte(invoke(t, c, "Where")), &got); err != nil {
		t.Fatal(err)
	}
	check("WebSockets", got)

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: told{transport, inFront}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := openRequests(t, "http://"+addr, client, client)
	if err != nil {
		t.Fatal(err)
	}
	br, err := r.stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.post(callWhere); err != nil {
		t.Fatal(err)
	}
	for found := false; !found; {
		line, err := event(br)
		if err != nil {
			t.Fatal(err)
		}
		got, found = result(t, line)
	}
	check("server-sent events", got)

	if r, err = openRequests(t, "http://"+addr, client, client); err != nil {
		t.Fatal(err)
	}
	if _, err := r.poll(ctx, client); err != nil {
		t.Fatal(err)
	}
	if err := r.post(shakeHands + callWhere); err != nil {
		t.Fatal(err)
	}
	for found := false; !found; {
		records, err := r.poll(ctx, client)
		if err != nil {
			t.Fatal(err)
		}
		got, found = result(t, records)
	}
	check("long polling", got)
	if err := r.delete(); err != nil {
		t.Error(err)
	}
}

// TestProxyProtocol has a header of each version in front of a WebSocket, of one on a connection that has been with net/http, and of a lie.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"epoll", "gnet"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			cfg, mapAll := whence(spoke.Config{TrustedProxies: loopback, ProxyProtocol: true, Engine: engine.Config{Backend: backend, Loops: 2}})
			_, addr := start(t, cfg, func(s *spoke.Server) {
				if err := mapAll(s); err != nil {
					t.Fatal(err)
				}
			})
			for name, header := range map[string]string{
				"version 1": "PROXY TCP4 203.0.113.9 203.0.113.10 51234 443\r\n",
				"version 2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xcb\x00\x71\x0a\xc8\x22\x01\xbb",
			} {
				for _, before := range []bool{false, true} {
					nc, err := net.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { nc.Close() })
					io.WriteString(nc, header)
					if before {
						io.WriteString(nc, "GET /from HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
						br := bufio.NewReader(nc)
						nc.SetReadDeadline(time.Now().Add(hubtest.Timeout))
						res, err := http.ReadResponse(br, nil)
						if err != nil {
							t.Fatal(err)
						}
						if b, _ := io.ReadAll(res.Body); string(b) != "203.0.113.9:51234 http x" {
							t.Errorf("%s: a handler sees %q", name, b)
						}
					}
					c, err := hubtest.New(nc, "/h", "X-Forwarded-For", "192.0.2.1", "X-Forwarded-Host", "y")
					if err != nil {
						t.Fatal(err)
					}
					if got, want := invoke(t, c, "Where"), `["203.0.113.9:51234","203.0.113.9:51234","http","test","203.0.113.9"]`; got != want {
						t.Errorf("%s, with net/http before: %v: %s, want %s", name, before, got, want)
					}
				}
			}
			if _, err := hubtest.Dial(addr, "/h"); err == nil || !strings.Contains(err.Error(), "400") {
				t.Errorf("a trusted proxy without a header: %v; want it refused with 400", err)
			}
		})
	}
}

// TestTrustUnix has a proxy on the same machine, which comes by a unix socket.
func TestTrustUnix(t *testing.T) {
	t.Parallel()
	for _, trust := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "s")
		cfg, mapAll := whence(spoke.Config{Addr: "unix:" + path, TrustUnix: trust})
		start(t, cfg, func(s *spoke.Server) {
			if err := mapAll(s); err != nil {
				t.Fatal(err)
			}
		})
		want := `["invalid AddrPort","","http","test","@"]`
		if trust {
			want = `["203.0.113.9:0","203.0.113.9:0","http","test","203.0.113.9"]`
		}
		nc, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		c, err := hubtest.New(nc, "/h", "X-Forwarded-For", "203.0.113.9")
		if err != nil {
			t.Fatal(err)
		}
		if got := invoke(t, c, "Where"); got != want {
			t.Errorf("trusted %v: %s, want %s", trust, got, want)
		}

		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}
		r, _ := http.NewRequest("GET", "http://x/from", nil)
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if want := map[bool]string{true: "203.0.113.9:0 http x", false: "@ http x"}[trust]; string(b) != want {
			t.Errorf("trusted %v: a handler sees %q, want %q", trust, b, want)
		}
	}
}
