package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
)

// window is how many clients are on their way in or out at a time: as many as a busy accept queue, and few enough that the memory
// backend's own list of what is ready stays short.
const window = 2048

// clients are the far ends, and what the hub knows of each.
type clients struct {
	server   *server
	sinks    []engine.Sink    // in one piece of memory, so that the collector's work is the server's
	contexts []*hubrt.Context // set in the connected event; nil once they have been walked
	before   []int64          // bytes that each sink had, for expect
	names    [groups]string
}

func newClients(s *server, n int) *clients {
	c := &clients{server: s, sinks: make([]engine.Sink, n), before: make([]int64, n)}
	for i := range c.names {
		c.names[i] = fmt.Sprintf("group-%02d", i)
	}
	return c
}

// attach connects the first n clients, each with its user id and in its group, and returns when all are.
func (c *clients) attach(ctx context.Context, n int) error {
	c.contexts = make([]*hubrt.Context, n)
	slots := make(chan struct{}, window)
	var entered atomic.Int64
	all := make(chan struct{})
	connected := func(hc *hubrt.Context) error {
		i, err := userNumber(hc.UserID())
		if err != nil {
			return err
		}
		c.contexts[i] = hc
		if err := hc.Join(c.names[i%groups]); err != nil {
			return err
		}
		<-slots
		if entered.Add(1) == int64(n) {
			close(all)
		}
		return nil
	}
	c.server.connected.Store(&connected)
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d clients are connected: %w", entered.Load(), n, context.Cause(ctx))
		}
		if err := c.server.engine.AttachSink(&c.sinks[i], c.server.http.Open); err != nil {
			return err
		}
		c.sinks[i].Feed(shake(i))
	}
	select {
	case <-all:
	case <-ctx.Done():
		return fmt.Errorf("%d of %d clients are connected: %w", entered.Load(), n, context.Cause(ctx))
	}
	c.server.barrier() // the joins are posted
	return nil
}

// drop breaks the first n clients off, like a network that fails, and returns when the server has forgotten all of them.
func (c *clients) drop(ctx context.Context, n int) error {
	open := c.server.runtime.Stats().Connections
	c.contexts = nil
	for i := range n {
		c.sinks[i].Reset()
		if done := int64(i + 1); done%window == 0 {
			if err := c.until(ctx, "clients to go", func() bool { return c.server.runtime.Stats().Connections <= open-done }); err != nil {
				return err
			}
		}
	}
	if err := c.until(ctx, "all clients to go", func() bool {
		return c.server.runtime.Stats().Connections == open-int64(n) && c.server.engine.Stats().Open == open-int64(n)
	}); err != nil {
		return err
	}
	c.server.barrier()
	clear(c.sinks[:n])
	return nil
}

// ping has each client send the hub's ping, and returns when the server has read them all.
func (c *clients) ping(ctx context.Context) error {
	record := appendMasked(nil, `{"type":6}`+"\x1e")
	got := c.server.runtime.Stats().MessagesIn
	for i := range c.sinks {
		c.sinks[i].Feed(record)
		if sent := int64(i + 1); sent%window == 0 || int(sent) == len(c.sinks) {
			if err := c.until(ctx, "pings to be read", func() bool { return c.server.runtime.Stats().MessagesIn >= got+sent }); err != nil {
				return err
			}
		}
	}
	return nil
}

// until waits for a condition.
func (c *clients) until(ctx context.Context, what string, done func() bool) error {
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// note remembers what each client has got so far.
func (c *clients) note() {
	for i := range c.sinks {
		c.before[i] = c.sinks[i].Bytes()
	}
}

// expect checks that since note each client got frames of size bytes as often as times says, and less than one frame's worth of
// pings. The time between must therefore be shorter than a few intervals of the keep-alive.
func (c *clients) expect(size int, times func(i int) int) error {
	for i := range c.sinks {
		got, want := c.sinks[i].Bytes()-c.before[i], int64(size*times(i))
		if got < want || got >= want+int64(size) {
			return fmt.Errorf("client %d got %d bytes: want %d frames of %d bytes, and a ping at most", i, got, times(i), size)
		}
	}
	return nil
}

// walk looks at each hub connection once, in the order in which they came, and returns how many live.
func (c *clients) walk() int {
	n := 0
	for _, hc := range c.contexts {
		if hc.Err() == nil {
			n++
		}
	}
	return n
}
