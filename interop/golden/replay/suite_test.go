package replay

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pinger is a server that answers each request after the next of its delays.
func pinger(t *testing.T, delays ...time.Duration) Target {
	t.Helper()
	var mu sync.Mutex
	return Target{Host: "fake", Dial: func(context.Context) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(delays) == 0 {
			return nil, errors.New("one connection too many")
		}
		delay := delays[0]
		delays = delays[1:]
		client, server := newDuplex()
		go func() {
			var buf [1024]byte
			if _, err := server.Read(buf[:]); err != nil {
				return
			}
			time.Sleep(delay)
			_, _ = server.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
			_ = server.Close()
		}()
		return client, nil
	}}
}

const onceASecond = `{"scenario":"x","encoding":"json","hub":"/x"}
{"at":"a","do":"send","http":{"method":"GET","path":"/"}}
{"at":"a","do":"expect","after_ms":700,"within_ms":1500,"http":{"status":200,"body":""}}
`

// TestTooEarlyIsPlayedAgain: what came too early once may come in time the next time, and is a failure when it never does; anything else fails at once.
func TestTooEarlyIsPlayedAgain(t *testing.T) {
	t.Parallel()
	const early, good, late = 600 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond
	for _, tt := range []struct {
		name    string
		delays  []time.Duration
		outcome Outcome
		runs    int
	}{
		{"in time", []time.Duration{good}, Passed, 1},
		{"early once", []time.Duration{early, good}, Passed, 2},
		{"early twice", []time.Duration{early, early, good}, Passed, 3},
		{"always early", []time.Duration{early, early, early, early}, Failed, 3},
		{"late", []time.Duration{late, good}, Failed, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sc, err := Parse([]byte(onceASecond))
				if err != nil {
					t.Fatal(err)
				}
				s := Suite{Target: pinger(t, tt.delays...)}
				counts := s.Run(t.Context(), []*Scenario{sc}, func(r Result) {
					if r.Outcome != tt.outcome || r.Runs != tt.runs {
						t.Errorf("%v after %d runs (%v), want %v after %d", r.Outcome, r.Runs, r.Diff, tt.outcome, tt.runs)
					}
				})
				if counts[tt.outcome] != 1 || len(counts) != 1 {
					t.Error(counts)
				}
				time.Sleep(late) // the server's goroutines end
			})
		})
	}
}

// TestOwnServers: a scenario that stops the server is played on one of its own, which is stopped in any case; without one it is not run.
func TestOwnServers(t *testing.T) {
	t.Parallel()
	sc, err := Parse([]byte(`{"scenario":"x","encoding":"json","hub":"/x","own_server":true}
{"do":"server","action":"shutdown"}
{"at":"a","do":"send","http":{"method":"GET","path":"/"}}
{"at":"a","do":"expect","http":{"status":200,"body":""}}
`))
	if err != nil {
		t.Fatal(err)
	}
	all := []*Scenario{sc}
	if counts := (&Suite{}).Run(t.Context(), all, func(Result) {}); counts[NotRun] != 1 {
		t.Error(counts)
	}
	asked, stopped := make(chan struct{}), 0
	s := Suite{Own: func() (Target, func(), error) {
		target := pinger(t, 0)
		target.Shutdown = func() { close(asked) }
		return target, func() { <-asked; stopped++ }, nil
	}}
	if counts := s.Run(t.Context(), all, func(Result) {}); counts[Passed] != 1 || stopped != 1 {
		t.Error(counts, stopped)
	}
	s.Own = func() (Target, func(), error) { return Target{}, nil, errors.New("no port") }
	if counts := s.Run(t.Context(), all, func(Result) {}); counts[Failed] != 1 {
		t.Error(counts)
	}
	if d := Run(t.Context(), sc, pinger(t), Options{}); d == nil || d.Step != 1 {
		t.Errorf("a server that cannot be stopped: %v", d)
	}
}

// TestStoppedRun: a run ends when its context does, also within a wait.
func TestStoppedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, err := Parse([]byte(`{"scenario":"x","encoding":"json","hub":"/x"}` + "\n" + `{"do":"wait","ms":3600000}` + "\n" + `{"do":"wait","ms":1}`))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if d := Run(ctx, sc, Target{}, Options{}); d == nil || d.Step != 1 || time.Since(began) != time.Second {
			t.Errorf("%v after %v", d, time.Since(began))
		}
		if d := Run(ctx, sc, Target{}, Options{}); d == nil || d.Step != 1 {
			t.Error(d)
		}
	})
}
