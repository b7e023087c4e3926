package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// loaded is what became of a run of the program.
type loaded struct {
	code           int
	stdout, stderr string
	result         *result
}

// loadgen runs the program with a JSON file, and gives the result in it; nil when there is none.
func loadgen(t *testing.T, signals <-chan os.Signal, args ...string) loaded {
	t.Helper()
	file := filepath.Join(t.TempDir(), "result.json")
	args = append([]string{args[0], "-json", file}, args[1:]...)
	var stdout, stderr bytes.Buffer
	l := loaded{code: run(args, program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, signals: signals})}
	l.stdout, l.stderr = stdout.String(), stderr.String()
	if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
		l.result = &result{}
		if err := json.Unmarshal(b, l.result); err != nil {
			t.Fatalf("the -json file: %v", err)
		}
	}
	return l
}

func (l loaded) want(t *testing.T, code int) {
	t.Helper()
	if l.code != code {
		t.Fatalf("exit code %d, want %d\n%s\n%s", l.code, code, l.stdout, l.stderr)
	}
}

func (l loaded) contains(t *testing.T, texts ...string) {
	t.Helper()
	for _, x := range texts {
		if !strings.Contains(l.stdout+l.stderr, x) {
			t.Errorf("nothing says %q:\n%s\n%s", x, l.stdout, l.stderr)
		}
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	units := func(r *result) int64 { return r.Scenario.units(&r.Total) }
	cases := []struct {
		name  string
		b     behaviour
		args  []string
		check func(t *testing.T, r *result, s *fakeServer)
	}{
		{name: "idle", args: []string{"idle", "-n=20", "-duration=200ms", "-ping=1s"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if r.Ready != 20 || s.pings < 20 || r.Total.Connect.count() != 20 {
				t.Errorf("%d ready, %d first pings, %d times to connect", r.Ready, s.pings, r.Total.Connect.count())
			}
		}},
		{name: "echo, closed loop", args: []string{"echo", "-n=10", "-depth=3", "-duration=300ms", "-warmup=0"}},
		{name: "echo, open loop", args: []string{"echo", "-n=10", "-rate=500", "-duration=500ms", "-warmup=100ms"}, check: func(t *testing.T, r *result, _ *fakeServer) {
			if r.Total.Sent < 298 || r.Total.Sent > 301 || r.Total.Lag.count() < 248 {
				t.Errorf("%d calls in 0.6 s at 500 a second, %d lags", r.Total.Sent, r.Total.Lag.count())
			}
		}},
		{name: "echo, two loops, large payload", args: []string{"echo", "-n=4", "-loops=2", "-size=70000", "-duration=300ms", "-warmup=0"}},
		{name: "echo, other JSON, fragments and pings", b: behaviour{pretty: true, fragment: true}, args: []string{"echo", "-n=4", "-duration=300ms", "-warmup=0"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if s.pongs < r.Total.Answered {
				t.Errorf("%d pongs for more than %d pings", s.pongs, r.Total.Answered)
			}
		}},
		{name: "echo, unchecked", args: []string{"echo", "-check=false", "-n=4", "-duration=200ms", "-warmup=0"}},
		{name: "broadcast, closed loop", args: []string{"broadcast", "-n=10", "-publishers=2", "-outstanding=4", "-loops=2", "-duration=300ms", "-warmup=0"}, check: func(t *testing.T, r *result, _ *fakeServer) {
			if r.Total.Delivered != 10*r.Total.Sent {
				t.Errorf("%d deliveries of %d messages to 10", r.Total.Delivered, r.Total.Sent)
			}
		}},
		{name: "broadcast, open loop, other JSON", b: behaviour{pretty: true}, args: []string{"broadcast", "-n=10", "-rate=200", "-duration=300ms", "-warmup=0"}},
		{name: "broadcast, without negotiate and acks", args: []string{"broadcast", "-skip-negotiate", "-acks=false", "-n=5", "-rate=100", "-duration=300ms", "-warmup=0"}, check: func(t *testing.T, r *result, _ *fakeServer) {
			if r.Total.Answered != 0 {
				t.Errorf("%d completions that were not asked for", r.Total.Answered)
			}
		}},
		{name: "group", args: []string{"group", "-n=12", "-groups=4", "-publishers=6", "-duration=300ms", "-warmup=0"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if r.Total.Delivered != 3*r.Total.Sent || s.calls["Join"] != 12 {
				t.Errorf("%d deliveries of %d messages to groups of 3, %d joins", r.Total.Delivered, r.Total.Sent, s.calls["Join"])
			}
		}},
		{name: "churn, closed loop", args: []string{"churn", "-n=5", "-duration=300ms"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if r.Total.Connected < 5 || s.made != r.Total.Connected || r.Total.Ended != r.Total.Connected {
				t.Errorf("%d connections, of which %d ended; the server saw %d", r.Total.Connected, r.Total.Ended, s.made)
			}
		}},
		{name: "churn, connections under way at the end", b: behaviour{shaking: 50 * time.Millisecond}, args: []string{"churn", "-n=20", "-duration=300ms"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if s.made != r.Total.Connected || r.Total.Ended != r.Total.Connected || r.Measured.Connected >= r.Total.Connected {
				t.Errorf("%d connections, of which %d ended, %d while it was measured; the server saw %d", r.Total.Connected, r.Total.Ended, r.Measured.Connected, s.made)
			}
		}},
		{name: "churn, connections held at the end", args: []string{"churn", "-n=5", "-hold=1m", "-duration=300ms"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if s.made != 5 || r.Total.Connected != 5 || r.Total.Ended != 5 {
				t.Errorf("%d connections, of which %d ended; the server saw %d", r.Total.Connected, r.Total.Ended, s.made)
			}
		}},
		{name: "churn, open loop, by reset", args: []string{"churn", "-n=50", "-rate=100", "-hold=5ms", "-reset", "-duration=500ms"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if r.Total.Connected < 30 || r.Total.Connected > 55 || s.made != r.Total.Connected {
				t.Errorf("%d connections in 0.5 s at 100 a second, the server saw %d", r.Total.Connected, s.made)
			}
		}},
		{name: "storm", args: []string{"storm", "-n=20", "-loops=2", "-duration=20s"}, check: func(t *testing.T, r *result, s *fakeServer) {
			if s.made != 40 || r.Total.Latency.count() != 20 || r.Seconds > 15 {
				t.Errorf("%d connections made, %d came back in %.1f s", s.made, r.Total.Latency.count(), r.Seconds)
			}
		}},
		{name: "storm in good order", args: []string{"storm", "-reset=false", "-n=20", "-duration=20s"}},
		{name: "slow, stopped", args: []string{"slow", "-n=10", "-slow-share=0.3", "-rate=100", "-size=100", "-duration=300ms", "-warmup=0"}, check: func(t *testing.T, r *result, _ *fakeServer) {
			if r.Total.Delivered != 7*r.Total.Sent {
				t.Errorf("%d deliveries of %d messages to 7 good readers", r.Total.Delivered, r.Total.Sent)
			}
		}},
		{name: "slow, trickle", args: []string{"slow", "-n=10", "-slow-share=0.5", "-trickle=1000", "-rate=100", "-size=100", "-duration=500ms", "-warmup=0"}, check: func(t *testing.T, r *result, _ *fakeServer) {
			if r.Total.SlowTaken == 0 || r.Total.SlowTaken > 5*r.Total.Sent {
				t.Errorf("the 5 slow readers took %d of %d messages", r.Total.SlowTaken, r.Total.Sent)
			}
		}},
	}
	for _, c := range slices.Clone(cases) {
		if scenario(c.args[0]).listens() && !slices.Contains(c.args, "-skip-negotiate") {
			plain := c
			if plain.b.fragment { // which is about WebSockets
				plain.check = nil
			}
			for _, transport := range []string{serverSentEvents, longPolling} {
				c := plain
				c.name += ", " + transport
				c.args = append([]string{c.args[0], "-transport=" + transport}, c.args[1:]...)
				c.b.split = c.b.pretty
				if transport == longPolling && c.args[0] == string(idle) { // who polls does not ping
					c.check = func(t *testing.T, r *result, s *fakeServer) {
						if r.Ready != 20 || s.pings != 0 {
							t.Errorf("%d ready, %d pings", r.Ready, s.pings)
						}
					}
				}
				cases = append(cases, c)
			}
		}
		switch c.args[0] {
		case "echo", "broadcast", "group", "churn": // all that is said in them
			c.args = append([]string{c.args[0], "-protocol=messagepack"}, c.args[1:]...)
			c.name += ", MessagePack"
			cases = append(cases, c)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFakeServer(t, c.b)
			l := loadgen(t, nil, append(c.args, s.url)...)
			l.want(t, exitGood)
			r := l.result
			if r.Ended != complete || r.Errors() != 0 || r.Lost() != 0 || r.Total.Duplicates != 0 || r.Total.Overtaken != 0 {
				t.Errorf("ended %q, %d errors, %d lost, %d twice, %d overtaken\n%s", r.Ended, r.Errors(), r.Lost(), r.Total.Duplicates, r.Total.Overtaken, l.stdout)
			}
			if d := r.Until.Sub(r.From); math.Abs(d.Seconds()-r.Seconds) > 1e-6 || r.From.Before(r.Began) || r.Until.After(time.Now()) {
				t.Errorf("measured for %v s, from %v until %v of a run that began at %v", r.Seconds, r.From, r.Until, r.Began)
			}
			if units(r) == 0 && r.Scenario != idle {
				t.Errorf("nothing happened:\n%s", l.stdout)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if c.check != nil {
				c.check(t, r, s)
			}
		})
	}
}

// One message in 10,000 is dropped, doubled or swapped: exactly what was planted must be found.
func TestPlantedFaults(t *testing.T) {
	t.Parallel()
	scenarios := [][]string{
		{"echo", "-n=10", "-depth=8"},
		{"broadcast", "-n=40", "-rate=500"},
		{"broadcast", "-n=40", "-outstanding=8", "-loops=2"},
		{"group", "-n=40", "-groups=2", "-publishers=4", "-rate=1000"},
	}
	for _, args := range scenarios {
		for name, what := range map[string]fault1{"drop": faultDrop, "double": faultDouble, "swap": faultSwap} {
			t.Run(strings.Join(args, " ")+" "+name, func(t *testing.T) {
				t.Parallel()
				const every, faults = 10_000, 2
				signals := make(chan os.Signal, 1)
				s := newFakeServer(t, behaviour{
					fault: func(n int64) fault1 {
						if n%every == 0 && n <= faults*every {
							return what
						}
						return faultNone
					},
					after: func(n int64, _ *fakeServer) {
						if n == faults*every+1000 {
							signals <- os.Interrupt
						}
					},
				})
				l := loadgen(t, signals, append(args, "-warmup=0", "-duration=5m", "-drain=1s", s.url)...)
				l.want(t, exitFailed) // it was interrupted
				l.contains(t, "INCOMPLETE: interrupted")
				r := l.result
				s.mu.Lock()
				defer s.mu.Unlock()
				got := planted{r.Lost(), r.Total.Duplicates, r.Total.Overtaken}
				want := planted{}
				switch what {
				case faultDrop:
					want.dropped = faults
				case faultDouble:
					want.doubled = faults
				case faultSwap:
					want.swapped = faults
				}
				if s.did != want {
					t.Fatalf("planted %+v, meant to plant %+v", s.did, want)
				}
				if got != want {
					t.Errorf("found %+v, planted %+v\n%s", got, want, l.stdout)
				}
			})
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	closed := func() string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return "http://" + ln.Addr().String() + "/bench"
	}
	write := func(s string) func(io.Writer) bool {
		return func(w io.Writer) bool { io.WriteString(w, s); return true }
	}
	body := func(status int, text string) string {
		return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
	}
	echo := []string{"echo", "-n=3", "-duration=300ms", "-warmup=0", "-drain=200ms"}
	events := slices.Clip(append(slices.Clone(echo), "-transport=sse"))
	polls := slices.Clip(append(slices.Clone(echo), "-transport=polling"))
	const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\r\n\r\n"
	cases := []struct {
		name string
		b    behaviour
		args []string
		code int
		says []string
	}{
		{"negotiate 404", behaviour{negotiate: write(body(404, "no hub here"))}, echo, exitFailed, []string{"no connection could be made", "negotiate: HTTP 404", "no hub here", "is this the hub's URL?"}},
		{"negotiate 401", behaviour{negotiate: write(body(401, ""))}, echo, exitFailed, []string{"negotiate: HTTP 401"}},
		{"negotiate error", behaviour{negotiate: write(body(200, `{"error":"go away"}`))}, echo, exitFailed, []string{"negotiate: refused", "go away"}},
		{"negotiate redirect", behaviour{negotiate: write(body(200, `{"url":"https://elsewhere/hub","accessToken":"x"}`))}, echo, exitFailed, []string{"https://elsewhere/hub"}},
		{"negotiate without WebSockets", behaviour{negotiate: write(body(200, `{"connectionId":"a","availableTransports":[{"transport":"LongPolling"}]}`))}, echo, exitFailed, []string{"does not offer WebSockets"}},
		{"negotiate no JSON", behaviour{negotiate: write(body(200, `<html>`))}, echo, exitFailed, []string{"no JSON"}},
		{"no HTTP", behaviour{negotiate: write("SSH-2.0-OpenSSH\r\n\r\n")}, echo, exitFailed, []string{"not HTTP/1.1"}},
		{"ends in negotiate", behaviour{negotiate: write("")}, echo, exitFailed, []string{"in step negotiate"}},
		{"upgrade 404", behaviour{upgrade: body(404, "")}, append(echo, "-skip-negotiate"), exitFailed, []string{"upgrade: HTTP 404"}},
		{"upgrade 400 to the end", behaviour{upgrade: "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\nbad things"}, echo, exitFailed, []string{"upgrade: HTTP 400", "bad things"}},
		{"upgrade with a wrong key", behaviour{upgrade: "HTTP/1.1 101 X\r\nSec-WebSocket-Accept: nonsense\r\n\r\n"}, echo, exitFailed, []string{"Sec-WebSocket-Accept"}},
		{"handshake refused", behaviour{handshake: `{"error":"The protocol 'json' is not supported."}`}, echo, exitFailed, []string{"handshake: refused", "The protocol 'json' is not supported."}},
		{"handshake no JSON", behaviour{handshake: `hello`}, echo, exitFailed, []string{"no JSON object"}},
		{"hub closes", behaviour{closeRecord: `{"type":7,"error":"not today"}`}, echo, exitFailed, []string{"the hub closed the connection", "not today"}},
		{"garbage record", behaviour{closeRecord: `{"type":`}, echo, exitFailed, []string{"hub: protocol error"}},
		{"echo refused", behaviour{refuse: "Method does not exist."}, echo, exitFailed, []string{"nothing but errors", "call refused", "Method does not exist."}},
		{"join refused", behaviour{refuse: "no joining"}, []string{"group", "-n=3", "-groups=1", "-duration=300ms"}, exitFailed, []string{"join: refused", "no joining"}},
		{"broadcast refused", behaviour{refuse: "no rights"}, []string{"broadcast", "-n=3", "-rate=100", "-duration=20s", "-warmup=0", "-drain=100ms"}, exitFailed, []string{"nothing but errors", "no rights"}},
		{"echo of something else", behaviour{echo: func(string) string { return `"nonsense"` }}, echo, exitFailed, []string{"payload: not what was sent", "nonsense"}},
		{"echo of a number", behaviour{echo: func(string) string { return `42` }}, echo, exitFailed, []string{"the payload is no string"}},
		{"negotiate without event streams", behaviour{negotiate: write(body(200, `{"connectionId":"a","availableTransports":[{"transport":"LongPolling"}]}`))}, events, exitFailed, []string{"does not offer ServerSentEvents"}},
		{"events 404", behaviour{listen: body(404, "ServerSentEvents transport not supported")}, events, exitFailed, []string{"upgrade: HTTP 404", "not supported"}},
		{"events of another type", behaviour{listen: body(200, "{}")}, events, exitFailed, []string{"upgrade: no event stream"}},
		{"events without chunks", behaviour{listen: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"}, events, exitFailed, []string{"chunks false"}},
		{"events that end", behaviour{listen: stream + "0\r\n\r\n"}, events, exitFailed, []string{"the server closed the connection", "the server ended the event stream"}},
		{"events that break off", behaviour{listen: stream + "5\r\nab"}, events, exitFailed, []string{"the server ended TCP in step handshake"}},
		{"events in faulty chunks", behaviour{listen: stream + "-5\r\nabcde\r\n"}, events, exitFailed, []string{"events: protocol error", `the size "-5"`}},
		{"a chunk longer than its size", behaviour{listen: stream + "2\r\nabcde\r\n"}, events, exitFailed, []string{"does not end behind them"}},
		{"an event that is none of SignalR", behaviour{listen: stream + "c\r\nevent: x\r\n\r\n\r\n"}, events, exitFailed, []string{`an event has the line "event: x"`}},
		{"events, handshake refused", behaviour{handshake: `{"error":"no"}`}, events, exitFailed, []string{"handshake: refused"}},
		{"events, hub closes", behaviour{closeRecord: `{"type":7,"error":"not today"}`}, events, exitFailed, []string{"the hub closed the connection", "not today"}},
		{"POST 404", behaviour{post: body(404, "No Connection with that ID")}, events, exitFailed, []string{"post: HTTP 404"}},
		{"POST without an answer", behaviour{post: " "}, events, exitFailed, []string{"post: the server ended TCP"}},
		{"POST that is not answered", behaviour{mute: true}, append(slices.Clone(events), "-silence=500ms"), exitFailed, []string{"post: the server is silent", "no answer within 500ms"}},
		{"POST answered with garbage", behaviour{post: "SSH-2.0\r\n\r\n"}, polls, exitFailed, []string{"post: not HTTP"}},
		{"poll 404", behaviour{listen: body(404, "No Connection with that ID")}, polls, exitFailed, []string{"poll: HTTP 404"}},
		{"poll 204", behaviour{listen: "HTTP/1.1 204 No Content\r\n\r\n"}, polls, exitFailed, []string{"the server closed the connection", "status 204"}},
		{"poll not kept alive", behaviour{listen: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}, polls, exitFailed, []string{"poll: not kept alive"}},
		{"poll with a part of a record", behaviour{listen: body(200, "{}")}, polls, exitFailed, []string{"hub: protocol error", "ends inside a record"}},
		{"polls, hub closes", behaviour{closeRecord: `{"type":7,"error":"not today"}`}, polls, exitFailed, []string{"the hub closed the connection", "not today"}},
		{"a broadcast that stalls", behaviour{fault: func(n int64) fault1 {
			if n == 7 {
				return faultDrop
			}
			return faultNone
		}}, []string{"broadcast", "-n=3", "-duration=2500ms", "-warmup=0", "-drain=100ms", "-max-loss=0"}, exitMissed, []string{"stalled", "-max-loss 0: 1, MISSED"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := loadgen(t, nil, append(c.args, newFakeServer(t, c.b).url)...)
			l.want(t, c.code)
			l.contains(t, c.says...)
			if l.result == nil {
				t.Error("no -json file")
			}
		})
	}
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		l := loadgen(t, nil, append(echo, closed())...)
		l.want(t, exitFailed)
		l.contains(t, "cannot connect to the server at 127.0.0.1:", "connection refused; is it running?")
	})
	t.Run("no such host", func(t *testing.T) {
		t.Parallel()
		l := loadgen(t, nil, append(echo, "http://127.0.0.1:99999/bench")...)
		if l.code == exitGood {
			t.Errorf("exit code 0\n%s", l.stdout)
		}
	})
	t.Run("no such directory", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		code := run(append(echo, "-html=/nonexistent/report.html", closed()), program{stdout: &out, stderr: &out})
		if code != exitFailed || !strings.Contains(out.String(), "/nonexistent/report.html") {
			t.Errorf("exit code %d: %s", code, out.String())
		}
	})
	t.Run("no such server process", func(t *testing.T) {
		t.Parallel()
		l := loadgen(t, nil, append(echo, "-server-pid=2147483647", newFakeServer(t, behaviour{}).url)...)
		l.want(t, exitFailed)
		l.contains(t, "-server-pid 2147483647")
	})
}

// A negotiate answer in chunks, or one after which the server ends TCP, is as good as another.
func TestNegotiateVariants(t *testing.T) {
	t.Parallel()
	const json = `{"negotiateVersion":1,"connectionId":"a","connectionToken":"secret+/token","availableTransports":[]}`
	for name, answer := range map[string]string{
		"closes":    fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(json), json),
		"in chunks": fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x;x=y\r\n%s\r\n0\r\n\r\n", 10, json[:10], len(json)-10, json[10:]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFakeServer(t, behaviour{negotiate: func(w io.Writer) bool {
				io.WriteString(w, answer)
				return name == "closes"
			}})
			l := loadgen(t, nil, "echo", "-n=3", "-duration=200ms", "-warmup=0", "-max-errors=0", "-max-loss=0", s.url)
			l.want(t, exitGood)
		})
	}
}

