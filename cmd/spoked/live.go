package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spokehub/spoke"
)

// The live broadcast's rate, in messages a second.
const (
	minRate     = 1
	maxRate     = 100
	defaultRate = 10
)

const liveGroup = "live"

// tick is one message of the live broadcast.
type tick struct {
	Number   int64 `json:"number"` // counts up; a gap is a lost message
	At       int64 `json:"at"`     // the server's clock, microseconds since 1970
	Rate     int   `json:"rate"`
	Watchers int   `json:"watchers"`
}

// live publishes ticks at a rate that anybody may choose, while somebody watches.
type live struct {
	send func(tick) error

	mu       sync.Mutex
	watchers map[string]bool // under mu; by connection id
	rate     int             // under mu
	number   int64           // under mu; of the last tick

	changed chan struct{} // holds one token when run must look at rate and watchers again
}

func newLive(send func(tick) error) *live {
	return &live{send: send, watchers: map[string]bool{}, rate: defaultRate, changed: make(chan struct{}, 1)}
}

// attach adds the broadcast's methods to the hub.
func (l *live) attach(hub *spoke.Hub) error {
	return errors.Join(
		hub.Handle("Watch", func(c *spoke.Context) (int, error) {
			if err := c.Join(liveGroup); err != nil {
				return 0, err
			}
			rate := l.watch(c.ConnectionID())
			if err := c.Err(); err != nil {
				l.unwatch(c.ConnectionID()) // the disconnected event may have come before the entry
				return 0, err
			}
			return rate, nil
		}),
		hub.Handle("Unwatch", func(c *spoke.Context) error {
			l.unwatch(c.ConnectionID())
			return c.Leave(liveGroup)
		}),
		hub.Handle("SetRate", func(_ *spoke.Context, perSecond int) error { return l.setRate(perSecond) }),
		// Inline, so that the page measures the way there and back and not the wait for a worker.
		hub.Handle("Echo", func(x spoke.Raw) spoke.Raw { return x }, spoke.MethodOptions{Inline: true}),
	)
}

// watch adds a watcher and returns the rate.
func (l *live) watch(id string) (rate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[id] = true
	l.wake()
	return l.rate
}

func (l *live) unwatch(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watchers, id)
	l.wake()
}

func (l *live) setRate(perSecond int) error {
	if perSecond < minRate || perSecond > maxRate {
		return refusal("The rate is %d messages a second; %d to %d are allowed.", perSecond, minRate, maxRate)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = perSecond
	l.wake()
	return nil
}

func (l *live) wake() {
	select {
	case l.changed <- struct{}{}:
	default: // run has yet to take the last one
	}
}

// interval is the time between two ticks; 0: nobody watches.
func (l *live) interval() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) == 0 {
		return 0
	}
	return time.Second / time.Duration(l.rate)
}

// run publishes until ctx ends. Without watchers it has no timer.
func (l *live) run(ctx context.Context) {
	var ticker *time.Ticker
	var due <-chan time.Time // nil: never
	var current time.Duration
	defer func() {
		if ticker != nil {
			ticker.Stop()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
			every := l.interval()
			if every == current {
				continue
			}
			current = every
			if ticker != nil {
				ticker.Stop()
				ticker, due = nil, nil
			}
			if every > 0 {
				ticker = time.NewTicker(every)
				due = ticker.C
			}
		case <-due:
			_ = l.send(l.next(time.Now())) // not the ticker's time, which is when it was due; a tick always encodes
		}
	}
}

func (l *live) next(now time.Time) tick {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	return tick{Number: l.number, At: now.UnixMicro(), Rate: l.rate, Watchers: len(l.watchers)}
}
