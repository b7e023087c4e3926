package spoke_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// headers are those of the official client in Node 22, beside Host.
var headers = []string{
	"X-Requested-With", "XMLHttpRequest",
	"X-SignalR-User-Agent", "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; v22.21.1)",
	"User-Agent", "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; v22.21.1)",
	"Accept-Encoding", "gzip, deflate",
	"Accept-Language", "*",
	"Sec-Fetch-Mode", "cors",
}

// requester is a client that makes one request after the other on one TCP connection.
type requester struct {
	net.Conn
	r *bufio.Reader
}

// send writes a request, ask waits for its answer, too.
func (c *requester) send(method, target, body string, more ...string) error {
	req := method + " " + target + " HTTP/1.1\r\nHost: test\r\n"
	for i, list := 0, append(more, headers...); i < len(list); i += 2 {
		req += list[i] + ": " + list[i+1] + "\r\n"
	}
	if method == http.MethodPost {
		req += fmt.Sprintf("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	_, err := io.WriteString(c, req+"\r\n"+body)
	return err
}

func (c *requester) ask(method, target, body string) (string, error) {
	if err := c.send(method, target, body); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s was answered with %s %q", method, target, res.Status, got)
	}
	return string(got), err
}

// negotiated opens a TCP connection and negotiates there; target is for the requests that follow.
func negotiated(addr string) (c *requester, target string, err error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, "", err
	}
	c = &requester{nc, bufio.NewReaderSize(nc, 512)}
	answer, err := c.ask(http.MethodPost, "/h/negotiate?negotiateVersion=1", "")
	var n struct{ ConnectionToken string }
	if err == nil {
		err = json.Unmarshal([]byte(answer), &n)
	}
	return c, "/h?id=" + n.ConnectionToken + "&_=1764115200000", err
}

func idleWebSocket(addr string) (net.Conn, error) {
	c, target, err := negotiated(addr)
	if err != nil {
		return nil, err
	}
	_, err = hubtest.New(c.Conn, target, headers...)
	return c.Conn, err
}

// idlePoll ends with a poll that waits.
func idlePoll(addr string) (net.Conn, error) {
	c, target, err := negotiated(addr)
	if err == nil {
		_, err = c.ask(http.MethodGet, target, "")
	}
	if err == nil {
		_, err = c.ask(http.MethodPost, target, shakeHands)
	}
	got := ""
	if err == nil {
		got, err = c.ask(http.MethodGet, target, "")
	}
	if err == nil && got != "{}\x1e" {
		err = fmt.Errorf("the handshake was answered with %q", got)
	}
	if err == nil {
		err = c.send(http.MethodGet, target, "")
	}
	return c.Conn, err
}

// idleStream ends with an event stream that has brought the answer to the handshake.
func idleStream(addr string) (net.Conn, error) {
	c, target, err := negotiated(addr)
	if err == nil {
		err = c.send(http.MethodGet, target, "", "Accept", "text/event-stream")
	}
	if err != nil {
		return c.Conn, err
	}
	other, err := net.Dial("tcp", addr)
	if err != nil {
		return c.Conn, err
	}
	defer other.Close()
	post := &requester{other, bufio.NewReaderSize(other, 512)}
	if _, err = post.ask(http.MethodPost, target, shakeHands); err != nil {
		return c.Conn, err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return c.Conn, err
	}
	if got, err := event(bufio.NewReaderSize(res.Body, 64)); err != nil || got != "{}\x1e" {
		return c.Conn, fmt.Errorf("the handshake was answered with %q, %v", got, err)
	}
	return c.Conn, nil
}

// TestIdleRequests holds 15,000 event streams, and 15,000 polls that wait, beside as many WebSockets: neither has a goroutine, and neither costs more than one and a half times what
// a WebSocket does. The heads of the requests, of which the connection keeps the first, are equal but for what each transport needs.
func TestIdleRequests(t *testing.T) {
	n := 15_000
	if raceEnabled {
		n = 1000
	}
	s, addr := start(t, spoke.Config{ParkedTimeout: 4 * time.Second}, func(s *spoke.Server) { mapHub(t, s, "/h", Room{}) })
	cost := make(map[string]int64)
	for _, transport := range []string{"negotiated WebSockets", "event streams", "polls"} {
		visitIdle(t, s, addr, transport, 50, func() {}) // pools and tables come into being
		waitFor(t, "idle workers to end", func() bool { return s.Stats().Hubs.Workers == 0 })
		goroutines := runtime.NumGoroutine()
		heap0, stack0 := memory()
		visitIdle(t, s, addr, transport, n, func() {
			waitFor(t, "idle workers to end", func() bool { return s.Stats().Hubs.Workers == 0 })
			waitFor(t, "connections that serve no more", func() bool { return s.Stats().Engine.Open == int64(n) })
			if g := runtime.NumGoroutine(); g > goroutines+4 { // those of the child process
				t.Errorf("%d goroutines with %d %s, %d without", g, n, transport, goroutines)
			}
			heap1, stack1 := memory()
			cost[transport] = (heap1 + stack1 - heap0 - stack0) / int64(n)
			t.Logf("%d idle %s: %d bytes of heap and %d bytes of stack each", n, transport, (heap1-heap0)/int64(n), (stack1-stack0)/int64(n))
		})
	}
	socket := cost["negotiated WebSockets"]
	for _, transport := range []string{"event streams", "polls"} {
		ratio := float64(cost[transport]) / float64(socket)
		t.Logf("%s cost %.2f times what WebSockets do", transport, ratio)
		if ratio > 1.5 && !raceEnabled {
			t.Errorf("%s cost %d bytes each, WebSockets %d: %.2f times as many, at most 1.5 times are allowed", transport, cost[transport], socket, ratio)
		}
	}
}
