package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// distinct are the tokens of an honest server.
func distinct(n int64) string { return fmt.Sprintf("token-%d", n) }

func TestNegotiateScenario(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		b     behaviour
		args  []string
		check func(t *testing.T, r *result)
	}{
		{name: "closed loop", args: []string{"-n=10", "-duration=300ms"}, check: func(t *testing.T, r *result) {
			if r.Total.Connected != 10 || r.Total.Connect.count() != 10 {
				t.Errorf("%d connections, %d times to connect", r.Total.Connected, r.Total.Connect.count())
			}
		}},
		{name: "closed loop, two loops", args: []string{"-n=10", "-loops=2", "-duration=300ms"}},
		{name: "closed loop, processes", args: []string{"-n=10", "-procs=2", "-duration=300ms"}},
		{name: "open loop", args: []string{"-n=10", "-rate=500", "-duration=500ms", "-warmup=100ms"}, check: func(t *testing.T, r *result) {
			if r.Total.Sent < 298 || r.Total.Sent > 301 || r.Total.Latency.count() < 248 || r.Total.Latency.count() > 251 {
				t.Errorf("%d calls in 0.6 s at 500 a second, %d latencies of 0.5 s", r.Total.Sent, r.Total.Latency.count())
			}
		}},
		{name: "open loop, processes", args: []string{"-n=9", "-procs=3", "-rate=300", "-duration=500ms"}, check: func(t *testing.T, r *result) {
			if r.Total.Sent < 147 || r.Total.Sent > 153 {
				t.Errorf("%d calls in 0.5 s at 300 a second", r.Total.Sent)
			}
		}},
		{name: "closed loop, the server closes after each answer", b: behaviour{closes: true}, args: []string{"-n=5", "-duration=300ms"}, check: func(t *testing.T, r *result) {
			if r.Total.Connected < r.Total.Answered || r.Total.Answered < 6 {
				t.Errorf("%d connections for %d calls", r.Total.Connected, r.Total.Answered)
			}
		}},
		{name: "open loop, the server closes after each answer", b: behaviour{closes: true}, args: []string{"-n=5", "-rate=100", "-duration=300ms"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.b.token = distinct
			s := newFakeServer(t, c.b)
			l := loadgen(t, nil, append(append([]string{"negotiate", "-warmup=0"}, c.args...), s.url)...)
			l.want(t, exitGood)
			r := l.result
			if r.Ended != complete || r.Errors() != 0 || r.Lost() != 0 || r.Total.Duplicates != 0 || r.Total.Cut != 0 {
				t.Errorf("ended %q, %d errors, %d lost, %d twice, %d cut\n%s", r.Ended, r.Errors(), r.Lost(), r.Total.Duplicates, r.Total.Cut, l.stdout)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if r.Total.Answered == 0 || r.Total.Answered != r.Total.Sent || s.asked != r.Total.Answered {
				t.Errorf("%d sent, %d answered, the server counted %d", r.Total.Sent, r.Total.Answered, s.asked)
			}
			if r.Total.Tokens != nil {
				t.Errorf("the result has %d hashes of tokens in it", len(r.Total.Tokens))
			}
			l.contains(t, "negotiated", "0 tokens given twice (checked)")
			if c.check != nil {
				c.check(t, r)
			}
		})
	}
}

// One token in 10,000 was given before, to whichever connection and process: exactly what was planted must be found.
func TestPlantedTokens(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-n=10", "-loops=2"},
		{"-n=10", "-procs=2"},
		{"-n=20", "-rate=5000"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			const every, faults = 10_000, 2
			signals := make(chan os.Signal, 1)
			s := newFakeServer(t, behaviour{token: func(n int64) string {
				if n == faults*every+1000 {
					signals <- os.Interrupt
				}
				if n%every == 0 && n <= faults*every {
					return distinct(n / 3)
				}
				return distinct(n)
			}})
			l := loadgen(t, signals, append(append([]string{"negotiate", "-warmup=0", "-duration=5m", "-drain=1s", "-max-duplicates=1"}, args...), s.url)...)
			l.want(t, exitFailed) // it was interrupted
			l.contains(t, "INCOMPLETE: interrupted", "2 tokens given twice", "-max-duplicates 1: 2, MISSED")
			if d := l.result.Total.Duplicates; d != faults || l.result.Lost() != 0 || l.result.Errors() != 0 {
				t.Errorf("%d tokens found, %d planted; %d lost, %d errors\n%s", d, faults, l.result.Lost(), l.result.Errors(), l.stdout)
			}
		})
	}
	t.Run("unchecked", func(t *testing.T) {
		t.Parallel()
		l := loadgen(t, nil, "negotiate", "-check=false", "-n=2", "-warmup=0", "-duration=200ms", "-max-duplicates=0", newFakeServer(t, behaviour{token: func(int64) string { return "one" }}).url)
		l.want(t, exitGood)
		l.contains(t, "(counted only)")
	})
	t.Run("one token for all", func(t *testing.T) {
		t.Parallel()
		l := loadgen(t, nil, "negotiate", "-n=2", "-warmup=0", "-duration=200ms", "-max-duplicates=0", newFakeServer(t, behaviour{token: func(int64) string { return "one" }}).url)
		l.want(t, exitMissed)
		if r := l.result; r.Total.Duplicates != r.Total.Answered-1 {
			t.Errorf("%d duplicates of %d", r.Total.Duplicates, r.Total.Answered)
		}
	})
}

