package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spokehub/spoke/internal/hubtest"
	"github.com/spokehub/spoke/internal/logtest"
)

// program is a running spoked.
type program struct {
	t       *testing.T
	addr    string
	admin   string // URL of the admin listener, if it has one
	signals chan os.Signal
	exit    chan int
	log     *logtest.Buffer
	clients []*hubtest.Client
}

var (
	servingLine = regexp.MustCompile(`^Spoke is serving https?://(127\.0\.0\.1:\d+)/\n$`)
	adminLine   = regexp.MustCompile(`admin listener" url=(\S+)`)
)

// start runs spoked on a free port. A test that does not wait for its end has it ended.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{t: t, signals: make(chan os.Signal, 2), exit: make(chan int, 1), log: new(logtest.Buffer)}
	out, w := io.Pipe()
	go func() {
		code := run(append([]string{"-addr", "127.0.0.1:0", "-drain", "-1s"}, args...), noEnv, w, p.log, p.signals)
		w.Close()
		p.exit <- code
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no line with the address: %v; log: %s", err, p.log)
	}
	m := servingLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("first line %q", line)
	}
	p.addr = m[1]
	if m := adminLine.FindStringSubmatch(p.log.String()); m != nil {
		p.admin = m[1]
	}
	return p
}

func (p *program) signal(s os.Signal) { p.signals <- s }

// end waits for the exit code. The clients leave: the test client does not answer a close frame, for which a server waits.
func (p *program) end(want int) {
	p.t.Helper()
	for _, c := range p.clients {
		c.Close()
	}
	select {
	case got := <-p.exit:
		if got != want {
			p.t.Errorf("exit code %d, want %d; log: %s", got, want, p.log)
		}
	case <-time.After(hubtest.Timeout):
		p.t.Fatalf("it does not end; log: %s", p.log)
	}
}

// ended waits for the end while clients are there, which why is to bring about.
func (p *program) ended(why string) {
	p.t.Helper()
	select {
	case code := <-p.exit:
		p.exit <- code
	case <-time.After(hubtest.Timeout):
		p.t.Errorf("%s did not end it", why)
	}
}

