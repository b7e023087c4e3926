package spoke_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spokehub/spoke"
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

// wrapping is a listener whose connections are no plain ones to look at.
type wrapping struct{ net.Listener }

func (l wrapping) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return struct{ net.Conn }{nc}, err
}
