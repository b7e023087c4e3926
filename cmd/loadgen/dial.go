package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/spokehub/spoke/engine"
)

// dialer makes TCP connections with a bounded number of goroutines and gives them to the event loops.
type dialer struct {
	engine  *engine.Engine
	to      netip.AddrPort
	sources []netip.Addr // nil: the kernel chooses
	timeout time.Duration
	tls     *security
	failed  func(c *client, err error) // any goroutine

	mu      sync.Mutex
	ready   sync.Cond
	queue   []dialing // under mu; at most one entry for each client and poster, of which there are at most -n and few
	turn    int       // under mu: of the sources
	stopped bool      // under mu

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// slowReceiveBuffer is SO_RCVBUF of readers that are slow on purpose: with the kernel's own they would take megabytes first.
const slowReceiveBuffer = 16 << 10

func newDialer(e *engine.Engine, to netip.AddrPort, o *options, failed func(*client, error)) *dialer {
	d := &dialer{engine: e, to: to, timeout: o.connectTime, tls: &o.tls, failed: failed, sources: sourceAddresses(to.Addr(), o)}
	d.ready.L = &d.mu
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for range o.dialers {
		d.running.Go(d.run)
	}
	return d
}

// perSource is how many connections come from one address. There are 28,000 ports, but Linux looks through the even ones first, and
// when 14,000 are taken each connect takes a millisecond to find out.
const perSource = 10_000

// sourceAddresses are those that connections to a loopback address come from: the ports of one are few, and a port rests for a
// while after its connection.
func sourceAddresses(to netip.Addr, o *options) []netip.Addr {
	if !to.Is4() || !to.IsLoopback() {
		return nil
	}
	n := o.sources
	if n == 0 {
		n = 1 + o.n/perSource
		if o.scenario == churn || o.scenario == storm {
			n = max(n, 16)
		}
	}
	n = min(n, 254)
	if n == 1 {
		return nil
	}
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)})
	}
	return list
}

// dialing is who wants a connection.
type dialing struct {
	client *client
	poster *poster // if not nil, instead
}

// dial has c connected. Any goroutine; it does not wait.
func (d *dialer) dial(c *client) { d.add(dialing{client: c}) }

func (d *dialer) add(a dialing) {
	d.mu.Lock()
	d.queue = append(d.queue, a)
	d.mu.Unlock()
	d.ready.Signal()
}

// waiting is the number of clients that no goroutine has taken up yet.
func (d *dialer) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queue)
}

// next takes the oldest entry and a source address; ok false: the dialer has stopped.
func (d *dialer) next() (a dialing, from netip.Addr, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) == 0 && !d.stopped {
		d.ready.Wait()
	}
	if d.stopped {
		return a, from, false
	}
	a = d.queue[0]
	d.queue[0] = dialing{}
	d.queue = d.queue[1:]
	if len(d.sources) > 0 {
		from = d.sources[d.turn%len(d.sources)]
		d.turn++
	}
	return a, from, true
}

func (d *dialer) run() {
	for {
		a, from, ok := d.next()
		if !ok {
			return
		}
		nd := net.Dialer{Timeout: d.timeout, KeepAlive: -1}
		if from.IsValid() {
			nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
		receive := 0
		if a.poster == nil && a.client.slow {
			receive = slowReceiveBuffer
		}
		nd.Control = func(_, _ string, rc syscall.RawConn) (err error) {
			return errors.Join(rc.Control(func(fd uintptr) { err = prepareSocket(fd, from.IsValid(), receive) }), err)
		}
		nc, err := nd.DialContext(d.ctx, "tcp", d.to.String())
		if err == nil {
			nc, err = d.tls.shake(d.ctx, nc, d.timeout)
		}
		if err == nil {
			if a.poster != nil {
				err = a.poster.shard.loop.Attach(nc, nil, a.poster.open)
			} else {
				err = d.engine.Attach(nc, nil, a.client.open)
			}
			if err != nil {
				_ = nc.Close()
			}
		}
		if err != nil {
			if d.ctx.Err() != nil {
				return
			}
			if a.poster != nil {
				a.poster.dialFailed(err)
			} else {
				d.failed(a.client, err)
			}
		}
	}
}

// stop ends the attempts under way.
func (d *dialer) stop() {
	d.cancel()
	d.mu.Lock()
	d.stopped = true
	d.queue = nil
	d.mu.Unlock()
	d.ready.Broadcast()
	d.running.Wait()
}

// dialFault names the kind of a failure to connect.
func dialFault(err error) string {
	var timeout interface{ Timeout() bool }
	var shake shakeError
	switch {
	case errors.As(err, &shake):
		return shakeFault(err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connect: connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connect: reset by the server"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "connect: no free local port (more -sources?)"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "connect: no free file descriptor"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "connect: timeout"
	}
	return "connect: failed"
}
