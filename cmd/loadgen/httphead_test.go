package main

import (
	"strings"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, in string
		want     answer
		body     string
		rest     int // bytes behind the answer
		err      string
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcREST", answer{status: 200}, "abc", 4, ""},
		{"closes", "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n", answer{status: 200, close: true}, "", 0, ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", answer{status: 200, close: true}, "", 0, ""},
		{"upgrade", "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept:  key \r\n\r\n\x81\x03", answer{status: 101, accept: "key"}, "", 2, ""},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;a=b\r\nc\r\n0\r\n\r\nREST", answer{status: 200}, "abc", 4, ""},
		{"refusal without length", "HTTP/1.1 400 Bad\r\n\r\nwhy", answer{status: 400, close: true}, "why", 0, ""},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n{}", answer{}, "", 0, "neither Content-Length nor chunks"},
		{"wrong length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", answer{}, "", 0, `Content-Length is "-1"`},
		{"long body", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", answer{}, "", 0, "at most 65536"},
		{"long chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", answer{}, "", 0, "at most 65536"},
		{"wrong chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", answer{}, "", 0, `the size "zz"`},
		{"endless chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 2000), answer{}, "", 0, "no size line"},
		{"no HTTP", "hello\r\n\r\n", answer{}, "", 0, "not HTTP/1.1"},
		{"no status", "HTTP/1.1 abc\r\n\r\n", answer{}, "", 0, "not HTTP/1.1"},
		{"endless head", strings.Repeat("x", maxHead+1), answer{}, "", 0, "more than 16384 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, n, err := parseAnswer([]byte(c.in))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q in it", err, c.err)
				}
				return
			}
			if err != nil || n != len(c.in)-c.rest || string(a.body) != c.body || a.status != c.want.status || a.close != c.want.close || a.accept != c.want.accept {
				t.Fatalf("%+v with body %q, %d of %d bytes, %v", a, a.body, n, len(c.in), err)
			}
			if c.name == "refusal without length" {
				return // every length is the whole of it
			}
			for i := range n {
				if _, k, err := parseAnswer([]byte(c.in[:i])); k != 0 || err != nil {
					t.Fatalf("the first %d bytes: %d, %v; more is needed", i, k, err)
				}
			}
		})
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		a, n, err := parseAnswer(p)
		if n < 0 || n > len(p) || len(a.body) > maxBody || err != nil && n != 0 {
			t.Fatalf("%d of %d bytes, %d of body, %v", n, len(p), len(a.body), err)
		}
	})
}

func TestReadNegotiation(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"connectionId":"a","connectionToken":"b","availableTransports":[{"transport":"WebSockets"}]}`: "b",
		`{"connectionId":"a"}`: "a",
	} {
		if got, err := readNegotiation([]byte(body), "WebSockets"); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", body, got, err, want)
		}
	}
	for _, body := range []string{``, `{}`, `{"error":"x","connectionId":"a"}`, `{"url":"http://x","connectionId":"a"}`,
		`{"connectionId":"a","availableTransports":[{"transport":"ServerSentEvents"}]}`} {
		if got, err := readNegotiation([]byte(body), "WebSockets"); err == nil {
			t.Errorf("%s: %q, want an error", body, got)
		}
	}
}
