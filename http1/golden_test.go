package http1

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// goldenRequests are the distinct requests of the recorded exchanges, as bytes. What is captured at run time (tokens) has a fixed value.
func goldenRequests(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../interop/golden/testdata/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		Method, Path, Body, Hex string
		Headers                 map[string]*string
	}
	placeholder := regexp.MustCompile(`\$\{[^}]*\}`)
	seen := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var step struct {
				Do, WS  string
				HTTP    *request
				Path    string
				Headers map[string]*string
			}
			if err := json.Unmarshal([]byte(line), &step); err != nil {
				continue // a header line, or an expectation of another form
			}
			r := step.HTTP
			switch {
			case step.Do != "send":
				continue
			case step.WS == "open":
				r = &request{Method: http.MethodGet, Path: step.Path, Headers: map[string]*string{}}
				for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
					r.Headers[name] = &value
				}
				maps.Copy(r.Headers, step.Headers)
			case r == nil:
				continue
			}
			body := r.Body
			if r.Hex != "" {
				b, err := hex.DecodeString(r.Hex)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				body = string(b)
			}
			const value = "AbC-123_x"
			body = placeholder.ReplaceAllString(body, value)
			lines := map[string]string{"Host": "127.0.0.1:8080"}
			if body != "" || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
				lines["Content-Length"] = strconv.Itoa(len(body))
			}
			for name, value := range r.Headers {
				if value == nil {
					delete(lines, name)
				} else {
					lines[name] = *value
				}
			}
			var raw strings.Builder
			raw.WriteString(r.Method + " " + r.Path + " HTTP/1.1\r\n")
			for _, name := range slices.Sorted(maps.Keys(lines)) {
				raw.WriteString(name + ": " + lines[name] + "\r\n")
			}
			raw.WriteString("\r\n" + body)
			seen[placeholder.ReplaceAllString(raw.String(), value)] = true
		}
	}
	if len(seen) < 100 {
		t.Fatalf("only %d recorded requests found: want 100 at least", len(seen))
	}
	return slices.Sorted(maps.Keys(seen))
}

// Every recorded request, cut at every byte and byte by byte, means what it means to net/http; as long as it leaves the connection open, so does the next.
func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	requests := goldenRequests(t)
	served, refused := 0, 0
	for _, raw := range requests {
		want, err := reference(raw)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", raw, err)
		}
		if len(want) != 1 {
			t.Fatalf("net/http reads %d requests from %q", len(want), raw)
		}
		bubble(t, Config{Serve: mirror, BodyTimeout: time.Hour}, func(t *testing.T, s *server) {
			method := strings.Fields(raw)[0]
			c := s.dial()
			c.send(raw)
			first := c.answer(method)
			if first.StatusCode != http.StatusOK {
				refused++ // by our strictness: then by all cuts alike
			} else {
				served++
				if first.body != want[0] && method != "HEAD" {
					t.Fatalf("%q means %s, to net/http %s", raw, first.body, want[0])
				}
			}
			check := func(how string) {
				if r := c.answer(method); r.StatusCode != first.StatusCode || r.body != first.body {
					t.Fatalf("%q %s: %d %s: want %d %s", raw, how, r.StatusCode, r.body, first.StatusCode, first.body)
				}
				if first.Close {
					c.close()
					c = s.dial()
				}
			}
			if first.Close {
				c.close()
				c = s.dial()
			}
			large := len(raw) > 4000
			for cut := 1; cut < len(raw); cut++ {
				if large && cut > 1000 && cut%997 != 0 {
					continue
				}
				c.send(raw[:cut])
				synctest.Wait()
				if err := c.try(raw[cut:]); err != nil && !lost(err) {
					t.Fatal(err)
				}
				check("cut at " + strconv.Itoa(cut))
			}
			if !large {
				for i := range len(raw) {
					if err := c.try(raw[i : i+1]); err != nil && !lost(err) {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				check("byte by byte")
			}
			c.close()
			synctest.Wait()
			if n := s.e.Stats().Closed[engine.InternalError]; n != 0 {
				t.Errorf("%d internal errors", n)
			}
			s.quiet()
		})
	}
	if served < len(requests)-5 {
		t.Errorf("%d recorded requests served, %d refused", served, refused)
	}
	t.Logf("%d recorded requests served, %d refused", served, refused)
}
