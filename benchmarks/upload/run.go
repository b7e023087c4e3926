package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/procfs"
)

const mib = 1 << 20

// config is what is measured.
type config struct {
	size, item, rate int
	protocol         string
	phase            time.Duration
	latency          int
}

// The most that memory may grow, beyond what it was after a first part of the upload. What may wait is: 10 items and 64 KiB in the hub, some MiB in the kernel, which are not
// the process's; the rest is garbage between two collections.
const (
	heapGrowth     = 16 * mib
	residentGrowth = 48 * mib
)

// warmUp is the part of the upload after which memory is measured first.
const warmUp = 4 * mib

func (c *config) check() error {
	var errs []error
	number := func(name string, v, least, most int) {
		if v < least || v > most {
			errs = append(errs, fmt.Errorf("-%s is %d: want %d to %d", name, v, least, most))
		}
	}
	number("size", c.size, 2*warmUp/mib, 1<<20)
	number("item", c.item, 64, 20_000) // in base64 it must fit into a message of 32 KiB
	number("rate", c.rate, 1, 1<<20)
	number("latency", c.latency, 0, 1000)
	if c.protocol != jsonName && c.protocol != messagePack {
		errs = append(errs, fmt.Errorf("-protocol is %q: want %s or %s", c.protocol, jsonName, messagePack))
	}
	if c.phase < 10*time.Millisecond || c.phase > time.Minute {
		errs = append(errs, fmt.Errorf("-phase is %v: want 10ms to 1m", c.phase))
	}
	return errors.Join(errs...)
}

// result is what was seen.
type result struct {
	cfg            config
	took           time.Duration
	items          int64
	lost           bool
	ahead          int64 // most bytes that the client had sent and the hub had not taken
	heap, resident memory
	quiet, busy    latencies
}

type memory struct{ before, most uint64 }

func (m memory) growth() uint64 { return max(m.most, m.before) - m.before }

// latencies are those of one kind of phase, phase by phase: one that the machine disturbs does not count for more than another.
type latencies struct {
	calls  int
	phases map[float64][]time.Duration // by percentile
}

// percentiles are what is looked at.
var percentiles = []float64{50, 99}

// add takes the calls of one phase, which it sorts.
func (l *latencies) add(calls []time.Duration) {
	if len(calls) == 0 {
		return
	}
	if l.phases == nil {
		l.phases = map[float64][]time.Duration{}
	}
	l.calls += len(calls)
	slices.Sort(calls)
	for _, p := range percentiles {
		l.phases[p] = append(l.phases[p], calls[int(float64(len(calls)-1)*p/100)])
	}
}

// at is the median over the phases of a percentile.
func (l *latencies) at(percent float64) time.Duration {
	s := slices.Sorted(slices.Values(l.phases[percent]))
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}

// run makes one upload.
func run(ctx context.Context, cfg config) (r *result, err error) {
	hub := &slow{bytesPerSecond: float64(cfg.rate) * mib}
	serverConfig := spoke.Config{Addr: "127.0.0.1:0", Drain: -1}
	serverConfig.Engine.Loops = 1
	srv, err := spoke.New(serverConfig)
	if err != nil {
		return nil, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, srv.Shutdown(stop))
	}()
	if _, err := srv.MapHub("/hub", hub); err != nil {
		return nil, err
	}
	addr, err := srv.Listen()
	if err != nil {
		return nil, err
	}
	up, err := newUploader(addr.String(), cfg.protocol, cfg.item)
	if err != nil {
		return nil, err
	}
	defer func() { _ = up.nc.Close() }()
	other, err := newCaller(addr.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = other.nc.Close() }()
	unblock := context.AfterFunc(ctx, func() { _, _ = up.nc.Close(), other.nc.Close() })
	defer unblock()
	r = &result{cfg: cfg}
	if err := r.measure(ctx, hub, up, other); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return r, nil
}

