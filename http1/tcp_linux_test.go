package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// serveTCP serves on a loopback port with the epoll backend.
func serveTCP(t *testing.T, cfg Config) net.Addr {
	t.Helper()
	e, err := engine.New(engine.Config{Backend: "epoll", Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	addr, err := e.Listen("tcp", "127.0.0.1:0", cfg.Open)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// net/http's client over real sockets.
func TestOverTCP(t *testing.T) {
	t.Parallel()
	remotes := make(chan string, 10)
	addr := serveTCP(t, Config{Serve: func(x *Exchange) {
		remotes <- x.Request().RemoteAddr
		describe(x)
	}})
	transport := &http.Transport{ExpectContinueTimeout: 10 * time.Second}
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var remote string
	for i, body := range []string{"", "hello", strings.Repeat("x", 300_000)} {
		for _, expect := range []string{"", "100-continue"} {
			for _, known := range []bool{true, false} {
				var r io.Reader = strings.NewReader(body)
				if !known {
					r = io.MultiReader(r) // of unknown length: chunked
				}
				req, err := http.NewRequest(http.MethodPost, "http://"+addr.String()+"/p", r)
				if err != nil {
					t.Fatal(err)
				}
				if expect != "" {
					req.Header.Set("Expect", expect)
				}
				resp, err := hc.Do(req)
				if err != nil {
					t.Fatalf("body %d, expect %q, known %v: %v", i, expect, known, err)
				}
				got, err := io.ReadAll(resp.Body)
				if err := errors.Join(err, resp.Body.Close()); err != nil {
					t.Fatal(err)
				}
				if want := "POST /p " + addr.String() + " " + body; string(got) != want {
					t.Fatalf("came %.100q: want %.100q", got, want)
				}
				now := <-remotes
				if remote == "" {
					remote = now
				}
				if _, err := net.ResolveTCPAddr("tcp", now); err != nil || now != remote {
					t.Errorf("RemoteAddr %q, before %q: want one host and port for a connection that is kept", now, remote)
				}
			}
		}
	}
}

// A refusal reaches a client that is still sending: the close does not overtake it.
func TestRefusalReachesTheSender(t *testing.T) {
	t.Parallel()
	addr := serveTCP(t, Config{Serve: func(x *Exchange) {
		x.ReadBody(1000, func([]byte, bool) {})
	}})
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 4<<20)
	if _, err := io.WriteString(nc, head("POST /p HTTP/1.1", "Host: a", "Content-Length: "+strconv.Itoa(len(body)))+body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close(), nc.Close()); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestEntityTooLarge || string(text) != "the body is over the limit of 1000 bytes\n" {
		t.Errorf("answer %d %q", resp.StatusCode, text)
	}
}

// A request with bytes behind it goes to another owner of the socket.
func TestHandOverTCP(t *testing.T) {
	t.Parallel()
	owners := make(chan net.Conn, 1)
	addr := serveTCP(t, Config{Serve: (*Exchange).HandOver, HandOver: func(nc net.Conn, _ *proxy.Peer) { owners <- nc }})
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	raw := post("hello") + "tail"
	if _, err := io.WriteString(nc, raw[:len(raw)-2]); err != nil {
		t.Fatal(err)
	}
	owner := <-owners
	if _, err := io.WriteString(nc, raw[len(raw)-2:]); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(raw))
	if _, err := io.ReadFull(owner, got); err != nil || string(got) != raw {
		t.Errorf("the new owner reads %q, %v", got, err)
	}
	if err := errors.Join(owner.Close(), nc.Close()); err != nil {
		t.Error(err)
	}
}
