package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// pings sends every connection a ping at an interval, spread over it: the least that a server's keep-alive of SignalR takes, one write(2) a
// connection. One connection in turns has its ping at each tick, which is a second or a shorter interval. Connections that end while it
// goes on change the turns of a few others.
type pings struct {
	clock int // a timerfd; -1: no pings
	turns int // ticks in an interval
	turn  int
}

var (
	pingFrame = []byte("\x81\x0b{\"type\":6}\x1e")
	pingTick  = time.Second
)

// newPings makes the clock; every 0: there is none.
func newPings(every time.Duration) (pings, error) {
	if every == 0 {
		return pings{clock: -1}, nil
	}
	if every < time.Millisecond || every > time.Hour {
		return pings{}, fmt.Errorf("-ping is %v: 1ms to 1h is expected, or 0 for none", every)
	}
	tick := min(pingTick, every)
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return pings{}, fmt.Errorf("timerfd_create: %w", err)
	}
	spec := unix.ItimerSpec{Interval: unix.NsecToTimespec(int64(tick)), Value: unix.NsecToTimespec(int64(tick))}
	if err := unix.TimerfdSettime(fd, 0, &spec, nil); err != nil {
		return pings{}, errors.Join(fmt.Errorf("timerfd_settime: %w", err), unix.Close(fd))
	}
	return pings{clock: fd, turns: int((every + tick/2) / tick)}, nil
}

// ping sends the pings of a tick.
func (s *server) ping() {
	var ticks [8]byte
	if _, e := read(int32(s.pings.clock), ticks[:]); e != 0 {
		return // none has come
	}
	for i := s.pings.turn; i < len(s.all.members); i += s.pings.turns {
		s.send(s.all.members[i], pingFrame)
	}
	s.pings.turn = (s.pings.turn + 1) % s.pings.turns
}