func TestNegotiateFailures(t *testing.T) {
	t.Parallel()
	body := func(status int, text string) string {
		return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
	}
	cases := []struct {
		name, answer string
		says         []string
	}{
		{"full", body(503, "262144 negotiated connections wait for their transport, which is the limit"), []string{"nothing but errors", "negotiate: HTTP 503", "which is the limit"}},
		{"no hub", body(404, ""), []string{"negotiate: HTTP 404", "is this the hub's URL?"}},
		{"no JSON", body(200, "<html>"), []string{"negotiate: no JSON", "<html>"}},
		{"half a JSON object", body(200, `{"connectionToken":"a"`), []string{"negotiate: no JSON"}},
		{"no token", body(200, `{"connectionId":"a"}`), []string{"negotiate: no token", "no connectionToken"}},
		{"a token that is no text", body(200, `{"connectionId":"a","connectionToken":7}`), []string{"no JSON"}},
		{"an empty object", body(200, `{}`), []string{"negotiate: no token"}},
		{"an error", body(200, `{"error":"go away","connectionToken":"x"}`), []string{"negotiate: refused", "go away"}},
		{"a redirect", body(200, `{"url":"http://elsewhere/hub"}`), []string{"negotiate: refused", "http://elsewhere/hub"}},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", []string{"negotiate: not HTTP", "all 3 connections were lost"}},
		{"two answers to one call", body(200, `{"connectionToken":"a"}`) + body(200, `{"connectionToken":"b"}`) + body(200, `{"connectionToken":"b"}`), []string{"negotiate: an answer to nothing"}},
		{"no answer", "", []string{"the server is silent", "no answer within 1s"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFakeServer(t, behaviour{negotiate: func(w io.Writer) bool { io.WriteString(w, c.answer); return false }})
			args := []string{"negotiate", "-n=3", "-warmup=0", "-duration=1m", "-silence=1s", "-drain=200ms"}
			if c.name == "two answers to one call" {
				args = append(args, "-rate=1", "-max-errors=0")
			}
			l := loadgen(t, nil, append(args, s.url)...)
			l.want(t, exitFailed)
			l.contains(t, c.says...)
			if l.result == nil || l.result.Errors() == 0 {
				t.Error("the result has no errors")
			}
		})
	}
}

// Calls that no connection is free for wait; after a second they count as not made.
func TestNegotiateOverload(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"negotiate", "-n=1", "-rate=1000", "http://127.0.0.1:1/hub"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{opts: o, clock: newClock()}
	now := w.clock.now()
	start := now - int64(5*waitMost/2)
	s := &shard{worker: w, tally: &tally{}, running: true, from: start, until: start + int64(2*waitMost), pace: pace{start: start, tick: 1, gap: 1e6}}
	w.shards = []*shard{{worker: w, index: 0}, s} // the first has no calls of its own
	s.index = 1
	if n := s.waiting(); n != 2000 {
		t.Errorf("%d calls wait, want those of 2 s at 1,000 a second", n)
	}
	at, ok := s.takeDue()
	if n := s.tally.Errors["not sent: all connections are busy"].Count; !ok || w.clock.now()-at > int64(waitMost)+int64(waitMost)/10 || n < 1500 || n > 1999 {
		t.Errorf("%t, %d ns late; %d were not made, a little more than 1,500 were too old", ok, w.clock.now()-at, n)
	}
	other := w.shards[0]
	other.tally, other.until = &tally{}, s.until
	for ok {
		_, ok = other.takeDue() // it helps
	}
	if s.waiting() != 0 || s.pace.done != 2000 {
		t.Errorf("%d wait, %d are done with", s.waiting(), s.pace.done)
	}
}