// Each connection of each process has its number in the URL, the same for negotiate and upgrade.
func TestNumberedURLs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want []string // methods
	}{
		{"negotiate and upgrade", []string{"echo", "-duration", "100ms", "-warmup", "0s"}, []string{"POST", "GET"}},
		{"upgrade alone", []string{"echo", "-duration", "100ms", "-warmup", "0s", "-skip-negotiate"}, []string{"GET"}},
		{"the server ends the connection", []string{"idle", "-duration", "100ms"}, []string{"POST", "GET"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFakeServer(t, behaviour{closes: strings.HasPrefix(tt.name, "the server")})
			loadgen(t, nil, append(tt.args, "-n", "5", s.url+"?user=u{n}")...).want(t, 0)
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.users) != 5*len(tt.want) {
				t.Errorf("%d requests with different users, want %d: %v", len(s.users), 5*len(tt.want), s.users)
			}
			for _, m := range tt.want {
				for i := range 5 {
					if key := fmt.Sprintf("%s u%d", m, i); s.users[key] != 1 {
						t.Errorf("%s came %d times", key, s.users[key])
					}
				}
			}
		})
	}
	s := newFakeServer(t, behaviour{})
	loadgen(t, nil, "negotiate", "-n", "3", "-duration", "100ms", "-warmup", "0s", s.url+"?user=u{n}").want(t, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.users) != 3 || s.users["POST u2"] == 0 {
		t.Errorf("negotiate: %v", s.users)
	}
}

