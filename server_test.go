package spoke_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// start runs a server on a free port until the test ends; it returns its address.
func start(t testing.TB, cfg spoke.Config, mapHubs func(s *spoke.Server)) (*spoke.Server, string) {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Drain == 0 {
		cfg.Drain = -1
	}
	s, err := spoke.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	mapHubs(s)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return s, addr.String()
}

func mapHub(t testing.TB, s *spoke.Server, path string, hub any, opts ...func(*spoke.HubOptions)) *spoke.Hub {
	t.Helper()
	h, err := s.MapHub(path, hub, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func dial(t testing.TB, addr, path string, header ...string) *hubtest.Client {
	t.Helper()
	c, err := hubtest.Dial(addr, path, header...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func invoke(t testing.TB, c *hubtest.Client, target string, args ...any) string {
	t.Helper()
	r, err := c.Invoke(target, args...)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return string(r)
}

func next(t testing.TB, c *hubtest.Client) hubtest.Message {
	t.Helper()
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Room is a hub with what most tests need.
type Room struct{}

func (Room) Echo(x json.RawMessage) json.RawMessage { return x }
func (Room) Send(c *spoke.Context, user, text string) error {
	return c.Clients().All().Send("messageReceived", user, text)
}

func (Room) First(x spoke.Tree) spoke.Tree         { return spoke.Tree{Value: x.Get("list", "0")} }
func (Room) Join(c *spoke.Context, g string) error { return c.Join(g) }
func (Room) Publish(c *spoke.Context, g, x string) error {
	return c.Clients().Group(g).Send("message", x)
}

func TestChat(t *testing.T) {
	t.Parallel()
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) { mapHub(t, s, "/chat", Room{}) })
	a, b := dial(t, addr, "/chat"), dial(t, addr, "/CHAT/")
	if r := invoke(t, a, "send", "ann", "hé 😀"); r != "null" {
		t.Errorf("result %s, want null", r)
	}
	for _, c := range []*hubtest.Client{a, b} {
		if m := next(t, c); m.Target != "messageReceived" || len(m.Arguments) != 2 || string(m.Arguments[0]) != `"ann"` {
			t.Errorf("got %+v", m)
		}
	}
	if r := invoke(t, a, "First", map[string]any{"list": []any{map[string]int{"n": 1}, 2}}); r != `{"n":1}` {
		t.Errorf("First: %s", r)
	}
	invoke(t, b, "Join", "g")
	invoke(t, a, "Publish", "g", "x")
	if m := next(t, b); m.Target != "message" || string(m.Arguments[0]) != `"x"` {
		t.Errorf("got %+v", m)
	}
}

func TestNegotiateThenConnect(t *testing.T) {
	t.Parallel()
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) { mapHub(t, s, "/chat", Room{}) })
	res, err := http.Post("http://"+addr+"/chat/negotiate?negotiateVersion=1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var n struct{ ConnectionID, ConnectionToken string }
	if err := json.NewDecoder(res.Body).Decode(&n); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr, "/chat?id="+n.ConnectionToken)
	if r := invoke(t, c, "Echo", 1); r != "1" {
		t.Errorf("result %s", r)
	}
	if _, err := hubtest.Dial(addr, "/chat?id="+n.ConnectionToken); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("a second WebSocket: %v", err)
	}
	if _, err := hubtest.Dial(addr, "/chat?id="+n.ConnectionID); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the public id as a token: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	_, _ = start(t, spoke.Config{Addr: "unix:" + path}, func(s *spoke.Server) { mapHub(t, s, "/chat", Room{}) })
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c, err := hubtest.New(nc, "/chat")
	if err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, c, "Echo", 5); r != "5" {
		t.Errorf("result %s", r)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) { mapHub(t, s, "/chat", Room{}) })
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			c, err := hubtest.Dial(addr, "/chat")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for k := range 20 {
				want := fmt.Sprintf(`"%d-%d"`, i, k)
				if r, err := c.Invoke("Echo", json.RawMessage(want)); err != nil || string(r) != want {
					t.Errorf("got %s, %v, want %s", r, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
