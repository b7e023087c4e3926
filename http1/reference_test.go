package http1

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

// fingerprint is all that a request means.
func fingerprint(r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q %q %q %s close=%v length=%d te=%v", r.Method, r.RequestURI, r.URL, r.Host, r.Proto, r.Close, r.ContentLength, r.TransferEncoding)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(&b, " %s=%q", name, r.Header[name])
	}
	fmt.Fprintf(&b, " body=%q", body)
	return b.String()
}

// mirror answers with the request's fingerprint.
func mirror(x *Exchange) {
	x.ReadBody(1<<20, func(body []byte, ok bool) {
		if ok {
			x.Reply(200, nil, []byte(fingerprint(x.Request(), body)))
		}
	})
}

// reference reads raw as net/http does: the requests before the first that cannot be read, or that closes.
func reference(raw string) (list []string, err error) {
	list, _, err = referenceParts(raw)
	return list, err
}

// referenceParts is reference with the bytes of each request.
func referenceParts(raw string) (list, parts []string, err error) {
	rest := strings.NewReader(raw)
	br := bufio.NewReader(rest)
	read := func() int { return len(raw) - rest.Len() - br.Buffered() }
	for {
		if p, _ := br.Peek(2); string(p) == "\r\n" { // net/http's server does not skip it, its reader neither
			if _, err := br.Discard(2); err != nil {
				return list, parts, err
			}
		}
		if _, err := br.Peek(1); err != nil {
			return list, parts, nil
		}
		from := read()
		r, err := http.ReadRequest(br)
		if err != nil {
			return list, parts, err
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return list, parts, err
		}
		list = append(list, fingerprint(r, body))
		parts = append(parts, raw[from:read()])
		if r.Close {
			return list, parts, nil
		}
	}
}

// corpus makes valid requests, one behind the other.
func corpus(rng *rand.Rand) string {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	var b strings.Builder
	for range 1 + rng.IntN(5) {
		host := pick("a", "a.example", "127.0.0.1:8080", "[::1]:80")
		target := pick("/", "/chat", "/a/b/../c//d", "/%C3%A9%2F?x=%20+&y", "/?", "/chat?id=AbC-_&access_token=x.y.z", "/a;b=c", "/:@!$&'()*+,=~", "http://"+host+"/abs?q", "/"+strings.Repeat("long/", rng.IntN(300)))
		lines := []string{pick("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X-OWN") + " " + target + " HTTP/1.1"}
		headers := []string{"Host:" + pick("", " ", "\t", "  ") + host + pick("", " ", "\t ")}
		for range rng.IntN(8) {
			headers = append(headers, pick("X-A", "x-a", "Accept", "Cookie", "X_Under", "Pragma", "Cache-Control", "Sec-WebSocket-Key", "1", "~!#$%&'*+-.^_`|")+":"+
				pick("", " ")+pick("", "y", "text/event-stream, */*; q=0.5", "a, b,\tc", "no-cache", "caf\xc3\xa9 \xff", `"quoted \" text"`, strings.Repeat("z", rng.IntN(3000))))
		}
		if rng.IntN(6) == 0 {
			headers = append(headers, "Connection: "+pick("keep-alive", "Upgrade", "x, y"))
		}
		body := strings.Repeat("0123456789\r\n\r\nGET / HTTP/1.1\r\n", rng.IntN(20))[:]
		var tail string
		switch rng.IntN(3) {
		case 0:
			headers = append(headers, pick("Content-Length", "content-length", "CONTENT-LENGTH")+": "+fmt.Sprint(len(body)))
			tail = body
		case 1:
			headers = append(headers, pick("Transfer-Encoding", "transfer-encoding")+": chunked")
			for body != "" {
				n := 1 + rng.IntN(len(body))
				tail += pick("", "0", "000") + fmt.Sprintf(pick("%x", "%X"), n) + pick("", ";a", ";a=b", `;a="b c"`) + "\r\n" + body[:n] + "\r\n"
				body = body[n:]
			}
			tail += pick("0", "0000", "0;last") + "\r\n" + pick("", "", "X-Trailer: y\r\n", "A:b\r\nC:\r\n") + "\r\n"
		}
		rng.Shuffle(len(headers), func(i, k int) { headers[i], headers[k] = headers[k], headers[i] })
		b.WriteString(head(append(lines, headers...)...) + tail)
	}
	return b.String()
}

// A valid request means here what it means to net/http, wherever it is cut, and so does the one behind it.
func TestLikeNetHTTP(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		raw := corpus(rng)
		want, err := reference(raw)
		if err != nil {
			t.Fatalf("seed %d: net/http refuses: %v", seed, err)
		}
		bubble(t, Config{Serve: mirror}, func(t *testing.T, s *server) {
			for _, piece := range []int{len(raw), 1 + rng.IntN(len(raw)), 1 + rng.IntN(100)} {
				c := s.dial()
				go func() {
					for p := raw; len(p) > 0; {
						n := min(piece, len(p))
						c.send(p[:n])
						p = p[n:]
						time.Sleep(time.Microsecond)
					}
				}()
				for i, w := range want {
					if r := c.answer("GET"); r.StatusCode != http.StatusOK || r.body != w {
						t.Fatalf("seed %d, request %d in pieces of %d: %d %s: want %s", seed, i, piece, r.StatusCode, r.body, w)
					}
				}
				c.silent()
				c.close()
			}
			s.closed(engine.PeerClosed, engine.PeerClosed, engine.PeerClosed)
			s.quiet()
		})
	}
}
