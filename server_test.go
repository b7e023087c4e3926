package spoke_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/hubtest"
	"github.com/spokehub/spoke/internal/logtest"
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

func TestOneConnectionServesHubsAndHandlers(t *testing.T) {
	t.Parallel()
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) {
		mapHub(t, s, "/chat", Room{})
		s.Handle("/hello", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "hello %s", b)
		}))
	})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	answers := bufio.NewReader(nc)
	body := strings.Repeat("x", 100_000) // more than one read: what has come already moves along with the connection
	for _, tt := range []struct{ path, body, want string }{
		{"/chat/negotiate", "", `{"negotiateVersion":0`}, // on the loop
		{"/hello", body, "hello " + body},                // handed to net/http
		{"/chat/negotiate", "", `{"negotiateVersion":0`}, // a hub's, now through net/http
		{"/hello", "again", "hello again"},
		{"/nowhere", "", "404 page not found\n"},
	} {
		fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", tt.path, len(tt.body), tt.body)
		nc.SetReadDeadline(time.Now().Add(hubtest.Timeout))
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if !strings.HasPrefix(string(got), tt.want) {
			t.Errorf("%s: got %.80q, want %.80q", tt.path, got, tt.want)
		}
	}
	// The same TCP connection becomes a WebSocket: from the loop to net/http and back.
	c, err := hubtest.New(nc, "/chat")
	if err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, c, "Echo", "back"); r != `"back"` {
		t.Errorf("result %s", r)
	}
}

func TestUnknownPathWithoutHandlers(t *testing.T) {
	t.Parallel()
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) { mapHub(t, s, "/chat", Room{}) })
	res, err := http.Get("http://" + addr + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 404 || len(b) != 0 || res.Header.Get("Content-Type") != "" {
		t.Errorf("got %d %q %q", res.StatusCode, res.Header.Get("Content-Type"), b)
	}
}

func TestMounted(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	mapHub(t, s, "/chat", Room{})
	mux := http.NewServeMux()
	mux.Handle("/chat/", s)
	mux.Handle("/chat", s)
	mux.HandleFunc("/other", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "mine") })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer s.Shutdown(context.Background())
	addr := srv.Listener.Addr().String()

	res, err := http.Post(srv.URL+"/chat/negotiate?negotiateVersion=1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var n struct{ ConnectionToken string }
	err = json.NewDecoder(res.Body).Decode(&n)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr, "/chat?id="+n.ConnectionToken)
	if r := invoke(t, c, "Echo", "x"); r != `"x"` {
		t.Errorf("result %s", r)
	}

	// Bytes that net/http has read behind the head belong to the connection.
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var all []byte
	all = append(all, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"...)
	all = hubtest.AppendFrame(all, 1, []byte("{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":1,\"invocationId\":\"a\",\"target\":\"Echo\",\"arguments\":[7]}\x1e"))
	if _, err := nc.Write(all); err != nil {
		t.Fatal(err)
	}
	nc.SetReadDeadline(time.Now().Add(hubtest.Timeout))
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte(`"result":7}`)) {
		n, err := nc.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
}

