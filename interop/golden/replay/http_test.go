package replay

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// serveBytes is a connection on which the server sends text, n bytes at a time, and ends.
func serveBytes(t *testing.T, text string, n int) *conn {
	t.Helper()
	client, server := newDuplex()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for len(text) > 0 {
			k := min(n, len(text))
			if _, err := server.Write([]byte(text[:k])); err != nil {
				return
			}
			text = text[k:]
		}
		_ = server.CloseWrite()
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-done
	})
	return &conn{nc: client, method: "GET"}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, tt := range []struct {
		name, method, text string
		body, fault        string
	}{
		{"sized", "GET", ok + "Content-Length: 3\r\n\r\nabc", "abc", ""},
		{"chunked", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: z\r\n\r\n", "abc", ""},
		{"until the end", "GET", ok + "\r\nabc", "abc", ""},
		{"HEAD", "HEAD", ok + "Content-Length: 3\r\n\r\n", "", ""},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "", ""},
		{"behind an interim response", "GET", "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na", "a", ""},
		{"too short", "GET", ok + "Content-Length: 4\r\n\r\nabc", "", "inside a response body"},
		{"too long", "GET", ok + "Content-Length: 2\r\n\r\nabc", "", "behind the response"},
		{"body of a 204", "GET", "HTTP/1.1 204 No Content\r\n\r\nabc", "", "behind the response"},
		{"chunk longer than it says", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "", "longer than it says"},
		{"chunk size", "GET", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "", "chunk size"},
		{"no last chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "", "inside a response body"},
		{"no response", "GET", "hello\r\n\r\n", "", "not a response"},
		{"cut head", "GET", "HTTP/1.1 200 OK\r\n", "", "inside a response head"},
		{"large head", "GET", ok + "X: " + strings.Repeat("a", maxHead) + "\r\n\r\n", "", "response head of more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{max(1, len(tt.text)/1000), max(5, len(tt.text)/100), 1 << 20} {
				c := serveBytes(t, tt.text, n)
				c.method = tt.method
				r, err := c.readResponse(time.Now().Add(10 * time.Second))
				if err == nil && tt.fault == "behind the response" {
					_, err = c.next(time.Now().Add(10*time.Second), skip{}) // what came later
					if err != nil {
						continue
					}
				}
				if tt.fault == "" && (err != nil || r.body != tt.body) || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
					t.Errorf("in pieces of %d: %v, %v; want %q, %q", n, r, err, tt.body, tt.fault)
				}
			}
		})
	}
	t.Run("ended before", func(t *testing.T) {
		t.Parallel()
		if _, err := serveBytes(t, "", 1).readResponse(time.Now().Add(10 * time.Second)); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	for _, tt := range []struct {
		name, text string
		want       []string
		fault      string
	}{
		{"comment and messages", ":\r\ndata: 1\x1e2\x1e\r\n\r\ndata: 3\x1e\r\n\r\n", []string{"1\x1e", "2\x1e", "3\x1e"}, ""},
		{"lines", "data: {\ndata:}\x1e\n\n", []string{"{\n}\x1e"}, ""},
		{"cut", "data: 1\r\n\r\n", nil, "cut"},
		{"ends inside", "data: 1\x1e\r\n", nil, "inside an event"},
		{"other field", "event: x\r\ndata: 1\x1e\r\n\r\n", nil, "neither data nor a comment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{1, 4, 1 << 20} {
				c := serveBytes(t, head+tt.text, n)
				deadline := time.Now().Add(10 * time.Second)
				if _, err := c.readResponse(deadline); err != nil {
					t.Fatal(err)
				}
				var got []string
				var err error
				for {
					var ev *event
					if ev, err = c.next(deadline, skip{}); err != nil || ev.kind == "end" {
						break
					}
					got = append(got, ev.text)
				}
				if strings.Join(got, "|") != strings.Join(tt.want, "|") || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("in pieces of %d: %q, %v; want %q, %q", n, got, err, tt.want, tt.fault)
				}
			}
		})
	}
}