func (p *program) dial(path string) *hubtest.Client {
	p.t.Helper()
	c, err := hubtest.Dial(p.addr, path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	p.clients = append(p.clients, c)
	return c
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// invoke calls a method that must succeed and puts its result into result, unless that is nil.
func invoke(t *testing.T, c *hubtest.Client, result any, target string, args ...any) {
	t.Helper()
	raw, err := c.Invoke(target, args...)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(raw, result); err != nil {
		t.Fatalf("%s returned %s: %v", target, raw, err)
	}
}

// refused calls a method that must fail with a text for the client.
func refused(t *testing.T, c *hubtest.Client, want, target string, args ...any) {
	t.Helper()
	_, err := c.Invoke(target, args...)
	if err == nil || !strings.HasSuffix(err.Error(), "HubException: "+want) {
		t.Errorf("%s: error %v, want for the client: %s", target, err, want)
	}
}

// expect skips what comes until there is a call of target, and takes its only argument or all of them.
func expect(t *testing.T, c *hubtest.Client, target string, args ...any) {
	t.Helper()
	for {
		m, err := c.Next()
		if err != nil {
			t.Fatalf("waiting for %s: %v", target, err)
		}
		if m.Target != target {
			continue
		}
		if len(m.Arguments) != len(args) {
			t.Fatalf("%s has %d arguments, want %d", target, len(m.Arguments), len(args))
		}
		for i, raw := range m.Arguments {
			if err := json.Unmarshal(raw, args[i]); err != nil {
				t.Fatalf("%s: argument %s: %v", target, raw, err)
			}
		}
		return
	}
}

func TestRunServesAndDrains(t *testing.T) {
	t.Parallel()
	p := start(t)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/":                 {200, "<title>Spoke</title>"},
		"/hub-client.js":    {200, "class HubClient"},
		"/healthz":          {200, "ok"},
		"/readyz":           {200, "ready"},
		"/bench/negotiate":  {404, ""}, // without -bench there is no such hub
		"/debug/pprof/":     {404, ""},
		"/metrics.json":     {404, ""},
		"/chat/negotiate/x": {404, ""},
	} {
		if status, body := get(t, "http://"+p.addr+path); status != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%s: %d, %q", path, status, body)
		}
	}
	c := p.dial("/chat")
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGTERM) // at once: the first one's echo
	for {
		m, err := c.Next()
		if err != nil {
			t.Fatalf("no Close message: %v", err)
		}
		if m.Type == 7 {
			if !m.AllowReconnect {
				t.Error("the Close message does not allow to reconnect")
			}
			break
		}
	}
	p.end(exitOK)
	if nc, err := net.Dial("tcp", p.addr); err == nil {
		nc.Close()
		t.Error("it still accepts connections")
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob := p.dial("/chat"), p.dial("/chat")

	var state roomState
	invoke(t, ann, &state, "Join", " lobby ", " Ann ")
	if state.Room != "lobby" || len(state.Members) != 1 || state.Members[0].Name != "Ann" || state.History == nil {
		t.Errorf("Ann sees %+v", state)
	}
	annID := state.Members[0].ID
	invoke(t, ann, nil, "Send", "lobby", "first\nof all")
	invoke(t, bob, &state, "Join", "lobby", "Bob")
	if len(state.Members) != 2 || len(state.History) != 1 || state.History[0].Text != "first\nof all" {
		t.Errorf("Bob sees %+v", state)
	}
	var room string
	var who member
	expect(t, ann, "joined", &room, &who)
	if room != "lobby" || who.Name != "Bob" {
		t.Errorf("Ann hears that %s has joined %s", who.Name, room)
	}
	bobID := who.ID

	invoke(t, bob, nil, "Send", "lobby", "hello")
	for name, c := range map[string]*hubtest.Client{"Ann": ann, "Bob": bob} {
		var m message
		expect(t, c, "message", &m)
		if name == "Ann" && m.Number == 1 { // her own, before Bob came
			expect(t, c, "message", &m)
		}
		if m.Room != "lobby" || m.Number != 2 || m.Text != "hello" || m.From != (member{bobID, "Bob"}) || m.At == 0 {
			t.Errorf("%s hears %+v", name, m)
		}
	}
	invoke(t, ann, nil, "Rename", "Anna")
	expect(t, bob, "renamed", &room, &who)
	if who != (member{annID, "Anna"}) {
		t.Errorf("Bob hears of the new name %+v", who)
	}
	var list []roomSummary
	invoke(t, bob, &list, "Rooms")
	if want := []roomSummary{{"lobby", 2}}; !reflect.DeepEqual(list, want) {
		t.Errorf("rooms %v, want %v", list, want)
	}
	invoke(t, bob, nil, "Leave", "lobby")
	expect(t, ann, "left", &room, &who)
	if who.ID != bobID {
		t.Errorf("Ann hears that %+v has left", who)
	}
	refused(t, bob, `You are not in the room "lobby": join it first.`, "Send", "lobby", "x")
	refused(t, bob, "Your name is empty.", "Join", "lobby", " ")
	refused(t, bob, "The room's name is empty.", "Join", "", "Bob")
	refused(t, bob, "The room's name has 41 characters; 40 are allowed.", "Join", strings.Repeat("x", 41), "Bob")
	refused(t, bob, "Your name has 33 characters; 32 are allowed.", "Rename", strings.Repeat("x", 33))
	refused(t, ann, "The message has 1001 characters; 1000 are allowed.", "Send", "lobby", strings.Repeat("x", 1001))
	refused(t, ann, "The message is empty.", "Send", "lobby", "\n")

	// Whoever goes without a word leaves, too.
	invoke(t, bob, nil, "Join", "lobby", "Bob")
	bob.Close()
	expect(t, ann, "left", &room, &who)
	if room != "lobby" || who.ID != bobID {
		t.Errorf("Ann hears that %+v has left %s", who, room)
	}
	for {
		expect(t, ann, "rooms", &list)
		if reflect.DeepEqual(list, []roomSummary{{"lobby", 1}}) {
			break
		}
	}
	p.signal(os.Interrupt)
	p.end(exitOK)
}

