package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	churnConnections = 50
	churnTime        = time.Second
)

// compareChurn compares the counts of connections that come and go as fast as they can with the server's counters, exactly: also those
// that were on their way when the run ended.
func (b *bench) compareChurn(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	r, err := b.loadgen(ctx, "churn", fmt.Sprintf("-n=%d", churnConnections), fmt.Sprintf("-duration=%v", churnTime), "http://"+s.addr+"/bench")
	if err != nil {
		return err
	}
	c, err := s.settled(ctx)
	if err != nil {
		return err
	}
	text, err := judgeChurn(r, c)
	b.say("%s", text)
	return err
}

// firstLook is the TCP connection that loadgen makes before the run, to say plainly when there is no server.
const firstLook = 1

func judgeChurn(r *loadgenResult, c *counters) (string, error) {
	t := &r.Total
	text, err := judgeCounts("Churn:", []count{
		{"TCP connections", t.Connected + firstLook, c.Server.Engine.Accepted},
		{"connections made", t.Connected, c.Server.Hubs.Handshakes},
		{"connections ended", t.Ended, c.Server.Hubs.Handshakes - c.Server.Hubs.Connections},
	})
	if t.Connected == 0 {
		err = errors.Join(err, errors.New("no connection was made"))
	}
	return text, err
}

// count is what both sides have counted.
type count struct {
	what            string
	loadgen, server int64
}

// judgeCounts compares counts, which must be equal.
func judgeCounts(text string, list []count) (string, error) {
	var problems []error
	for _, x := range list {
		sign := "="
		if x.loadgen != x.server {
			sign = "≠"
			problems = append(problems, fmt.Errorf("%s: loadgen counts %d, the server %d", x.what, x.loadgen, x.server))
		}
		text += fmt.Sprintf("\n  %-21s loadgen %d %s server %d", x.what, x.loadgen, sign, x.server)
	}
	return text, errors.Join(problems...)
}
