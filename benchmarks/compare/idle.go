package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spokehub/spoke/internal/procfs"
)

// How the memory of an idle connection is measured: a first crowd connects, shakes hands and joins one group; the memory of the
// server is taken; a second crowd does the same; the difference is shared out among the second crowd. So what a server has once,
// and what its first thousands reserve, is not counted. Both measures are taken twice: as the server stands, and after it was asked
// to collect its garbage and to give free memory back to the system (POST /debug/free), where it can: what is left is what connections
// hold. Then both crowds are held, pinging every 15 seconds, and the CPU time is taken.

const (
	firstCrowd  = 2000
	secondCrowd = 16_000
	crowdTime   = 3 * time.Minute
	crowdRate   = 2000 // connections a second: how fast they come is not what is measured
)

// crowdNames are the beginnings of their users' names.
var crowdNames = [2]string{"first-", "second-"}

// crowd is a load of n connections that join one group and stay until they are interrupted. One message at the beginning is what
// loadgen's smallest rate sends. The peers of raw frames never ping, which is no reason to give them up.
func (b *bench) crowd(s *server, name string, n int) load {
	l := load{args: []string{"group", "-n", strconv.Itoa(n), "-ramp", strconv.Itoa(crowdRate), "-connect-timeout", connectTimeout.String(), "-groups", "1", "-rate", "0.001", "-warmup", "0s", "-duration", "2h", "-ping", "15s", "-silence", "0s"}}
	if s.ours {
		l.query = "?user=" + name + "{n}" // with -dev-users: a user id of its own
	}
	return l
}

// idleArgs switch on what a connection of Spoke may have, a user id and limits, and that it gives back its HTTP request.
var idleArgs = []string{"-dev-users", "-rate-messages=1000", "-rate-bytes=1000000", "-drop-request"}

// limitIdleArgs have the limit send as many pings as a SignalR server, in the cheapest way. So it is the floor of all that Spoke does for idle
// connections; the other servers of raw frames read the clients' pings alone, which is half of it.
var limitIdleArgs = []string{"-pings"}

func (b *bench) idle(ctx context.Context, s *server) ([]sample, string, error) {
	first, second := b.scaled(firstCrowd, 100), b.scaled(secondCrowd, 400)
	l := b.crowd(s, crowdNames[1], second)
	command := l.describe()
	var extra []string
	switch {
	case s.ours:
		extra = idleArgs
	case s.name == limitName:
		extra = limitIdleArgs
	}
	srv, err := b.serve(ctx, s, extra...)
	if err != nil {
		return nil, command, err
	}
	defer srv.stop()
	var raw, clean [2]int64
	var crowds []*process
	var files []string
	defer func() {
		for _, p := range crowds {
			p.end(syscall.SIGINT, 10*time.Second)
		}
	}()
	for i, n := range []int{first, second} {
		file := filepath.Join(b.work, fmt.Sprintf("idle-%d.json", i))
		p, err := b.gather(ctx, s, srv, b.crowd(s, crowdNames[i], n), n, file)
		if p != nil {
			crowds = append(crowds, p)
			files = append(files, file)
		}
		if err != nil {
			return nil, command, err
		}
		if raw[i], clean[i], err = b.weigh(ctx, srv); err != nil {
			return nil, command, err
		}
	}
	before, err := procfs.Read(srv.pid())
	if err != nil {
		return nil, command, err
	}
	began := time.Now()
	if err := pause(ctx, b.holdTime()); err != nil {
		return nil, command, err
	}
	after, err := procfs.Read(srv.pid())
	if err != nil {
		return nil, command, err
	}
	cores := (after.CPU - before.CPU).Seconds() / time.Since(began).Seconds()
	for i, p := range crowds {
		p.end(syscall.SIGINT, 20*time.Second)
		res, err := readLoad(files[i], p)
		if err != nil {
			return nil, command, err
		}
		if n, text := res.faults(); n > 0 || res.Ready != res.Wanted {
			return nil, command, fmt.Errorf("%d of %d connections were ready; %s", res.Ready, res.Wanted, text)
		}
	}
	list := []sample{
		{Value: float64(clean[1]-clean[0]) / float64(second)},
		{Value: float64(raw[1]-raw[0]) / float64(second)},
		{Value: cores},
	}
	if srv.admin == "" && s.protocol == signalR {
		list[0] = sample{Error: "it cannot be asked to collect its garbage"}
	}
	return list, command, nil
}

// settleTime is for joins, and for memory to go back to the system.
func (b *bench) settleTime() time.Duration {
	if b.opts.quick {
		return 200 * time.Millisecond
	}
	return 2 * time.Second
}

func (b *bench) holdTime() time.Duration {
	if b.opts.quick {
		return time.Second
	}
	return b.opts.hold
}

// idleLength is what idle is expected to take.
func (b *bench) idleLength() time.Duration {
	n := b.scaled(firstCrowd, 100) + b.scaled(secondCrowd, 400)
	return time.Duration(n)*time.Second/crowdRate + 4*b.settleTime() + b.holdTime()
}

// lingering is how many descriptors may have been counted that were about to be closed. That every single connection was ready,
// loadgen says in the end.
const lingering = 8

// gather starts a crowd and waits until the server has its connections.
func (b *bench) gather(ctx context.Context, s *server, srv *running, l load, n int, file string) (*process, error) {
	before, err := procfs.Descriptors(srv.pid())
	if err != nil {
		return nil, err
	}
	p, err := b.startLoad(ctx, s, srv, l, file)
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(crowdTime); ; {
		have, err := procfs.Descriptors(srv.pid())
		if err != nil {
			return p, err
		}
		if have-before >= n-lingering {
			return p, pause(ctx, b.settleTime())
		}
		if time.Now().After(until) {
			return p, fmt.Errorf("after %v there are %d of %d connections: %s", crowdTime, have-before, n, p.output)
		}
		select {
		case <-p.done:
			return p, fmt.Errorf("the load client has ended%s", p.last())
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// weigh takes the memory of a server as it stands, and without garbage.
func (b *bench) weigh(ctx context.Context, srv *running) (raw, clean int64, err error) {
	u, err := procfs.Read(srv.pid())
	if err != nil || srv.admin == "" {
		return u.Resident, u.Resident, err
	}
	raw = u.Resident
	if err := srv.collect(ctx); err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, b.settleTime()); err != nil {
		return 0, 0, err
	}
	u, err = procfs.Read(srv.pid())
	return raw, u.Resident, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
