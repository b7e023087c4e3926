package main

import (
	"fmt"
	"time"
)

// cell is one run of the comparison: a server under the load of an experiment, in a round.
type cell struct {
	e             *experiment
	s             *server
	round, rounds int // rounds: of this server in this experiment
}

// plan lists all runs in their order: for each experiment the servers in turn, A B C A B C ….
func (b *bench) plan() []cell {
	var list []cell
	for i := range experiments {
		e := &experiments[i]
		if !b.opts.only.has(e.name) {
			continue
		}
		for round := range b.rounds() {
			for k := range b.servers {
				s := &b.servers[k]
				if s.only != "" && s.only != e.name || e.servers != nil && !e.servers(s) {
					continue
				}
				if rounds := b.roundsOf(e, s); round < rounds {
					list = append(list, cell{e, s, round, rounds})
				}
			}
		}
	}
	return list
}

func (b *bench) rounds() int {
	if b.opts.quick {
		return 1
	}
	return b.opts.rounds
}

// roundsOf: holding idle connections takes by far the longest, and the memory that they take hardly differs from round to round, so that peers
// show it once.
func (b *bench) roundsOf(e *experiment, s *server) int {
	if e.idle && !s.ours && s.name != limitName {
		return 1
	}
	return b.rounds()
}

// forecast is what is known of how long runs take.
type forecast struct {
	b    *bench
	took map[string]time.Duration // the last run of an experiment and server
}

// Beside a load's own time there are the server's start and end, and the client's; and the ends of connections.
const (
	overhead      = time.Second
	overheadIdle  = 5 * time.Second
	millionLength = 90 * time.Second
)

func (c *cell) key() string { return c.e.name + " " + c.s.name }

// of is the expected length of a run: that of the last one alike, or else what its parts take.
func (f *forecast) of(c *cell) time.Duration {
	if d, ok := f.took[c.key()]; ok {
		return d
	}
	if c.e.idle {
		return f.b.idleLength() + overheadIdle
	}
	l := c.e.load(f.b, c.s)
	return l.length + overhead
}

// left is the expected length of runs, with the simulation if it is one of them.
func (f *forecast) left(cells []cell) time.Duration {
	d := time.Duration(0)
	for i := range cells {
		d += f.of(&cells[i])
	}
	if f.b.simulates() {
		d += millionLength
	}
	return d
}

// simulates says that benchmarks/million is part of the comparison.
func (b *bench) simulates() bool {
	return b.opts.only.has(millionName) && (!b.opts.quick || len(b.opts.only) > 0)
}

// timeLeft is a text for people: whole minutes, seconds when they are few.
func timeLeft(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}
