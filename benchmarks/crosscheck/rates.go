package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// measurement is one run of a client.
type measurement struct {
	count  int64 // answers, by the client
	server int64 // answers, by the server
	rate   float64
	p50    time.Duration

	from, until time.Time // what the rate was measured between; zero: not known
	bounds      bounds    // of the rate, by the server's counter; zero: not known
}

// tool is a client that is measured.
type tool struct {
	name string
	run  func(ctx context.Context, url string, connections int) (*measurement, error)
	// leaves: it ends without the last answer of each connection.
	leaves bool
}

// rounds are the runs of both tools, by round.
type rounds struct{ wrk, loadgen []*measurement }

// inTurns runs both tools in every round, and holds what each has counted against the server's count. Without an error of the runs
// themselves there are rounds.
func (b *bench) inTurns(ctx context.Context, connections int, measure func(context.Context, *tool) (*measurement, error)) (*rounds, error) {
	r := &rounds{}
	tools := []struct {
		tool
		to *[]*measurement
	}{
		{tool{name: "wrk", run: b.wrkRun, leaves: true}, &r.wrk},
		{tool{name: "loadgen", run: b.loadgenRun}, &r.loadgen},
	}
	var problems []error
	for round := range b.rounds {
		for i := range tools {
			t := &tools[(i+round)%len(tools)] // A B B A: the first of a round has no advantage
			m, err := measure(ctx, &t.tool)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			*t.to = append(*t.to, m)
			text := fmt.Sprintf("  %d  %-8s %9.0f/s  median latency %8v", round+1, t.name, m.rate, m.p50)
			if m.bounds != (bounds{}) {
				text += fmt.Sprintf("  by the server's counter %s", m.bounds)
			}
			b.say("%s", text)
			if err := m.judgeCount(t.leaves, connections); err != nil {
				problems = append(problems, fmt.Errorf("%s, round %d: %w", t.name, round+1, err))
			}
		}
	}
	if len(problems) == 0 {
		b.say("  In every run the client has counted as many answers as the server.")
	}
	return r, errors.Join(problems...)
}

// judgeCount compares the client's count with the server's.
func (m *measurement) judgeCount(leaves bool, connections int) error {
	behind := m.server - m.count
	if behind == 0 || leaves && behind > 0 && behind <= int64(connections) {
		return nil
	}
	return fmt.Errorf("the client counted %d answers, the server %d", m.count, m.server)
}

// verdict is what became of a figure.
type verdict struct {
	agree bool
	text  string
}

// tell prints v; what does not agree is an error.
func (b *bench) tell(v verdict) error {
	if !v.agree {
		return errors.New(v.text)
	}
	b.say("  %s", v.text)
	return nil
}

// judgePair compares a figure of the two tools. What counts is the median of the rounds' ratios: what changes slowly on the machine is the
// same for both runs of a round.
func judgePair(what, unit string, r *rounds, of func(*measurement) float64, tolerance float64) verdict {
	var ratios []float64
	for i := range min(len(r.wrk), len(r.loadgen)) {
		ratios = append(ratios, of(r.loadgen[i])/of(r.wrk[i]))
	}
	ratio := quantile(ratios, 0.5)
	v := verdict{agree: math.Abs(ratio-1) <= tolerance} // false for NaN
	v.text = fmt.Sprintf("%s: wrk %s%s, loadgen %s%s, ratio %.3f (half of the rounds from %.3f to %.3f), at most %.0f %% apart is asked for: %s",
		what, digits(medianOf(r.wrk, of)), unit, digits(medianOf(r.loadgen, of)), unit, ratio, quantile(ratios, 0.25), quantile(ratios, 0.75), 100*tolerance, v.word())
	if low, high := quantile(ratios, 0.25), quantile(ratios, 0.75); !v.agree && low < 1+tolerance && high > 1-tolerance {
		v.text += "; the rounds differ by so much that the machine is to blame as likely as a client: use more -rounds, or a quiet machine"
	}
	return v
}

func (v *verdict) word() string {
	if v.agree {
		return "they agree"
	}
	return "they DISAGREE"
}

// digits has four of them at least.
func digits(x float64) string {
	if math.Abs(x) >= 1000 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.4g", x)
}

// medianOf is NaN for an empty list.
func medianOf(list []*measurement, of func(*measurement) float64) float64 {
	var v []float64
	for _, m := range list {
		v = append(v, of(m))
	}
	return quantile(v, 0.5)
}

// quantile lies between two values where it falls between them; NaN for an empty list.
func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(list))
	x := q * float64(len(v)-1)
	i := int(x)
	if part := x - float64(i); part > 0 {
		return v[i] + part*(v[i+1]-v[i])
	}
	return v[i]
}