func TestServerDies(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"echo", "-n=10"},
		{"echo", "-n=10", "-rate=2000"},
		{"broadcast", "-n=10"},
		{"broadcast", "-n=10", "-rate=1000", "-procs=2"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			s := newFakeServer(t, behaviour{after: func(n int64, s *fakeServer) {
				if n > 500 {
					once.Do(func() { go s.die() })
				}
			}})
			l := loadgen(t, nil, append(args, "-warmup=0", "-duration=5m", "-drain=100ms", "-max-errors=0", s.url)...)
			l.want(t, exitFailed)
			l.contains(t, "INCOMPLETE: all 10 connections were lost", "-max-errors 0: ", "MISSED")
			if r := l.result; r.Scenario.units(&r.Total) < 400 || r.Total.Cut != 10 || r.Errors() < 10 {
				t.Errorf("the partial result has %d units, %d connections cut, %d errors", r.Scenario.units(&r.Total), r.Total.Cut, r.Errors())
			}
		})
	}
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	base := []string{"echo", "-n=2", "-duration=200ms", "-warmup=0"}
	for _, c := range []struct {
		flags []string
		code  int
		says  string
	}{
		{[]string{"-max-p50=1h", "-max-p99=1h", "-max-p999=1h", "-max-latency=1h", "-max-loss=0", "-max-duplicates=0", "-max-disorder=0", "-max-errors=0", "-min-rate=1", "-max-connect-p99=1h"}, exitGood, "-max-p99 3600 s: "},
		{[]string{"-max-p50=1ns"}, exitMissed, "-max-p50 1 ns: "},
		{[]string{"-max-latency=1ns"}, exitMissed, "MISSED"},
		{[]string{"-min-rate=1e9"}, exitMissed, "-min-rate 1,000,000,000: "},
		{[]string{"-max-connect-p99=1ns", "-max-loss=0"}, exitMissed, "-max-loss 0: 0, met"},
		{[]string{"-max-cpu=5"}, exitMissed, "not measured"},
		{[]string{fmt.Sprintf("-server-pid=%d", os.Getpid()), "-max-cpu=1e12"}, exitGood, "-max-cpu"},
	} {
		t.Run(strings.Join(c.flags, " "), func(t *testing.T) {
			t.Parallel()
			l := loadgen(t, nil, append(append(append([]string{}, base...), c.flags...), newFakeServer(t, behaviour{}).url)...)
			l.want(t, c.code)
			l.contains(t, c.says)
		})
	}
}

