package longpoll

import (
	"time"

	"github.com/spokehub/spoke/engine"
)

// Clock keeps the deadlines of a loop's connections that have no engine connection of their own to keep them. It runs while there are any. Loop only.
type Clock struct {
	loop    *engine.Loop
	entries []*conn
	running bool
	closed  bool
}

// NewClock makes the clock of a loop.
func NewClock(l *engine.Loop) *Clock { return &Clock{loop: l} }

func (k *Clock) add(c *conn) {
	c.at = len(k.entries)
	k.entries = append(k.entries, c)
	if !k.running {
		k.running = true
		k.loop.AfterFunc(time.Second, k.tick)
	}
}

func (k *Clock) remove(c *conn) {
	last := len(k.entries) - 1
	if c.at != last {
		k.entries[c.at] = k.entries[last]
		k.entries[c.at].at = c.at
	}
	k.entries[last] = nil
	k.entries = k.entries[:last]
	if last == 0 {
		k.entries = nil
	}
}

// Stop ends all of the loop's polled connections and relays, and those that come later as soon as the hub ends them: the loop is about to stop. Any goroutine.
func (k *Clock) Stop() {
	k.loop.Post(engine.TaskFunc(func(*engine.Loop) { k.close() }))
}

func (k *Clock) close() {
	k.closed = true
	for len(k.entries) > 0 {
		k.entries[len(k.entries)-1].timed.Close(engine.Shutdown, nil)
	}
}

// tick looks at all of them, from the last to the first, because one that is due may go.
func (k *Clock) tick() {
	now := k.loop.Now()
	for i := len(k.entries) - 1; i >= 0; i-- {
		if i < len(k.entries) {
			k.entries[i].tick(now)
		}
	}
	if k.running = len(k.entries) > 0; k.running {
		k.loop.AfterFunc(time.Second, k.tick)
	}
}
