package endpoint

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/spokehub/spoke/auth"
)

// testSet maps /hub with opt. It has no engine: nothing in these tests opens a connection.
func testSet(t *testing.T, cfg Config, opt Options) (*Set, *Endpoint) {
	t.Helper()
	s := NewSet(cfg)
	e, err := s.Map("/hub", nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s, e
}

func do(s *Set, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "BODY" {
			r.ContentLength = int64(len(header[i+1]))
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var upgradeHeaders = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	const ws = `{"transport":"WebSockets","transferFormats":["Text","Binary"]}`
	const all = ws + `,{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}`
	const v1 = `{"negotiateVersion":1,"connectionId":"ID","connectionToken":"ID","availableTransports":[` + all + `]}`
	const v0 = `{"negotiateVersion":0,"connectionId":"ID","availableTransports":[` + all + `]}`
	notInteger := `{"error":"The client requested a non-integer protocol version."}`
	tests := []struct {
		name, query string
		opt         Options
		want        string
	}{
		{"version 1", "?negotiateVersion=1", Options{}, v1},
		{"no version", "", Options{}, v0},
		{"version 0", "?negotiateVersion=0", Options{}, v0},
		{"key ignores case", "?NEGOTIATEVERSION=1", Options{}, v1},
		{"above the highest", "?negotiateVersion=99", Options{}, v1},
		{"white space", "?negotiateVersion=%201%20", Options{}, v1},
		{"other values", "?negotiateVersion=1&x=y", Options{}, v1},
		{"no integer", "?negotiateVersion=one", Options{}, notInteger},
		{"empty", "?negotiateVersion=", Options{}, notInteger},
		{"a fraction", "?negotiateVersion=1.0", Options{}, notInteger},
		{"over 32 bits", "?negotiateVersion=2147483648", Options{}, notInteger},
		{"twice", "?negotiateVersion=1&negotiateVersion=1", Options{}, notInteger},
		{"twice in two spellings", "?negotiateVersion=1&NegotiateVersion=1", Options{}, notInteger},
		{"negative", "?negotiateVersion=-1", Options{}, `{"error":"The client requested version '-1', but the server does not support this version."}`},
		{"below the minimum", "?negotiateVersion=0", Options{MinNegotiateVersion: 1}, `{"error":"The client requested version '0', but the server does not support this version."}`},
		{"missing below the minimum", "", Options{MinNegotiateVersion: 1}, `{"error":"The client requested version '0', but the server does not support this version."}`},
		{"the minimum", "?negotiateVersion=1", Options{MinNegotiateVersion: 1}, v1},
		{"WebSockets alone", "?negotiateVersion=0", Options{Transports: WebSockets}, `{"negotiateVersion":0,"connectionId":"ID","availableTransports":[` + ws + `]}`},
		{"transports in order", "?negotiateVersion=0", Options{Transports: LongPolling | ServerSentEvents}, `{"negotiateVersion":0,"connectionId":"ID","availableTransports":[` +
			`{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}`},
	}
	id := regexp.MustCompile(`"[A-Za-z0-9_-]{22}"`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := testSet(t, Config{}, tt.opt)
			w := do(s, "POST", "/hub/negotiate"+tt.query)
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("status %d, content type %q: want 200, application/json", w.Code, w.Header().Get("Content-Type"))
			}
			if got := id.ReplaceAllString(w.Body.String(), `"ID"`); got != tt.want {
				t.Errorf("body\n%s\nwant\n%s", got, tt.want)
			}
			if parked := s.Stats().Parked; (parked == 1) != !strings.Contains(tt.want, "error") {
				t.Errorf("%d connections are parked", parked)
			}
		})
	}
}

