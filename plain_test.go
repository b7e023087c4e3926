package spoke_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

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
