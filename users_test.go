package spoke_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// TestAuthenticateEndsWithItsClient: nobody's request is not looked into any longer.
func TestAuthenticateEndsWithItsClient(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan error, 1)
	cfg := spoke.Config{AuthTimeout: time.Hour, Authenticate: func(r *http.Request) (*spoke.Identity, error) {
		close(entered)
		<-r.Context().Done()
		ended <- r.Context().Err()
		return nil, r.Context().Err()
	}}
	_, addr := start(t, cfg, func(s *spoke.Server) { mapHub(t, s, "/chat", Room{}) })
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, "POST /chat/negotiate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := nc.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended with %v", err)
		}
	case <-time.After(hubtest.Timeout):
		t.Error("the call does not hear that its client has gone")
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	cfg := spoke.Config{Authenticate: func(r *http.Request) (*spoke.Identity, error) {
		switch u := r.Header.Get("X-User"); u {
		case "":
			return nil, nil
		case "bad":
			return nil, errors.New("no such user")
		default:
			return &spoke.Identity{UserID: u, Name: strings.ToUpper(u)}, nil
		}
	}}
	_, addr := start(t, cfg, func(s *spoke.Server) {
		mapHub(t, s, "/secure", Room{}, func(o *spoke.HubOptions) { o.RequireUser = true })
		h := mapHub(t, s, "/open", nil)
		for name, f := range map[string]any{
			"Who":  func(c *spoke.Context) string { return c.UserID() },
			"Tell": func(c *spoke.Context, user string) error { return c.Clients().User(user).Send("told", c.UserID()) },
			"Head": func(c *spoke.Context) string { return c.Request().Header.Get("X-User") },
		} {
			if err := h.Handle(name, f); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Handle("Members", func() string { return "in" }, spoke.MethodOptions{RequireUser: true}); err != nil {
			t.Fatal(err)
		}
	})
	for _, h := range [][]string{nil, {"X-User", "bad"}} {
		if _, err := hubtest.Dial(addr, "/secure", h...); err == nil || !strings.Contains(err.Error(), `401 ""`) {
			t.Errorf("with %v: %v", h, err)
		}
	}
	dial(t, addr, "/secure", "X-User", "ann")
	ann, ann2, nobody := dial(t, addr, "/open", "X-User", "ann"), dial(t, addr, "/open", "X-User", "ann"), dial(t, addr, "/open")
	if r := invoke(t, ann, "Who"); r != `"ann"` {
		t.Errorf("Who: %s", r)
	}
	if r := invoke(t, ann, "Head"); r != `"ann"` {
		t.Errorf("Head: %s", r)
	}
	if r := invoke(t, ann, "Members"); r != `"in"` {
		t.Errorf("Members: %s", r)
	}
	if _, err := nobody.Invoke("Members"); err == nil || err.Error() != "Failed to invoke 'Members' because user is unauthorized" {
		t.Errorf("Members without a user: %v", err)
	}
	invoke(t, nobody, "Tell", "ann")
	for _, c := range []*hubtest.Client{ann, ann2} {
		if m := next(t, c); m.Target != "told" {
			t.Errorf("got %+v", m)
		}
	}
}
