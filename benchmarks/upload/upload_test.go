package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

// TestUpload is the measure in small: memory and loss. What the other client notices is for a machine that has nothing else to do: go run ./benchmarks/upload.
// Not parallel: it looks at the memory of the process.
func TestUpload(t *testing.T) {
	for _, protocol := range []string{jsonName, messagePack} {
		t.Run(protocol, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cfg := config{size: 48, item: 16 << 10, rate: 48, protocol: protocol, phase: 250 * time.Millisecond}
			if raceDetector { // ten times slower
				cfg.size, cfg.rate = 24, 24
			}
			r, err := run(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if raceDetector {
				r.resident = memory{} // the detector's own memory is in it
			}
			var text strings.Builder
			r.print(&text)
			t.Log("\n" + text.String())
			if err := r.verdict(); err != nil {
				t.Error(err)
			}
			if r.items != int64(cfg.size)*mib/int64(cfg.item) || int64(len(r.busy.phases[50])) != cfg.phases() || r.quiet.calls == 0 || r.sunk.calls == 0 || r.busy.calls == 0 || r.heap.most == 0 {
				t.Errorf("%+v: want all items, and calls at rest and under the upload", r)
			}
		})
	}
}

// TestVerdict: nothing that is wrong goes by.
func TestVerdict(t *testing.T) {
	t.Parallel()
	good := func() *result {
		r := &result{cfg: config{latency: 10}, ahead: mib, heap: memory{1, 2}, resident: memory{3, 4}}
		r.quiet.add([]time.Duration{100, 100})
		r.sunk.add([]time.Duration{90, 90})
		r.busy.add([]time.Duration{109, 109})
		return r
	}
	if err := good().verdict(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spoil func(*result)
		want  string
	}{
		"loss":     {func(r *result) { r.lost = true }, "checksums differ"},
		"fast hub": {func(r *result) { r.ahead = 100 }, "not slow"},
		"heap":     {func(r *result) { r.heap.most = 40 * mib }, "the heap grew"},
		"resident": {func(r *result) { r.resident.most = 400 * mib }, "resident memory grew"},
		"latency":  {func(r *result) { r.busy = latencies{}; r.busy.add([]time.Duration{120}) }, "20.0 % worse"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tt.spoil(r)
			if err := r.verdict(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestLoss: what reaches the hub in another order, twice or not at all is found.
func TestLoss(t *testing.T) {
	t.Parallel()
	item := func(n byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, n, 'x'} }
	for name, numbers := range map[string][]byte{"order": {1, 0}, "twice": {0, 0}, "lost": {0, 2}, "short": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &slow{bytesPerSecond: 1e12}
			_, err := h.Take(func(yield func([]byte, error) bool) {
				if numbers == nil {
					yield([]byte{1}, nil)
				}
				for _, n := range numbers {
					if !yield(item(n), nil) {
						return
					}
				}
			})
			if err == nil || !strings.Contains(err.Error(), "not the one that was sent") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"size":     {[]string{"-size", "1"}, "-size is 1: want 8 to"},
		"item":     {[]string{"-item", "30000"}, "-item is 30000: want 64 to 20000"},
		"rate":     {[]string{"-rate", "0"}, "-rate is 0"},
		"latency":  {[]string{"-latency", "-1"}, "-latency is -1"},
		"protocol": {[]string{"-protocol", "xml"}, `-protocol is "xml": want json or messagepack`},
		"phase":    {[]string{"-phase", "1ms"}, "-phase is 1ms"},
		"noise":    {[]string{"-size", "64", "-rate", "48"}, "-latency 10 would be judged by 2 phases, want at least 20"},
		"argument": {[]string{"1024"}, `unexpected argument "1024"`},
		"time":     {[]string{"-timeout", "1ns"}, "which is -timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := command(t.Context(), tt.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	var help strings.Builder
	if err := command(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-rate") {
		t.Errorf("got %v, %q", err, help.String())
	}
}
