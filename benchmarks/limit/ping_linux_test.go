package main

import (
	"strings"
	"testing"
	"time"
)

// Every connection gets pings, and is served as ever between them.
func TestPings(t *testing.T) {
	t.Parallel()
	addr, log, stop := startPinging(t, false, 5*time.Millisecond)
	clients := []*client{open(t, addr), open(t, addr), open(t, addr)}
	for range 3 {
		for _, c := range clients {
			c.want(`{"type":6}`)
		}
	}
	c := clients[0]
	c.say(call("7", "Echo", `"a"`))
	for {
		if _, p := c.next(); string(p) == `{"type":3,"invocationId":"7","result":"a"}`+"\x1e" {
			break
		} else if string(p) != `{"type":6}`+"\x1e" {
			t.Fatalf("got %q", p)
		}
	}
	stop()
	if log.Len() > 0 {
		t.Errorf("it says %q", log)
	}
}

// Over an interval each connection has its turn once.
func TestPingTurns(t *testing.T) {
	t.Parallel()
	for every, want := range map[time.Duration]int{15 * time.Second: 15, time.Second: 1, 10 * time.Millisecond: 1, 1600 * time.Millisecond: 2} {
		p, err := newPings(every)
		if err != nil || p.turns != want {
			t.Errorf("%v: %d turns, %v, want %d", every, p.turns, err, want)
		}
		(&server{pings: p, epoll: -1, wake: -1, listener: -1}).close()
	}
	for _, every := range []time.Duration{-1, time.Microsecond, 2 * time.Hour} {
		if _, err := newPings(every); err == nil || !strings.Contains(err.Error(), "1ms to 1h") {
			t.Errorf("%v: %v", every, err)
		}
	}
}
