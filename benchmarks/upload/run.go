package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if n := c.phases(); c.latency > 0 && n < leastPhases {
		return fmt.Errorf("-latency %d would be judged by %d phases, want at least %d: a larger -size, or a smaller -rate or -phase; with -latency 0 it is not judged", c.latency, n, leastPhases)
	}
	return nil
}

// leastPhases are so many that their median is not what the machine did in one or two of them.
const leastPhases = 20

// phases is in how many parts the upload goes, behind the first of warmUp.
func (c *config) phases() int64 {
	left, part := c.items()-warmUp/int64(c.item), c.part()
	return (left + part - 1) / part
}

// items is how many the upload has.
func (c *config) items() int64 { return int64(c.size) * mib / int64(c.item) }

// part is how many of them the hub takes in a phase.
func (c *config) part() int64 {
	return max(int64(float64(c.rate)*mib*c.phase.Seconds())/int64(c.item), 1)
}

// result is what was seen.
type result struct {
	cfg            config
	took           time.Duration
	items          int64
	lost           bool
	ahead          int64 // most bytes that the client had sent and the hub had not taken
	heap, resident memory

	quiet latencies // nobody uploads
	sunk  latencies // the upload goes to the sink
	busy  latencies // it goes to the server
}

type memory struct{ before, most uint64 }

func (m memory) growth() uint64 { return max(m.most, m.before) - m.before }

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
	drain, err := newSink(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drain.close()) }()
	aside, err := drain.connect()
	if err != nil {
		return nil, err
	}
	defer func() { _ = aside.nc.Close() }()
	unblockSink := context.AfterFunc(ctx, func() { _ = aside.nc.Close() })
	defer unblockSink()
	r = &result{cfg: cfg}
	if err := r.measure(ctx, other, target{hub, up}, target{drain.hub, aside}); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return r, nil
}

// target is where an upload goes.
type target struct {
	hub *slow
	up  *uploader
}

func (r *result) measure(ctx context.Context, other *caller, server, sunk target) error {
	total, part := r.cfg.items(), r.cfg.part()
	first := int64(warmUp / r.cfg.item)
	for _, to := range []target{server, sunk} {
		if err := to.up.send(first); err != nil {
			return err
		}
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
	watching.Go(func() { r.watch(watch, server) })
	defer watching.Wait()
	defer stop()

	begin := time.Now()
	sunkPart := max(part/4, 1)
	for left, phase := total-first, 0; left > 0; left, phase = left-part, phase+1 {
		rest := func() error { return r.rest(other, calls) }
		sink := func() error { return during(ctx, other, sunk, min(sunkPart, left), calls, &r.sunk) }
		if phase%2 == 1 {
			rest, sink = sink, rest // so that neither is always the one behind the upload
		}
		for _, f := range []func() error{rest, sink} {
			if err := f(); err != nil {
				return err
			}
		}
		if err := during(ctx, other, server, min(part, left), calls, &r.busy); err != nil {
			return err
		}
	}
	if err := server.up.finish(total); err != nil {
		return err
	}
	r.took, r.items = time.Since(begin), total
	r.lost = server.hub.taken.Load() != total*int64(r.cfg.item) || server.hub.sum.Load() != server.up.sum.Load()
	return nil
}

// rest notes the other client's calls while nobody uploads. calls is its scratch.
func (r *result) rest(other *caller, calls []time.Duration) error {
	calls = calls[:0]
	for end := time.Now().Add(r.cfg.phase / 4); time.Now().Before(end); {
		d, err := other.call()
		if err != nil {
			return err
		}
		calls = note(calls, d)
	}
	r.quiet.add(calls)
	return nil
}

// during notes the other client's calls while items are uploaded, until the method has taken all: while anything waits, in the kernel or here, the upload is under way.
func during(ctx context.Context, other *caller, to target, items int64, calls []time.Duration, into *latencies) error {
	calls = calls[:0]
	sent := make(chan error, 1)
	go func() { sent <- to.up.send(items) }()
	for done := false; !done || to.hub.taken.Load() < to.up.sent.Load(); {
		d, err := other.call()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			_ = to.up.nc.Close()
			if !done {
				<-sent
			}
			return err
		}
		calls = note(calls, d)
		select {
		case err := <-sent:
			if err != nil {
				return err
			}
			done = true
		default:
		}
	}
	into.add(calls)
	return nil
}

// watch looks at memory until ctx ends.
func (r *result) watch(ctx context.Context, to target) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		taken := to.hub.taken.Load() // first: it only grows
		r.ahead = max(r.ahead, to.up.sent.Load()-taken)
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
		q, k, b := r.quiet.at(p), r.sunk.at(p), r.busy.at(p)
		fmt.Fprintf(w, "other client p%.0f  %v at rest, %v under an upload to the sink (%+.1f %%), %v under the upload to the server (%+.1f %%; %+.1f %% of the sink's)\n",
			p, tenths(q), tenths(k), worse(q, k), tenths(b), worse(q, b), worse(k, b))
	}
	fmt.Fprintf(w, "calls             %d at rest, %d under the sink's, %d under the server's; medians of %d phases\n", r.quiet.calls, r.sunk.calls, r.busy.calls, len(r.busy.phases[percentiles[0]]))
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Nanosecond) }

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
			if w := worse(max(r.quiet.at(p), r.sunk.at(p)), r.busy.at(p)); w > float64(r.cfg.latency) {
				errs = append(errs, fmt.Errorf("the other client's latency (percentile %.0f) is %.1f %% worse under the upload than at rest and under one to the sink: want at most %d", p, w, r.cfg.latency))
			}
		}
	}
	return errors.Join(errs...)
}
