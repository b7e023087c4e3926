package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

//go:embed negotiate.lua
var negotiateScript []byte

// writeScript puts wrk's script where it is looked for.
func (b *bench) writeScript() error { return os.WriteFile(b.script(), negotiateScript, 0o644) }

func (b *bench) script() string { return filepath.Join(b.work, "negotiate.lua") }

var wrkMark = []byte("\ncrosscheck ")

func (b *bench) wrkRun(ctx context.Context, url string, connections int) (*measurement, error) {
	out, err := b.client(ctx, b.wrk, "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", int(b.duration.Seconds())), "-s", b.script(), url+"/negotiate?negotiateVersion=1")
	if err != nil {
		return nil, err
	}
	return readWrk(out)
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
func (b *bench) loadgenRun(ctx context.Context, url string, connections int) (*measurement, error) {
	r, err := b.loadgen(ctx, "negotiate", flawless(fmt.Sprintf("-n=%d", connections), "-warmup=0", "-ramp=0", "-loops=1", fmt.Sprintf("-duration=%v", b.duration), url)...)
	if err != nil {
		return nil, err
	}
	m := &measurement{count: r.Total.Answered, rate: r.PerSecond, from: r.From, until: r.Until}
	for _, p := range r.Latency {
		if p.Percentile == 50 {
			m.p50 = time.Duration(p.Ns).Round(time.Microsecond)
		}
	}
	return m, nil
}
