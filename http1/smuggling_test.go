package http1

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The published ways to have two servers in a row disagree on where a request ends. Each case hides a request for /smuggled in what a server of another opinion takes for a
// body, or for the end of one. Served may be only what no other reading of RFC 9112 gives otherwise; whatever is doubtful is refused, and the connection ends there.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	const hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
	with := func(headers string) string { return "POST /a HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" }
	both := []string{"/a", "/next"}
	cases := []struct {
		name, raw string
		served    []string // targets
		status    string   // of the refusal; "": there is none
	}{
		{"CL.TE", with("Content-Length: 40\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.CL", with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + "23\r\n" + hidden + "\r\n0\r\n\r\n", nil, "400"},
		{"TE before CL", with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + "23\r\n" + hidden + "\r\n0\r\n\r\n", nil, "400"},
		{"CL.0", with("Content-Length: 35\r\n") + hidden + next, both, ""},
		{"0.CL", "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n" + hidden + next, both, ""},
		{"TE.0", with("Transfer-Encoding: chunked\r\n") + "23\r\n" + hidden + "\r\n0\r\n\r\n" + next, both, ""},
		{"CL.CL", with("Content-Length: 0\r\nContent-Length: 35\r\n") + hidden, nil, "400"},
		{"CL.CL in a list", with("Content-Length: 0, 35\r\n") + hidden, nil, "400"},
		{"CL with a sign", with("Content-Length: +0\r\n") + hidden, nil, "400"},
		{"CL with a space before the colon", with("Content-Length : 35\r\n") + hidden, nil, "400"},
		{"CL folded", with("Content-Length:\r\n 35\r\n") + hidden, nil, "400"},
		{"CL behind a bare LF", with("X: y\nContent-Length: 35\r\n") + hidden, nil, "400"},
		{"CL behind a bare CR", with("X: y\rContent-Length: 35\r\n") + hidden, nil, "400"},
		{"CL behind a NUL", with("X: y\x00\r\nContent-Length: 35\r\n") + hidden, nil, "400"},
		{"CL with an underscore is another header", with("Content_Length: 35\r\n") + next, both, ""},

		{"TE.TE, xchunked", with("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, a space before the colon", with("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, the second unknown", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, the first unknown", with("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, in two cases", with("Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, a tab before the value", with("Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, a space before the name", with("Content-Length: 5\r\n Transfer-Encoding: chunked\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, behind a bare LF", with("X: x\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, behind a bare CR", with("X: x\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, the name cut by a line end", with("Transfer-Encoding\r\n : chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, folded value", with("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, quoted", with("Transfer-Encoding: \"chunked\"\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, NUL behind the value", with("Transfer-Encoding: chunked\x00\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, a vertical tab", with("Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE.TE, another letter that lower-cases to k", with("Transfer-Encoding: chun\u212aed\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE chunked, chunked", with("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE gzip, chunked", with("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE identity", with("Transfer-Encoding: identity\r\nContent-Length: 35\r\n") + hidden, nil, "400"},
		{"TE identity alone", with("Transfer-Encoding: identity\r\n") + hidden, nil, "400"},
		{"TE with a comma behind", with("Transfer-Encoding: chunked,\r\n") + "0\r\n\r\n" + hidden, nil, "400"},
		{"TE in HTTP/1.0", "POST /a HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, nil, "400"},
		{"TE with an underscore is another header", with("Transfer_Encoding: chunked\r\n") + next, both, ""},

		{"chunk size with plus", with("Transfer-Encoding: chunked\r\n") + "+0\r\n\r\n" + hidden, nil, "400"},
		{"chunk size with minus", with("Transfer-Encoding: chunked\r\n") + "-1\r\n\r\n" + hidden, nil, "400"},
		{"chunk size with 0x", with("Transfer-Encoding: chunked\r\n") + "0x0\r\n\r\n" + hidden, nil, "400"},
		{"chunk size with a space in front", with("Transfer-Encoding: chunked\r\n") + " 0\r\n\r\n" + hidden, nil, "400"},
		{"chunk size with a space behind", with("Transfer-Encoding: chunked\r\n") + "0 \r\n\r\n" + hidden, nil, "400"},
		{"chunk size empty", with("Transfer-Encoding: chunked\r\n") + "\r\n\r\n" + hidden, nil, "400"},
		{"chunk size that wraps to nought in 32 bits", with("Transfer-Encoding: chunked\r\n") + "100000000\r\n\r\n" + hidden, nil, ""}, // a large chunk: more must come
		{"chunk size that wraps to nought in 64 bits", with("Transfer-Encoding: chunked\r\n") + "10000000000000000\r\n\r\n" + hidden, nil, "400"},
		{"chunk size that is negative in 64 bits", with("Transfer-Encoding: chunked\r\n") + "ffffffffffffffff\r\n\r\n" + hidden, nil, "400"},
		{"chunk size behind a bare LF", with("Transfer-Encoding: chunked\r\n") + "0\n\n" + hidden, nil, "400"},
		{"chunk size behind a bare CR", with("Transfer-Encoding: chunked\r\n") + "0\r\r" + hidden, nil, "400"},
		{"chunk extension with a bare LF", with("Transfer-Encoding: chunked\r\n") + "2;\nxx\r\n23\r\n" + hidden + "\r\n0\r\n\r\n", nil, "400"},
		{"chunk extension that is a line end to some", with("Transfer-Encoding: chunked\r\n") + "0;a\rb\r\n\r\n" + hidden, nil, "400"},
		{"chunk data longer than its size", with("Transfer-Encoding: chunked\r\n") + "1\r\nxx0\r\n\r\n" + hidden, nil, "400"},
		{"chunk data that ends in a bare LF", with("Transfer-Encoding: chunked\r\n") + "1\r\nx\n0\r\n\r\n" + hidden, nil, "400"},
		{"chunk data that ends in two other bytes", with("Transfer-Encoding: chunked\r\n") + "1\r\nxXX0\r\n\r\n" + hidden, nil, "400"},
		{"end of chunks in a bare LF", with("Transfer-Encoding: chunked\r\n") + "0\r\n\n" + hidden, nil, "400"},
		{"trailer with a length", with("Transfer-Encoding: chunked\r\n") + "0\r\nContent-Length: 35\r\n\r\n" + next, both, ""},
		{"trailer with an encoding", with("Transfer-Encoding: chunked\r\n") + "0\r\nTransfer-Encoding: chunked\r\n\r\n" + next, both, ""},
		{"trailer that is a request", with("Transfer-Encoding: chunked\r\n") + "0\r\n" + hidden, nil, "400"},

		{"head ends in a bare LF", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\n" + hidden, nil, "400"},
		{"several Hosts", "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + next, nil, "400"},
		{"absolute form of another host", "GET http://b/a HTTP/1.1\r\nHost: a\r\n\r\n" + next, nil, "400"},
		{"a request line with a bare CR", "GET /a\rHTTP/1.1\r\nHost: a\r\n\r\n" + next, nil, "400"},
		{"HTTP/0.9 behind a request", next + "GET /smuggled\r\n\r\n", []string{"/next"}, "400"},
		{"HTTP/1.0 without keep-alive", "GET /a HTTP/1.0\r\n\r\n" + hidden, []string{"/a"}, ""},
		{"Connection: close", "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + hidden, []string{"/a"}, ""},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{len(tt.raw), 1} {
				var served []string
				cfg := Config{Serve: func(x *Exchange) {
					if h := x.Request().Header; h.Get("Transfer-Encoding") != "" && h.Get("Content-Length") != "" {
						t.Error("a request has both lengths")
					}
					x.ReadBody(1<<40, func(_ []byte, ok bool) {
						if ok {
							served = append(served, x.Request().RequestURI)
							x.Reply(http.StatusOK, nil, nil)
						}
					})
				}}
				bubble(t, cfg, func(t *testing.T, s *server) {
					c := s.dial()
					for raw := tt.raw; raw != ""; {
						n := min(piece, len(raw))
						if c.try(raw[:n]) != nil {
							break // refused already
						}
						raw = raw[n:]
					}
					for range tt.served {
						c.want(200, "")
					}
					if tt.status != "" {
						if r := c.answer(http.MethodGet); !strings.HasPrefix(r.Status, tt.status) || !r.Close {
							t.Errorf("in pieces of %d: refused with %s, close %v", piece, r.Status, r.Close)
						}
						c.eof()
					}
					c.close()
				})
				if !slices.Equal(served, tt.served) {
					t.Errorf("in pieces of %d: served %q, want %q", piece, served, tt.served)
				}
			}
		})
	}
}
