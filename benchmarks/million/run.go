package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/procfs"
	"github.com/spokehub/spoke/ws"
)

// cost is the time of a step, from its beginning until its last byte was written, and the processor time.
type cost struct {
	Wall time.Duration `json:"wall_ns"`
	CPU  time.Duration `json:"cpu_ns"`
}

// result is all that was measured. Byte counts are per connection.
type result struct {
	Go          string `json:"go"`
	Platform    string `json:"platform"`
	Processors  int    `json:"processors"`
	Connections int    `json:"connections"`
	Loops       int    `json:"loops"`
	KeepHead    bool   `json:"keep_head"`

	Heap      float64 `json:"heap_bytes"` // without the simulated far end
	Simulated float64 `json:"simulated_bytes"`
	Resident  float64 `json:"resident_bytes"` // with the simulated far end and the collector's headroom
	Parts     []part  `json:"parts"`
	Other     float64 `json:"unexplained_bytes"` // of Heap: what the profile does not show

	Attach    cost       `json:"attach"`
	Broadcast cost       `json:"broadcast"`
	Burst     cost       `json:"burst"` // of burstLength broadcasts at once
	Group     cost       `json:"group"`
	Members   int        `json:"group_members"`
	Herd      cost       `json:"herd"`    // the pings of all connections, due in one second
	Idle      cost       `json:"idle"`    // one interval of the keep-alive, in which each connection is pinged once
	LagMax    float64    `json:"lag_max"` // seconds: longest time in Idle between two looks at the sockets
	Pinged    cost       `json:"pinged"`  // a ping from each client
	GC        collection `json:"gc"`
	GCEmpty   collection `json:"gc_empty"` // after all have gone; the memory of the simulated far end is still there
	Walk      cost       `json:"walk"`
	Drop      cost       `json:"drop"`
	Left      float64    `json:"left_bytes"` // of Heap, after all have gone
}

// burstLength is how many broadcasts a burst has.
const burstLength = 16

// run measures. It takes over the process's memory profile.
func run(ctx context.Context, cfg config) (r *result, err error) {
	runtime.MemProfileRate = profileRate(cfg.n)
	if cfg.progress == nil {
		cfg.progress = func(string, ...any) {}
	}
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, s.stop(ending))
	}()
	c := newClients(s, cfg.n)
	r = &result{
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.GOMAXPROCS(0),
		Connections: cfg.n, Loops: cfg.loops, KeepHead: cfg.keepHead,
	}
	// A few first, so that pools and tables are there already and are not taken for a part of each connection.
	if err := c.warmUp(ctx, min(cfg.n, 2*window)); err != nil {
		return nil, err
	}
	heap, rss, parts := liveHeap(), procfs.Resident(), heapByPart()

	cfg.progress("attaching %d connections", cfg.n)
	if r.Attach, err = measure(func() error { return c.attach(ctx, cfg.n) }); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context, cfg config, c *clients) error
	}{
		{"the pings of the clients", r.measurePings},
		{"broadcasts", r.measureSends},
		{"the herd", r.measureHerd},
		{"idle connections", r.measureIdle},
		{"the collector", r.measureCollector},
	} {
		cfg.progress("%s", step.name)
		if err := step.do(ctx, cfg, c); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	cfg.progress("the heap")
	n := float64(cfg.n)
	grown := float64(liveHeap()) - float64(heap)
	r.Resident = (float64(procfs.Resident()) - float64(rss)) / n
	r.Parts = heapByPart().minus(parts, cfg.n)
	explained := 0.0
	for _, p := range r.Parts {
		if p.Name == simulated {
			r.Simulated = p.Bytes
		} else {
			explained += p.Bytes
		}
	}
	r.Heap = grown/n - r.Simulated
	r.Other = r.Heap - explained

	cfg.progress("the end of all")
	if r.Drop, err = measure(func() error { return c.drop(ctx, cfg.n) }); err != nil {
		return nil, err
	}
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	r.Left = (float64(liveHeap()) - float64(heap)) / n
	r.GCEmpty, err = collect(cfg.rounds)
	runtime.KeepAlive(c)
	return r, err
}

// measure times f.
func measure(f func() error) (cost, error) {
	cpu, begun := procfs.OwnCPU(), time.Now()
	err := f()
	return cost{time.Since(begun), procfs.OwnCPU() - cpu}, err
}

// measureMedian times f several times.
func measureMedian(rounds int, f func() error) (cost, error) {
	var wall, cpu []time.Duration
	for range rounds {
		c, err := measure(f)
		if err != nil {
			return cost{}, err
		}
		wall, cpu = append(wall, c.Wall), append(cpu, c.CPU)
	}
	return cost{median(wall), median(cpu)}, nil
}

// warmUp attaches and drops n clients.
func (c *clients) warmUp(ctx context.Context, n int) error {
	if err := c.attach(ctx, n); err != nil {
		return err
	}
	if err := c.drop(ctx, n); err != nil {
		return err
	}
	return c.settle(ctx)
}