func (r *result) measure(ctx context.Context, hub *slow, up *uploader, other *caller) error {
	total := int64(r.cfg.size) * mib / int64(r.cfg.item)
	first := int64(warmUp / r.cfg.item)
	if err := up.send(first); err != nil {
		return err
	}
	for range 1000 {
		if _, err := other.call(); err != nil {
			return err
		}
	}
	calls := make([]time.Duration, 0, mostCalls)
	debug.FreeOSMemory()
	r.heap.before, r.resident.before = heapBytes(), uint64(procfs.Resident())
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.watch(watch, hub, up) })
	defer watching.Wait()
	defer stop()

	begin := time.Now()
	part := max(int64(float64(r.cfg.rate)*mib*r.cfg.phase.Seconds())/int64(r.cfg.item), 1)
	for left := total - first; left > 0; left -= part {
		calls = calls[:0]
		for end := time.Now().Add(r.cfg.phase / 4); time.Now().Before(end); {
			d, err := other.call()
			if err != nil {
				return err
			}
			calls = note(calls, d)
		}
		r.quiet.add(calls)
		calls = calls[:0]
		sent := make(chan error, 1)
		go func() { sent <- up.send(min(part, left)) }()
		var err error
		for done := false; !done || err == nil && hub.taken.Load() < up.sent.Load(); { // while anything waits, in the kernel or here, the upload is under way
			d, failed := other.call()
			if failed != nil {
				_ = up.nc.Close()
				if !done {
					<-sent
				}
				return failed
			}
			calls = note(calls, d)
			if failed := ctx.Err(); failed != nil {
				_ = up.nc.Close()
				if !done {
					<-sent
				}
				return failed
			}
			select {
			case err = <-sent:
				done = true
			default:
			}
		}
		r.busy.add(calls)
		if err != nil {
			return err
		}
	}
	if err := up.finish(total); err != nil {
		return err
	}
	r.took, r.items = time.Since(begin), total
	r.lost = hub.taken.Load() != total*int64(r.cfg.item) || hub.sum.Load() != up.sum.Load()
	return nil
}

// mostCalls are the calls of one phase that are kept. It bounds what the measure itself takes.
const mostCalls = 1 << 18

func note(calls []time.Duration, d time.Duration) []time.Duration {
	if len(calls) == mostCalls {
		return calls
	}
	return append(calls, d)
}

// watch looks at memory until ctx ends.
func (r *result) watch(ctx context.Context, hub *slow, up *uploader) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		taken := hub.taken.Load() // first: it only grows
		r.ahead = max(r.ahead, up.sent.Load()-taken)
		r.heap.most = max(r.heap.most, heapBytes())
		r.resident.most = max(r.resident.most, uint64(procfs.Resident()))
	}
}

// heapBytes is what objects take, garbage that has not been collected included.
func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "uploaded          %d MiB in %d items of %d bytes, %s, in %.1f s; %s, %s/%s, %d processors\n", r.cfg.size, r.items, r.cfg.item, r.cfg.protocol, r.took.Seconds(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(w, "client ahead      at most %.1f MiB, kernel buffers included\n", float64(r.ahead)/mib)
	fmt.Fprintf(w, "heap              %.1f MiB before, at most %.1f MiB\n", float64(r.heap.before)/mib, float64(r.heap.most)/mib)
	fmt.Fprintf(w, "resident memory   %.1f MiB before, at most %.1f MiB\n", float64(r.resident.before)/mib, float64(r.resident.most)/mib)
	for _, p := range percentiles {
		q, b := r.quiet.at(p), r.busy.at(p)
		fmt.Fprintf(w, "other client p%.0f  %v at rest, %v under the upload (%+.1f %%)\n", p, q.Round(100*time.Nanosecond), b.Round(100*time.Nanosecond), worse(q, b))
	}
	fmt.Fprintf(w, "calls             %d at rest, %d under the upload\n", r.quiet.calls, r.busy.calls)
}

func worse(quiet, busy time.Duration) float64 {
	return (float64(busy)/float64(max(quiet, 1)) - 1) * 100
}

// verdict is an error that says all that is not as it must be.
func (r *result) verdict() error {
	var errs []error
	if r.lost {
		errs = append(errs, errors.New("the hub has not taken what was sent: the checksums differ"))
	}
	if r.ahead < 64<<10 {
		errs = append(errs, fmt.Errorf("the client was only %d bytes ahead of the hub, which is not slow then: lower -rate", r.ahead))
	}
	if g := r.heap.growth(); g > heapGrowth {
		errs = append(errs, fmt.Errorf("the heap grew by %d bytes: want at most %d", g, heapGrowth))
	}
	if g := r.resident.growth(); g > residentGrowth {
		errs = append(errs, fmt.Errorf("resident memory grew by %d bytes: want at most %d", g, residentGrowth))
	}
	if r.cfg.latency > 0 {
		for _, p := range percentiles {
			if w := worse(r.quiet.at(p), r.busy.at(p)); w > float64(r.cfg.latency) {
				errs = append(errs, fmt.Errorf("the other client's latency (percentile %.0f) is %.1f %% worse under the upload: want at most %d", p, w, r.cfg.latency))
			}
		}
	}
	return errors.Join(errs...)
}