func TestLive(t *testing.T) {
	t.Parallel()
	p := start(t)
	c, other := p.dial("/chat"), p.dial("/chat")
	var rate int
	invoke(t, c, &rate, "Watch")
	if rate != defaultRate {
		t.Errorf("rate %d, want %d", rate, defaultRate)
	}
	invoke(t, other, nil, "SetRate", maxRate)
	var last tick
	for range 20 {
		var x tick
		expect(t, c, "tick", &x)
		if last.Number != 0 && x.Number != last.Number+1 || time.Since(time.UnixMicro(x.At)).Abs() > time.Minute || x.Watchers != 1 {
			t.Errorf("%+v after %+v", x, last)
		}
		last = x
	}
	if last.Rate != maxRate {
		t.Errorf("rate %d after SetRate, want %d", last.Rate, maxRate)
	}
	refused(t, other, "The rate is 101 messages a second; 1 to 100 are allowed.", "SetRate", 101)
	var echo []any
	invoke(t, c, &echo, "Echo", []any{"x", nil})
	if !reflect.DeepEqual(echo, []any{"x", nil}) {
		t.Errorf("Echo returned %v", echo)
	}
	invoke(t, c, nil, "Unwatch")
	p.signal(syscall.SIGTERM)
	p.end(exitOK)
}

func TestBench(t *testing.T) {
	t.Parallel()
	p := start(t, "-bench", "-dev-users")
	a, b := p.dial("/bench?user=ann"), p.dial("/bench?access_token=bob")
	var text string
	for _, method := range []string{"Echo", "EchoByWorker"} {
		invoke(t, a, &text, method, "Grüße "+method)
		if text != "Grüße "+method {
			t.Errorf("%s returned %q", method, text)
		}
	}
	// each sends what only b must get, then checks that it did.
	steps := []struct {
		target string
		args   []any
	}{
		{"Broadcast", []any{1}},
		{"Publish", []any{"blue", 2}},
		{"Tell", []any{"bob", 3}},
	}
	invoke(t, b, nil, "Join", "blue")
	for i, s := range steps {
		invoke(t, a, nil, s.target, s.args...)
		var got int
		expect(t, b, "message", &got)
		if got != i+1 {
			t.Errorf("%s: b got %d", s.target, got)
		}
	}
	invoke(t, b, nil, "Leave", "blue")
	invoke(t, a, nil, "Publish", "blue", 4)
	invoke(t, a, nil, "Tell", "bob", 5)
	var got int
	if expect(t, b, "message", &got); got != 5 {
		t.Errorf("after Leave, b got %d", got)
	}
	invoke(t, a, &text, "WhoAmI")
	if text != "ann" {
		t.Errorf("WhoAmI returned %q", text)
	}
	invoke(t, a, nil, "Sleep", 1)
	refused(t, a, "Sleep takes 0 to 60000 milliseconds, not 60001.", "Sleep", 60_001)
	refused(t, a, "Sleep takes 0 to 60000 milliseconds, not -1.", "Sleep", -1)
	refused(t, a, "Sleep takes 0 to 60000 milliseconds, not 9223372036855.", "Sleep", 9_223_372_036_855) // in nanoseconds that is over 2^63
	refused(t, a, "100 % wrong", "Fail", "100 % wrong")
	if _, err := a.Invoke("Panic"); err == nil || err.Error() != "An unexpected error occurred invoking 'Panic' on the server." {
		t.Errorf("Panic: %v", err)
	}
	if err := a.Send("Abort"); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := a.Next()
		if err != nil {
			t.Fatalf("no Close message: %v", err)
		}
		if m.Type == 7 {
			if m.AllowReconnect || m.Error != nil {
				t.Errorf("Abort: %+v", m)
			}
			break
		}
	}
	p.signal(syscall.SIGTERM)
	p.end(exitOK)
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	p := start(t, "-admin-addr", "127.0.0.1:0")
	p.dial("/chat")
	for path, want := range map[string]string{"": "/metrics.json", "healthz": "ok", "readyz": "ready", "debug/pprof/": "goroutine"} {
		if status, body := get(t, p.admin+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %q", path, status, body)
		}
	}
	status, body := get(t, p.admin+"metrics.json")
	var r report
	if err := json.Unmarshal([]byte(body), &r); err != nil || status != 200 {
		t.Fatalf("metrics: %d, %v, %s", status, err, body)
	}
	if !r.Ready || r.UptimeSeconds <= 0 || r.Go.Goroutines == 0 || r.Go.HeapObjects == 0 || r.Server.Hubs.Connections != 1 {
		t.Errorf("metrics: %+v", r)
	}
	resp, err := http.Post(p.admin+"debug/free", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("free: %s", resp.Status)
	}
	_, body = get(t, p.admin+"metrics.json")
	var freed report
	if err := json.Unmarshal([]byte(body), &freed); err != nil {
		t.Fatalf("metrics: %v, %s", err, body)
	}
	if freed.Go.GCCycles <= r.Go.GCCycles || freed.Go.HeapReleased == 0 {
		t.Errorf("metrics: before %+v, after %+v", r.Go, freed.Go)
	}
	p.signal(syscall.SIGTERM)
	p.end(exitOK)
}

