package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestSourceAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to       string
		scenario scenario
		n        int
		sources  int
		want     int
	}{
		{"127.0.0.1", idle, 9_999, 0, 0},
		{"127.0.0.1", idle, 10_000, 0, 2},
		{"127.0.0.5", idle, 100_000, 0, 11},
		{"127.0.0.1", churn, 10, 0, 16},
		{"127.0.0.1", storm, 500_000, 0, 51},
		{"127.0.0.1", idle, 1_000_000, 0, 101},
		{"127.0.0.1", idle, 10, 7, 7},
		{"127.0.0.1", churn, 10, 1, 0},
		{"192.0.2.1", churn, 100_000, 0, 0},
		{"::1", churn, 100_000, 0, 0},
	} {
		list := sourceAddresses(netip.MustParseAddr(c.to), &options{scenario: c.scenario, n: c.n, sources: c.sources})
		if len(list) != c.want {
			t.Errorf("%+v: %d addresses", c, len(list))
		}
		seen := map[netip.Addr]bool{}
		for _, a := range list {
			if !a.IsLoopback() || seen[a] {
				t.Errorf("%+v: %v", c, list)
			}
			seen[a] = true
		}
	}
}

func TestDialFault(t *testing.T) {
	t.Parallel()
	wrap := func(e error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", e)}
	}
	for want, err := range map[string]error{
		"connect: connection refused":                  wrap(syscall.ECONNREFUSED),
		"connect: reset by the server":                 wrap(syscall.ECONNRESET),
		"connect: no free local port (more -sources?)": wrap(syscall.EADDRNOTAVAIL),
		"connect: no free file descriptor":             wrap(syscall.EMFILE),
		"connect: timeout":                             fmt.Errorf("x: %w", os.ErrDeadlineExceeded),
		"connect: failed":                              errors.New("x"),
	} {
		if got := dialFault(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestNextTick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ last, now, want int64 }{
		{1000, 1000, 2000}, // on time
		{1000, 1600, 2000}, // a little late
		{1000, 1800, 3000}, // so late that the tick would be too short
		{1000, 5100, 6000},
	} {
		if got := nextTick(c.last, c.now, time.Microsecond); got != c.want {
			t.Errorf("after %d, at %d: %d, want %d", c.last, c.now, got, c.want)
		}
	}
}