// Several processes share the connections, the rate and the check of losses.
func TestProcesses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args     []string
		sent     int64
		receives int64 // of each message; 0: an echo
	}{
		{[]string{"broadcast", "-n=11", "-publishers=3", "-rate=300"}, 150, 11},
		{[]string{"echo", "-n=11", "-rate=400"}, 200, 0},
		{[]string{"echo", "-n=11", "-depth=2"}, 0, 0},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			s := newFakeServer(t, behaviour{})
			l := loadgen(t, nil, append(c.args, "-procs=3", "-duration=500ms", "-warmup=0", s.url)...)
			l.want(t, exitGood)
			r := l.result
			if r.Ready != 11 || r.Total.Connect.count() != 11 || r.Errors() != 0 || r.Lost() != 0 {
				t.Errorf("%d ready, %d times to connect, %d errors, %d lost\n%s", r.Ready, r.Total.Connect.count(), r.Errors(), r.Lost(), l.stdout)
			}
			if c.sent > 0 && (r.Total.Sent < c.sent-3 || r.Total.Sent > c.sent+3) {
				t.Errorf("%d sent, %d expected", r.Total.Sent, c.sent)
			}
			n := r.Total.Answered
			if c.receives > 0 {
				n = r.Total.Delivered
				if n != r.Total.Sent*c.receives {
					t.Errorf("%d deliveries of %d messages to %d", n, r.Total.Sent, c.receives)
				}
			}
			if got := r.Total.Latency.count(); got == 0 || got > n {
				t.Errorf("%d latencies of %d", got, n)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.made != 11 {
				t.Errorf("the server saw %d connections", s.made)
			}
		})
	}
}