// While a call runs, readiness is red, and the checks still answer on the admin listener; a second signal ends it all.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := start(t, "-bench", "-admin-addr", "127.0.0.1:0")
	c := p.dial("/bench")
	if _, err := c.Call("Sleep", 60_000); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the call", func() bool {
		var r report
		_, body := get(t, p.admin+"metrics.json")
		return json.Unmarshal([]byte(body), &r) == nil && r.Server.Hubs.CallsRunning == 1
	})
	p.signal(syscall.SIGTERM)
	waitFor(t, "red readiness", func() bool { status, _ := get(t, p.admin+"readyz"); return status == 503 })
	if status, _ := get(t, p.admin+"healthz"); status != 200 {
		t.Errorf("healthz is %d while draining", status)
	}
	select {
	case code := <-p.exit:
		t.Fatalf("it ended with %d though a call is running", code)
	default:
	}
	p.signal(os.Interrupt)
	p.ended("the second signal") // with the client still there
	p.end(exitFail)
}

// A call that does not end in time does not keep the program from ending; that is a failure, and the log says so.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	p := start(t, "-bench", "-drain-limit", "1ms", "-admin-addr", "127.0.0.1:0")
	c := p.dial("/bench")
	if _, err := c.Call("Sleep", 60_000); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the call", func() bool {
		var r report
		_, body := get(t, p.admin+"metrics.json")
		return json.Unmarshal([]byte(body), &r) == nil && r.Server.Hubs.CallsRunning == 1
	})
	p.signal(syscall.SIGTERM)
	p.ended("the limit") // with the client still there
	p.end(exitFail)
	if !strings.Contains(p.log.String(), "drain given up") {
		t.Errorf("the log does not say what was given up: %s", p.log)
	}
}

// waitFor asks again and again; asking takes its time by itself.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for limit := time.Now().Add(hubtest.Timeout); !f(); {
		if time.Now().After(limit) {
			t.Fatalf("waited %v in vain for %s", hubtest.Timeout, what)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // after the parallel subtests
	for name, c := range map[string]struct {
		args []string
		code int
		out  string // in what it prints
		err  string // in what it prints to stderr
	}{
		"help":             {[]string{"-h"}, exitOK, "", "-admin-addr"},
		"version":          {[]string{"-version"}, exitOK, "spoked ", ""},
		"unknown flag":     {[]string{"-port", "80"}, exitUsage, "", "-port"},
		"bad setting":      {[]string{"-workers", "-1"}, exitUsage, "", "Workers"},
		"bad address":      {[]string{"-addr", "nowhere"}, exitFail, "", "nowhere"},
		"admin in public":  {[]string{"-admin-addr", "0.0.0.0:0"}, exitUsage, "", "-admin-open"},
		"admin port taken": {[]string{"-addr", "127.0.0.1:0", "-admin-addr", taken.Addr().String()}, exitFail, "", "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs logtest.Buffer
			if code := run(c.args, noEnv, &out, &errs, nil); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.err) {
				t.Errorf("it printed %q and %q", out.String(), errs.String())
			}
			if c.code == exitUsage && strings.Count(errs.String(), "\n") > 3 {
				t.Errorf("a usage error takes more than three lines: %q", errs.String())
			}
		})
	}
}

func TestPageURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "http://127.0.0.1:80/"},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "http://[::1]:80/"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 80}, "http://localhost:80/"},
		{&net.TCPAddr{IP: net.IPv6zero, Port: 80}, "http://localhost:80/"},
		{&net.TCPAddr{Port: 80}, "http://localhost:80/"},
		{&net.UnixAddr{Net: "unix", Name: "/run/s"}, "unix:/run/s"},
	} {
		if got := pageURL("http", c.addr); got != c.want {
			t.Errorf("%v: %s, want %s", c.addr, got, c.want)
		}
	}
}