// settle waits until the loops have trimmed their tables, which they do once a second.
func (c *clients) settle(ctx context.Context) error {
	for range 2 {
		was := make([]uint32, len(c.server.engine.Loops()))
		c.server.onLoops(func(l *engine.Loop, done func()) { was[l.Index()] = l.Now(); done() })
		if err := c.until(ctx, "the next second", func() bool {
			passed := true
			now := make([]bool, len(was))
			c.server.onLoops(func(l *engine.Loop, done func()) { now[l.Index()] = l.Now() > was[l.Index()]; done() })
			for _, ok := range now {
				passed = passed && ok
			}
			return passed
		}); err != nil {
			return err
		}
	}
	c.server.barrier()
	return nil
}

// tick is what is sent: 32 bytes of payload.
const (
	tickMethod  = "tick"
	tickPayload = "0123456789abcdef0123456789abcdef"
)

// tickSize is the size of its frame.
func tickSize() (int, error) {
	b, err := codec.JSON.AppendInvocation(nil, "", tickMethod, []any{tickPayload})
	return len(ws.AppendHeader(nil, false, len(b))) + len(b), err
}

func (r *result) measureSends(_ context.Context, cfg config, c *clients) error {
	s := c.server
	size, err := tickSize()
	if err != nil {
		return err
	}
	once := func(int) int { return 1 }
	all := func() error {
		err := s.hub.Clients().All().Send(tickMethod, tickPayload)
		s.barrier()
		return err
	}
	c.note()
	if err := all(); err != nil { // the first one grows the lists
		return err
	}
	if err := c.expect(size, once); err != nil {
		return err
	}
	if r.Broadcast, err = measureMedian(cfg.rounds, all); err != nil {
		return err
	}
	if r.Burst, err = measureMedian(cfg.rounds, func() error {
		for range burstLength {
			if err := s.hub.Clients().All().Send(tickMethod, tickPayload); err != nil {
				return err
			}
		}
		s.barrier()
		return nil
	}); err != nil {
		return err
	}
	r.Members = (cfg.n-1)/groups + 1
	group := func() error {
		err := s.hub.Clients().Group(c.names[0]).Send(tickMethod, tickPayload)
		s.barrier()
		return err
	}
	c.note()
	if err := group(); err != nil {
		return err
	}
	if err := c.expect(size, func(i int) int {
		if i%groups == 0 {
			return 1
		}
		return 0
	}); err != nil {
		return err
	}
	c.note()
	last := cfg.n - 1
	if err := s.hub.Clients().User(fmt.Sprint(userStart, last)).Send(tickMethod, tickPayload); err != nil {
		return err
	}
	s.barrier()
	if err := c.expect(size, func(i int) int {
		if i == last {
			return 1
		}
		return 0
	}); err != nil {
		return err
	}
	r.Group, err = measureMedian(cfg.rounds, group)
	return err
}

// measureHerd holds the loops for longer than the keep-alive's interval, after which all pings are due at once: the worst that a
// machine which was suspended comes back to.
func (r *result) measureHerd(ctx context.Context, cfg config, c *clients) error {
	c.note()
	release := c.server.hold()
	wait := time.NewTimer(cfg.keepAlive + 2*time.Second)
	defer wait.Stop()
	var err error
	select {
	case <-wait.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		release()
		return err
	}
	pinged := 0
	r.Herd, err = measure(func() error {
		release()
		return c.until(ctx, "all to be pinged", func() bool { // a part of them in each iteration
			for pinged < len(c.sinks) && c.sinks[pinged].Bytes() != c.before[pinged] {
				pinged++
			}
			return pinged == len(c.sinks)
		})
	})
	if err != nil {
		return fmt.Errorf("%d of %d clients are pinged: %w", pinged, len(c.sinks), err)
	}
	return nil
}

// measureIdle watches one interval of the keep-alive.
func (r *result) measureIdle(ctx context.Context, cfg config, c *clients) error {
	_ = c.server.engine.Stats() // LagMax is of the time since the last look
	var err error
	r.Idle, err = measure(func() error {
		t := time.NewTimer(cfg.keepAlive)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	r.LagMax = c.server.engine.Stats().LagMax.Seconds()
	return err
}

func (r *result) measurePings(ctx context.Context, _ config, c *clients) (err error) {
	r.Pinged, err = measure(func() error { return c.ping(ctx) })
	return err
}

func (r *result) measureCollector(_ context.Context, cfg config, c *clients) (err error) {
	r.Walk, err = measureMedian(cfg.rounds, func() error {
		if n := c.walk(); n != cfg.n {
			return fmt.Errorf("%d of %d connections live", n, cfg.n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.contexts = nil        // a list of the simulation, which would cost the collector a look at each
	defer c.server.hold()() // else what is counted has the pings in it that are due meanwhile, the more, the busier the machine is
	r.GC, err = collect(cfg.rounds)
	return err
}
