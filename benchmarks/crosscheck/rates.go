package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

//go:embed negotiate.lua
var negotiateScript []byte

// measurement is one run of a client.
type measurement struct {
	count   int64 // answers, by the client
	rate    float64
	p50     time.Duration
	server  int64         // answers, by the server
	cpu     time.Duration // of the server
	others  float64       // processors that other processes used
	clients float64       // processors that the client used
}

// perCPU is the rate for each second of the server's processor time. It stays what it is when other processes take the processors away.
func (m *measurement) perCPU() float64 {
	if m.cpu <= 0 {
		return 0
	}
	return float64(m.server) / m.cpu.Seconds()
}

// disturbed is how many processors others may use on average before the rates by the clock say nothing.
const disturbed = 0.1

// compareRates has wrk and loadgen negotiate in turn.
func (b *bench) compareRates(ctx context.Context) error {
	script := filepath.Join(b.work, "negotiate.lua")
	if err := os.WriteFile(script, negotiateScript, 0o644); err != nil {
		return err
	}
	tools := []struct {
		name string
		run  func(ctx context.Context, url string) (*measurement, time.Duration, error)
		all  []*measurement
	}{
		{name: "wrk", run: func(ctx context.Context, url string) (*measurement, time.Duration, error) {
			return b.wrkRun(ctx, script, url)
		}},
		{name: "loadgen", run: b.loadgenRun},
	}
	b.say("POST /bench/negotiate, %d connections, %v, %d rounds in turn, a new server for each run", b.connections, b.duration, b.rounds)
	var problems []error
	for round := range b.rounds {
		for i := range tools {
			t := &tools[(i+round)%len(tools)] // A B B A: the first of a round has no advantage
			m, err := b.measure(ctx, t.run)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			t.all = append(t.all, m)
			b.say("  %d  %-8s %9.0f/s  %9.0f per CPU-second of the server  median latency %8v  client %.2f, others %.2f processors",
				round+1, t.name, m.rate, m.perCPU(), m.p50, m.clients, m.others)
			if err := m.judgeCount(t.name == "wrk", b.connections); err != nil {
				problems = append(problems, fmt.Errorf("%s, round %d: %w", t.name, round+1, err))
			}
		}
	}
	if len(problems) == 0 {
		b.say("  In every run the client has counted as many answers as the server.")
	}
	wrk, loadgen := tools[0].all, tools[1].all
	b.say("  median latency: wrk %v, loadgen %v", medianOf(wrk, func(m *measurement) float64 { return float64(m.p50) }).duration(),
		medianOf(loadgen, func(m *measurement) float64 { return float64(m.p50) }).duration())
	v := judgeRates(wrk, loadgen, b.tolerance)
	b.say("%s", v.text)
	if !v.agree {
		problems = append(problems, errors.New(v.text))
	}
	return errors.Join(problems...)
}

// verdict is what became of the rates.
type verdict struct {
	agree bool
	text  string
}

// judgeRates compares the rates: by the clock, or when others disturbed the machine by the server's processor time. The figure is the
// median of the rounds' ratios: what changes slowly on the machine is the same for both runs of a round.
func judgeRates(wrk, loadgen []*measurement, tolerance float64) verdict {
	rate := func(m *measurement) float64 { return m.rate }
	by, of := "by the clock", rate
	others := medianOf(append(slices.Clone(wrk), loadgen...), func(m *measurement) float64 { return m.others })
	if others > disturbed {
		by = fmt.Sprintf("by the server's CPU-seconds (other processes used %.2f processors, so the clock says nothing: by it they are %.0f and %.0f)", float64(others), medianOf(wrk, rate), medianOf(loadgen, rate))
		of = (*measurement).perCPU
	}
	var ratios []float64
	for i := range min(len(wrk), len(loadgen)) {
		ratios = append(ratios, of(loadgen[i])/of(wrk[i]))
	}
	ratio := float64(quantile(ratios, 0.5))
	v := verdict{agree: math.Abs(ratio-1) <= tolerance} // false for NaN
	word := "agree"
	if !v.agree {
		word = "DISAGREE"
	}
	v.text = fmt.Sprintf("Rates %s: wrk %.0f/s, loadgen %.0f/s, ratio %.3f (half of the rounds from %.3f to %.3f), at most %.0f %% allowed, %s",
		word, medianOf(wrk, of), medianOf(loadgen, of), ratio, quantile(ratios, 0.25), quantile(ratios, 0.75), 100*tolerance, by)
	if low, high := quantile(ratios, 0.25), quantile(ratios, 0.75); !v.agree && low < middle(1+tolerance) && high > middle(1-tolerance) {
		v.text += "; the rounds differ by so much that the machine is to blame as likely as a client: use more -rounds, or a quiet machine"
	}
	return v
}