func TestNegotiateIDs(t *testing.T) {
	t.Parallel()
	s, _ := testSet(t, Config{}, Options{})
	fields := regexp.MustCompile(`"connectionId":"(.*?)"(?:,"connectionToken":"(.*?)")?`)
	seen := map[string]bool{}
	for _, v := range []string{"0", "1"} {
		for range 100 {
			m := fields.FindStringSubmatch(do(s, "POST", "/hub/negotiate?negotiateVersion="+v).Body.String())
			if v == "1" && m[1] == m[2] {
				t.Fatal("version 1: the id is the token")
			}
			for _, x := range m[1:] {
				if x != "" && seen[x] {
					t.Fatal("an id or token came twice")
				}
				seen[x] = true
			}
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	events := []string{"Accept", "text/event-stream"}
	noCache := map[string]string{"Content-Type": "text/plain", "Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}
	plain := map[string]string{"Content-Type": "text/plain", "Cache-Control": "", "Pragma": "", "Expires": ""}
	bare := map[string]string{"Content-Type": ""}
	const unknown = "?id=AAAAAAAAAAAAAAAAAAAAAA"
	tests := []struct {
		name, method, target string
		header               []string
		transports           Transports
		status               int
		body                 string
		want                 map[string]string
	}{
		{"unknown path", "GET", "/nowhere", nil, 0, 404, "", bare},
		{"below the hub", "POST", "/hub/elsewhere", nil, 0, 404, "", bare},
		{"negotiate by GET", "GET", "/hub/negotiate", nil, 0, 405, "", plain},
		{"negotiate by HEAD", "HEAD", "/hub/negotiate", nil, 0, 405, "", plain},
		{"negotiate by OPTIONS", "OPTIONS", "/hub/negotiate", nil, 0, 405, "", plain},
		{"HEAD", "HEAD", "/hub?id=PARKED", nil, 0, 405, "", plain},
		{"OPTIONS", "OPTIONS", "/hub?id=PARKED", nil, 0, 405, "", plain},
		{"PUT", "PUT", "/hub?id=PARKED", nil, 0, 405, "", plain},
		{"poll without id", "GET", "/hub", nil, 0, 400, "Connection ID required", noCache},
		{"poll with an empty id", "GET", "/hub?id=", nil, 0, 400, "Connection ID required", noCache},
		{"events without id", "GET", "/hub", events, 0, 400, "Connection ID required", plain},
		{"POST without id", "POST", "/hub", nil, 0, 400, "Connection ID required", plain},
		{"DELETE without id", "DELETE", "/hub", nil, 0, 400, "Connection ID required", plain},
		{"poll of an unknown id", "GET", "/hub" + unknown, nil, 0, 404, "No Connection with that ID", noCache},
		{"events of an unknown id", "GET", "/hub" + unknown, events, 0, 404, "No Connection with that ID", plain},
		{"POST to an unknown id", "POST", "/hub" + unknown, nil, 0, 404, "No Connection with that ID", plain},
		{"DELETE of an unknown id", "DELETE", "/hub" + unknown, nil, 0, 404, "No Connection with that ID", plain},
		{"WebSocket of an unknown id", "GET", "/hub" + unknown, upgradeHeaders, 0, 404, "No Connection with that ID", bare},
		{"an upgrade with a body", "GET", "/hub", append([]string{"BODY", "x"}, upgradeHeaders...), 0, 400, "Connection ID required", noCache},
		{"WebSocket of garbage", "GET", "/hub?id=%00%ff", upgradeHeaders, 0, 404, "No Connection with that ID", bare},
		{"WebSocket of two ids", "GET", "/hub?id=PARKED&id=PARKED", upgradeHeaders, 0, 404, "No Connection with that ID", bare},
		{"the public id", "GET", "/hub?id=PUBLIC", upgradeHeaders, 0, 404, "No Connection with that ID", bare},
		{"the key ignores case", "POST", "/hub?ID=ACTIVE", nil, 0, 405, "POST requests are not allowed for WebSocket connections.", plain},
		{"another hub's token", "GET", "/other?id=PARKED", upgradeHeaders, 0, 404, "No Connection with that ID", bare},
		{"WebSockets switched off", "GET", "/hub", upgradeHeaders, LongPolling, 404, "WebSockets transport not supported by this end point type", plain},
		{"WebSockets switched off, with id", "GET", "/hub?id=PARKED", upgradeHeaders, LongPolling, 404, "WebSockets transport not supported by this end point type", plain},
		{"polls switched off", "GET", "/hub?id=PARKED", nil, WebSockets, 404, "LongPolling transport not supported by this end point type", noCache},
		{"events switched off", "GET", "/hub?id=PARKED", events, WebSockets, 404, "ServerSentEvents transport not supported by this end point type", plain},
		{"poll of a WebSocket", "GET", "/hub?id=ACTIVE", nil, allTransports, 400, "Cannot change transports mid-connection", noCache},
		{"events of a WebSocket", "GET", "/hub?id=ACTIVE", events, allTransports, 400, "Cannot change transports mid-connection", plain},
		{"POST to a WebSocket", "POST", "/hub?id=ACTIVE", nil, 0, 405, "POST requests are not allowed for WebSocket connections.", plain},
		{"DELETE of a WebSocket", "DELETE", "/hub?id=ACTIVE", nil, 0, 400, "Cannot terminate this connection using the DELETE endpoint.", plain},
		{"DELETE of a parked one", "DELETE", "/hub?id=PARKED", nil, 0, 400, "Cannot terminate this connection using the DELETE endpoint.", plain},
		{"second WebSocket", "GET", "/hub?id=ACTIVE", upgradeHeaders, 0, 409, "", plain},
		{"an upgrade that wants events", "GET", "/hub", append([]string{"Accept", "text/event-stream"}, upgradeHeaders...), 0, 400, "Connection ID required", plain},
		{"an upgrade of version 12", "GET", "/hub", append([]string{"Sec-WebSocket-Version", "12"}, upgradeHeaders[:4]...), 0, 400, "Connection ID required", noCache},
		{"events among others", "GET", "/hub", []string{"Accept", "application/json, TEXT/Event-Stream"}, 0, 400, "Connection ID required", plain},
		{"events with a parameter", "GET", "/hub", []string{"Accept", "text/event-stream;q=0.5"}, 0, 400, "Connection ID required", noCache},
		{"a wildcard", "GET", "/hub", []string{"Accept", "text/*"}, 0, 400, "Connection ID required", noCache},
		{"a path with case and slash", "GET", "/HUB/", nil, 0, 400, "Connection ID required", noCache},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, e := testSet(t, Config{}, Options{Transports: tt.transports})
			if _, err := s.Map("/other", nil, Options{}); err != nil {
				t.Fatal(err)
			}
			parked, err := s.registry.park(e, false, false)
			if err != nil {
				t.Fatal(err)
			}
			active := s.registry.add(e.mode(false, false)).conn
			target := strings.NewReplacer("PARKED", parked.token.String(), "PUBLIC", parked.id.String(), "ACTIVE", active.token.String()).Replace(tt.target)
			w := do(s, tt.method, target, tt.header...)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			for k, v := range tt.want {
				if got := w.Header().Get(k); got != v {
					t.Errorf("header %s is %q, want %q", k, got, v)
				}
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	s, e := testSet(t, Config{}, Options{AllowedOrigins: []string{"https://good.example", "null.example"}})
	for _, tt := range []struct {
		name    string
		origins []string
		want    bool
	}{
		{"allowed", []string{"https://good.example"}, true},
		{"none", nil, true},
		{"another", []string{"https://evil.example"}, false},
		{"another case", []string{"HTTPS://GOOD.example"}, false},
		{"another port", []string{"https://good.example:444"}, false},
		{"another scheme", []string{"http://good.example"}, false},
		{"look-alike", []string{"https://good.example.evil"}, false},
		{"null", []string{"null"}, false},
		{"empty", []string{""}, false},
		{"two", []string{"https://good.example", "https://good.example"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/hub", nil)
			r.Header["Origin"] = tt.origins
			if got := e.originAllowed(r); got != tt.want {
				t.Errorf("allowed: %v, want %v", got, tt.want)
			}
		})
	}
	before := s.Stats().Connections
	if w := do(s, "GET", "/hub", append([]string{"Origin", "https://evil.example"}, upgradeHeaders...)...); w.Code != 403 || w.Body.Len() != 0 || w.Header().Get("Content-Type") != "" {
		t.Errorf("a foreign origin got %d %q", w.Code, w.Body)
	}
	if s.Stats().Connections != before {
		t.Error("a refused upgrade left a connection behind")
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	hook := func(r *http.Request) (*auth.Identity, error) {
		switch r.Header.Get("X-User") {
		case "":
			return nil, nil
		case "bad":
			return nil, errors.New("expired")
		case "panic":
			panic("a fault in the hook")
		}
		return &auth.Identity{UserID: r.Header.Get("X-User")}, nil
	}
	for _, tt := range []struct {
		name, method, target, user string
		requireUser                bool
		status                     int
	}{
		{"anonymous", "POST", "/hub/negotiate", "", false, 200},
		{"anonymous where a user is demanded", "POST", "/hub/negotiate", "", true, 401},
		{"anonymous poll where a user is demanded", "GET", "/hub?id=x", "", true, 401},
		{"anonymous DELETE where a user is demanded", "DELETE", "/hub?id=x", "", true, 401},
		{"a user", "POST", "/hub/negotiate", "ann", true, 200},
		{"refused", "POST", "/hub/negotiate", "bad", false, 401},
		{"refused before the method is looked at", "PATCH", "/hub", "bad", false, 401},
		{"the hook panics", "POST", "/hub/negotiate", "panic", false, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := testSet(t, Config{Authenticate: hook}, Options{RequireUser: tt.requireUser})
			w := do(s, tt.method, tt.target, "X-User", tt.user)
			if w.Code != tt.status {
				t.Errorf("got %d, want %d", w.Code, tt.status)
			}
			if w.Code != 200 && (w.Body.Len() != 0 || w.Header().Get("Content-Type") != "") {
				t.Errorf("a refusal has the body %q", w.Body)
			}
			if n := s.auth.open.Load(); n != 0 {
				t.Errorf("%d calls still count as open", n)
			}
		})
	}
}

func TestAuthenticateIsBounded(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	s, _ := testSet(t, Config{AuthCalls: 1, AuthWaiting: 1, Authenticate: func(*http.Request) (*auth.Identity, error) {
		entered <- struct{}{}
		<-leave
		return nil, nil
	}}, Options{})
	codes := make(chan int, 2)
	for range 2 {
		go func() { codes <- do(s, "POST", "/hub/negotiate").Code }()
	}
	<-entered
	for s.auth.open.Load() != 2 { // the other one waits for its turn
	}
	if w := do(s, "POST", "/hub/negotiate"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the request over the bound got %d", w.Code)
	}
	if n := s.Stats().Busy; n != 1 {
		t.Errorf("%d requests are counted as answered with 503, want 1", n)
	}
	leave <- struct{}{}
	<-entered
	leave <- struct{}{}
	for range 2 {
		if c := <-codes; c != 200 {
			t.Errorf("a request within the bound got %d", c)
		}
	}
}

func TestMapErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path string
		opt        Options
		want       string
	}{
		{"no slash", "hub2", Options{}, "want a slash"},
		{"a query", "/hub2?x", Options{}, "without a query"},
		{"taken", "/HUB/", Options{}, "mapped already, as /hub"},
		{"negotiate", "/x/negotiate", Options{}, "ends in /negotiate"},
		{"unknown transports", "/hub2", Options{Transports: 8}, "unknown bits"},
		{"version", "/hub2", Options{MinNegotiateVersion: 2}, "want 0 or 1"},
		{"wildcard origin", "/hub2", Options{AllowedOrigins: []string{"*"}}, "name each origin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := testSet(t, Config{}, Options{})
			if _, err := s.Map(tt.path, nil, tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