// The drop of a message to a receiver in another process than the publisher's is found, too.
func TestLossAcrossProcesses(t *testing.T) {
	t.Parallel()
	s := newFakeServer(t, behaviour{fault: func(n int64) fault1 {
		if n >= 100 && n < 110 { // one whole message, and its last deliveries may be the last of all
			return faultDrop
		}
		return faultNone
	}})
	l := loadgen(t, nil, "broadcast", "-procs=2", "-n=10", "-rate=100", "-duration=500ms", "-warmup=0", "-drain=200ms", "-max-loss=0", s.url)
	l.want(t, exitMissed)
	if l.result.Lost() != 10 {
		t.Errorf("%d lost, 10 were dropped\n%s", l.result.Lost(), l.stdout)
	}
}

// The second interruption does not wait for what is under way.
func TestTwoInterruptions(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal, 2)
	var once sync.Once
	s := newFakeServer(t, behaviour{
		fault: func(n int64) fault1 {
			if n > 50 {
				return faultDrop
			}
			return faultNone
		},
		after: func(n int64, _ *fakeServer) {
			if n > 50 {
				once.Do(func() { signals <- os.Interrupt; signals <- os.Interrupt })
			}
		},
	})
	l := loadgen(t, signals, "echo", "-n=10", "-depth=10", "-warmup=0", "-duration=5m", "-drain=5m", s.url)
	l.want(t, exitFailed)
	l.contains(t, "interrupted a second time")
}