type middle float64

func (m middle) duration() time.Duration { return time.Duration(m).Round(time.Microsecond) }

// medianOf is NaN for an empty list.
func medianOf(list []*measurement, of func(*measurement) float64) middle {
	var v []float64
	for _, m := range list {
		v = append(v, of(m))
	}
	return quantile(v, 0.5)
}

// quantile lies between two values where it falls between them; NaN for an empty list.
func quantile(list []float64, q float64) middle {
	if len(list) == 0 {
		return middle(math.NaN())
	}
	v := slices.Sorted(slices.Values(list))
	x := q * float64(len(v)-1)
	i := int(x)
	if part := x - float64(i); part > 0 {
		return middle(v[i] + part*(v[i+1]-v[i]))
	}
	return middle(v[i])
}

// measure runs a client against a new server.
func (b *bench) measure(ctx context.Context, client func(context.Context, string) (*measurement, time.Duration, error)) (*measurement, error) {
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	cpu, err1 := cpuTime(s.cmd.Process.Pid)
	busy, err2 := machineBusy()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	began := time.Now()
	m, used, err := client(ctx, "http://"+s.addr+"/bench")
	if err != nil {
		if c, err2 := s.counters(ctx); err2 == nil { // whose fault is it?
			err = fmt.Errorf("%w; the server says: %+v", err, c.Server)
		}
		return nil, err
	}
	took := time.Since(began)
	cpu2, err1 := cpuTime(s.cmd.Process.Pid)
	busy2, err2 := machineBusy()
	c, err3 := s.settled(ctx)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	m.cpu = cpu2 - cpu
	m.server = c.negotiations()
	m.clients = used.Seconds() / took.Seconds()
	m.others = max(0, (busy2-busy-m.cpu-used).Seconds()/took.Seconds())
	return m, nil
}

// judgeCount compares the client's count with the server's. wrk leaves without the last answer of each connection.
func (m *measurement) judgeCount(wrk bool, connections int) error {
	behind := m.server - m.count
	if behind == 0 || wrk && behind > 0 && behind <= int64(connections) {
		return nil
	}
	return fmt.Errorf("the client counted %d answers, the server %d", m.count, m.server)
}

var wrkMark = []byte("\ncrosscheck ")

func (b *bench) wrkRun(ctx context.Context, script, url string) (*measurement, time.Duration, error) {
	out, cpu, err := b.client(ctx, b.wrk, "-t1", fmt.Sprintf("-c%d", b.connections), fmt.Sprintf("-d%ds", int(b.duration.Seconds())), "-s", script, url+"/negotiate?negotiateVersion=1")
	if err != nil {
		return nil, 0, err
	}
	m, err := readWrk(out)
	return m, cpu, err
}

// readWrk reads what negotiate.lua prints.
func readWrk(out []byte) (*measurement, error) {
	_, line, ok := bytes.Cut(out, wrkMark)
	var r struct{ Requests, Microseconds, Errors, P50 int64 }
	if !ok {
		return nil, fmt.Errorf("wrk has printed no result: %s", out)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("wrk's result: %w: %s", err, line)
	}
	if r.Errors != 0 || r.Requests == 0 || r.Microseconds <= 0 {
		return nil, fmt.Errorf("wrk's run is no figure: %s", line)
	}
	return &measurement{count: r.Requests, rate: float64(r.Requests) / float64(r.Microseconds) * 1e6, p50: time.Duration(r.P50) * time.Microsecond}, nil
}

// loadgenRun has no warm-up, as wrk has none.
func (b *bench) loadgenRun(ctx context.Context, url string) (*measurement, time.Duration, error) {
	r, cpu, err := b.loadgen(ctx, "negotiate", fmt.Sprintf("-n=%d", b.connections), "-warmup=0", "-ramp=0", "-loops=1", fmt.Sprintf("-duration=%v", b.duration), url)
	if err != nil {
		return nil, 0, err
	}
	m := &measurement{count: r.Total.Answered, rate: r.PerSecond}
	for _, p := range r.Latency {
		if p.Percentile == 50 {
			m.p50 = time.Duration(p.Ns).Round(time.Microsecond)
		}
	}
	return m, cpu, nil
}
