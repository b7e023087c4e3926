package http1

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

// FuzzConn sends anything, cut anywhere. The handler must answer or wait or close, and end when the client does; every request that it serves must be one that net/http
// reads there, too, with the same meaning: being stricter is allowed, seeing other requests is not.
func FuzzConn(f *testing.F) {
	for _, v := range headVerdicts {
		f.Add([]byte(v.raw+head("GET /next HTTP/1.1", "Host: a")), uint64(1))
	}
	for _, v := range chunkVerdicts {
		f.Add([]byte(chunked(v.raw)), uint64(2))
	}
	for seed := range uint64(5) {
		f.Add([]byte(corpus(rand.New(rand.NewPCG(seed, 2)))), seed)
	}
	s := start(f, Config{Serve: mirror})
	f.Cleanup(func() {
		ctx := f.Context()
		if err := s.e.Shutdown(ctx); err != nil && !errors.Is(err, ctx.Err()) {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		if len(raw) > 32<<10 {
			return
		}
		whole := converse(t, s, raw, nil)
		pieces := converse(t, s, raw, rand.New(rand.NewPCG(seed, 0)))
		if unasked(whole) != unasked(pieces) {
			t.Fatalf("at once:\n%s\nin pieces:\n%s", whole, pieces)
		}
		if log := s.log.String(); log != "" {
			t.Fatalf("logged: %s", log)
		}
		served := fingerprints(t, whole)
		want, parts, err := referenceParts(string(raw))
		if len(served) > len(want) {
			t.Fatalf("served %q; net/http reads %d requests, then %v", served, len(want), err)
		}
		for i := range served {
			if served[i] != want[i] {
				t.Fatalf("request %d means\n%s\nto net/http\n%s", i, served[i], want[i])
			}
			if oldExpectation(parts[i]) {
				continue
			}
			if got, answer := serve(t, parts[i]); got != served[i] {
				t.Fatalf("request %d means\n%s\nto net/http's server\n%s\nwhich answers\n%s", i, served[i], got, answer)
			}
		}
	})
}

// converse sends raw and the client's end, and returns all that comes back, without dates.
func converse(t *testing.T, s *server, raw []byte, rng *rand.Rand) string {
	nc, err := s.e.Dial(s.cfg.Open)
	if err != nil {
		t.Fatal(err)
	}
	c := nc.(*engine.MemoryConn)
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		for p := raw; len(p) > 0; {
			n := len(p)
			if rng != nil {
				n = min(n, 1+rng.IntN(1+rng.IntN(100)))
				runtime.Gosched()
			}
			if _, err := c.Write(p[:n]); err != nil {
				sent <- err
				return
			}
			p = p[n:]
		}
		sent <- c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil && !lost(err) {
		t.Fatalf("came %q, %v", got, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil && !lost(err) && !strings.Contains(err.Error(), "closed") {
		t.Fatal(err)
	}
	text := string(got)
	for {
		i := strings.Index(text, "Date: ")
		if i < 0 {
			return text
		}
		text = text[:i] + text[i+len("Date: ")+len(http.TimeFormat)+2:]
	}
}

// unasked leaves out what the server says when a body has not come yet: that depends on how it comes.
func unasked(text string) string {
	return strings.ReplaceAll(text, "HTTP/1.1 100 Continue\r\n\r\n", "")
}

// fingerprints are the bodies of the answers that served something. What came must be whole answers.
func fingerprints(t *testing.T, text string) (list []string) {
	text = unasked(text)
	br := newReader(text)
	for {
		if _, err := br.Peek(1); err != nil {
			return list
		}
		p, _ := br.Peek(len("HTTP/1.1 200"))
		if string(p) != "HTTP/1.1 200" { // a refusal: the last
			for _, status := range []string{"400", "413", "417", "431", "505"} {
				if string(p) == "HTTP/1.1 "+status {
					return list
				}
			}
			t.Fatalf("an answer begins with %q", p)
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		list = append(list, string(body))
	}
}

// What a head costs is bounded by its size: the worst forms of it, measured.
func TestHeadCost(t *testing.T) {
	many := func(line string) string {
		return head(append([]string{"GET / HTTP/1.1", "Host: a"}, repeat(line, 99)...)...)
	}
	tests := []struct{ name, raw string }{
		{"one long value", fill(16 << 10)},
		{"many short headers", many("X: y")},
		{"many long headers", many("X: " + strings.Repeat("y", 150))},
		{"many names", head(append([]string{"GET / HTTP/1.1", "Host: a"}, distinct(99)...)...)},
		{"a long target", head("GET /"+strings.Repeat("a", 16000)+" HTTP/1.1", "Host: a")},
		{"a target of escapes", head("GET /"+strings.Repeat("%41", 5300)+" HTTP/1.1", "Host: a")},
		{"a long query", head("GET /?"+strings.Repeat("a=b&", 4000)+" HTTP/1.1", "Host: a")},
		{"not to be served", head("GET / HTTP/1.1", "Host: a", "X: "+strings.Repeat("y", 16000), "Content-Length: x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const rounds = 50
			raw := []byte(tt.raw)
			run := func() {
				var s headScan
				end, f := s.look(raw, defaultMaxHead, defaultMaxHeaders)
				if f != nil {
					t.Fatal(f)
				}
				if _, f := check(raw[:end]); f != nil {
					return
				}
				if _, f := parse(raw[:end]); f != nil {
					t.Fatal(f)
				}
			}
			run()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				run()
			}
			runtime.ReadMemStats(&after)
			// 128 bytes a line: net/http makes room in its map for each, of which there are 100 at most.
			limit := 4*len(raw) + 4096 + 128*strings.Count(tt.raw, "\r\n")
			if got := int(after.TotalAlloc-before.TotalAlloc) / rounds; got > limit {
				t.Errorf("%d bytes allocated for a head of %d: want %d at most", got, len(tt.raw), limit)
			}
		})
	}
}

func distinct(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.Repeat("N", i+1) + ": y"
	}
	return list
}