func TestMountedWhereNothingCanBeHijacked(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	mapHub(t, s, "/chat", Room{})
	r := httptest.NewRequest("GET", "/chat", nil)
	for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 501 || !strings.Contains(w.Body.String(), "cannot be opened") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	if n := s.Stats().Endpoints.Connections; n != 0 {
		t.Errorf("%d connections are left", n)
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

func TestDrain(t *testing.T) {
	t.Parallel()
	running, finish := make(chan struct{}), make(chan struct{})
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	h := mapHub(t, s, "/h", nil)
	if err := h.Handle("Slow", func() string { running <- struct{}{}; <-finish; return "done" }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	var idle []*hubtest.Client
	for range 20 {
		idle = append(idle, dial(t, addr.String(), "/h"))
	}
	busy := dial(t, addr.String(), "/h")
	id, err := busy.Call("Slow")
	if err != nil {
		t.Fatal(err)
	}
	<-running
	stop()
	for _, c := range idle {
		if m := next(t, c); m.Type != 7 || !m.AllowReconnect || m.Error != nil {
			t.Errorf("an idle client got %+v, want a Close that allows to reconnect", m)
		}
		var closed *hubtest.Closed
		if _, err := c.Next(); !errors.As(err, &closed) || closed.Code != 1000 {
			t.Errorf("then %v, want a close frame 1000", err)
		}
		c.Close()
	}
	if s.Ready() {
		t.Error("ready while draining")
	}
	if nc, err := net.DialTimeout("tcp", addr.String(), time.Second); err == nil {
		nc.Close()
		t.Error("a draining server took a connection")
	}
	select {
	case err := <-ran:
		t.Fatalf("Run returned %v while a call was running", err)
	default:
	}
	close(finish)
	var types []int
	for {
		m, err := busy.Next()
		if err != nil {
			break
		}
		if m.Type == 3 && (m.InvocationID != id || string(m.Result) != `"done"`) {
			t.Errorf("got %+v", m)
		}
		types = append(types, m.Type)
	}
	busy.Close()
	slices.Sort(types)
	if !slices.Equal(types, []int{3, 7}) {
		t.Errorf("the busy client got the messages %v, want its completion and a Close", types)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestDrainLimit: a method that never returns does not hold Run for ever.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: -1, DrainLimit: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := mapHub(t, s, "/chat", nil)
	entered, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	err = h.Handle("Hang", func() {
		close(entered)
		<-release // whatever happens to its connection
		close(left)
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr.String(), "/chat")
	if _, err := c.Call("Hang"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.Run(ctx)
	if !errors.Is(err, spoke.ErrDrainLimit) || !strings.Contains(err.Error(), "1 calls are running") || !strings.Contains(err.Error(), "50ms") {
		t.Errorf("Run: %v, want ErrDrainLimit, the limit and the number of calls", err)
	}
	if !strings.Contains(log.String(), `"calls running"=1`) {
		t.Errorf("the log does not say what was given up: %s", &log)
	}
	close(release)
	<-left
}

func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	h := mapHub(t, s, "/h", nil)
	stuck := make(chan struct{})
	running := make(chan struct{})
	if err := h.Handle("Stuck", func() { close(running); <-stuck }); err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr.String(), "/h")
	if err := c.Send("Stuck"); err != nil {
		t.Fatal(err)
	}
	<-running
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown with a stuck call: %v, want the context's error", err)
	}
	close(stuck)
	for {
		if _, err := c.Next(); err != nil {
			break
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("a second shutdown: %v", err)
	}
	if _, err := s.Listen(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("listen after shutdown: %v", err)
	}
}

type badHub struct{}

func (badHub) Twice()           {}
func (badHub) TWICE()           {}
func (badHub) Many(...string)   {}
func (badHub) Chan(chan string) {}

// TestHubOptionsAreCopies: each hub has its own copy of the server's options; what it changes, others do not see, nor does what is changed in the Config later.
func TestHubOptionsAreCopies(t *testing.T) {
	t.Parallel()
	cfg := spoke.Config{Addr: "127.0.0.1:0", Engine: engine.Config{Backend: "memory"}}
	cfg.Hub.MaxMessage = 1000
	cfg.Hub.MethodName = spoke.LowerCamel
	cfg.Hub.Methods = map[string]spoke.MethodOptions{"Say": {Name: "tell"}}
	cfg.Hub.AllowedOrigins = []string{"https://a.example"}
	cfg.Hub.Protocols = []codec.Protocol{codec.JSON}
	srv, err := spoke.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown(context.Background()) })
	cfg.Hub.Methods["None"] = spoke.MethodOptions{}
	cfg.Hub.AllowedOrigins[0], cfg.Hub.Protocols[0] = "", nil

	var first spoke.HubOptions
	if _, err := srv.MapHub("/first", sayer{}, func(o *spoke.HubOptions) {
		if o.MaxMessage != 1000 || o.AllowedOrigins[0] != "https://a.example" {
			t.Errorf("the options do not begin as the server's: %+v", o)
		}
		o.MaxMessage, o.MaxGroups = 2000, 5
		o.Methods["Other"] = spoke.MethodOptions{Name: "another"}
		o.AllowedOrigins[0] = "https://b.example"
		first = *o
	}); err != nil {
		t.Fatal(err)
	}
	second, err := srv.MapHub("/second", sayer{}, func(o *spoke.HubOptions) {
		if o.MaxMessage != 1000 || o.MaxGroups != 0 || len(o.Methods) != 1 || o.AllowedOrigins[0] != "https://a.example" || o.Protocols[0] == nil {
			t.Errorf("the first hub has changed the second one's options: %+v", o)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if second.Options().MaxMessage != 1000 || first.MaxMessage != 2000 {
		t.Errorf("%+v", second.Options())
	}
	if err := second.Handle("TELL", func() {}); err == nil || !strings.Contains(err.Error(), `"tell" is registered`) {
		t.Errorf("the method has not the name that the options give it: %v", err)
	}
	if err := second.Handle("OTHER", func() {}); err == nil || !strings.Contains(err.Error(), `"other" is registered`) {
		t.Errorf("the method has not the name that the function gives it: %v", err)
	}
}

type sayer struct{}

func (sayer) Say()   {}
func (sayer) Other() {}

func TestMapHubErrors(t *testing.T) {
	t.Parallel()
	s, addr := start(t, spoke.Config{}, func(s *spoke.Server) {
		_, err := s.MapHub("/bad", badHub{})
		if err == nil {
			t.Fatal("a hub with bad methods was mapped")
		}
		for _, want := range []string{"/bad", "Many", "Chan", "TWICE"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not name %s: %v", want, err)
			}
		}
		if _, err := s.MapHub("/bad", Room{}, func(o *spoke.HubOptions) { o.MaxMessage = -1; o.MaxParallelCalls = -1 }); err == nil ||
			!strings.Contains(err.Error(), "MaxMessage") || !strings.Contains(err.Error(), "MaxParallelCalls") {
			t.Errorf("bad options: %v", err)
		}
		mapHub(t, s, "/chat", Room{})
		if _, err := s.MapHub("/Chat", Room{}); err == nil || !strings.Contains(err.Error(), "mapped already") {
			t.Errorf("a taken path: %v", err)
		}
	})
	if _, err := s.MapHub("/late", Room{}); err == nil || !strings.Contains(err.Error(), "before the server runs") {
		t.Errorf("mapping after the start: %v", err)
	}
	other, err := spoke.New(spoke.Config{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Shutdown(context.Background())
	if _, err := other.Listen(); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("listening on a taken address: %v", err)
	}
}

// TestPlainClientThatDoesNotRead: a handler's answer that nobody takes does not hold its goroutine and connection for ever.
func TestPlainClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	var cfg spoke.Config
	cfg.Engine.SendTimeout = 50 * time.Millisecond
	_, addr := start(t, cfg, func(s *spoke.Server) {
		s.Handle("/endless", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			p := make([]byte, 1<<20)
			for {
				if _, err := w.Write(p); err != nil {
					failed <- err
					return
				}
			}
		}))
	})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the write failed with %v, want a timeout", err)
		}
	case <-time.After(hubtest.Timeout):
		t.Error("the handler still writes to a client that takes nothing")
	}
}

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
