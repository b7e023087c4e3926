package hubrt

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/limits"
)

// maxRateTimer is the longest timer for a wait.
const maxRateTimer = 10 * time.Second

// admit charges a record of n bytes. pass false: it is not to be handled, because it waits or the connection has ended;
// limited: it is to be decoded and rejected.
func (c *Conn) admit(n int) (pass, limited bool) {
	s := c.shard
	wait, ok := s.take(c, n)
	if ok {
		return true, false
	}
	switch s.hub.limiter.Mode() {
	case limits.Wait:
		s.local.counters.rateWaits.Add(1)
		c.flags |= flagRate
		// The loop's timers have whole milliseconds; one that came early would only come again. So does one for a long wait, which goes on when it has come: a timer outlives its
		// connection, and would hold the memory of one that has gone for hours at a low rate.
		wait = (wait + time.Millisecond - 1).Truncate(time.Millisecond)
		s.loop.AfterFunc(min(wait, maxRateTimer), c.rateOver)
		return false, false
	case limits.Reject:
		s.local.counters.rateRejects.Add(1)
		return true, true
	default:
		s.local.counters.rateCloses.Add(1)
		c.fail(engine.RateLimited, s.hub.errRate())
		return false, false
	}
}

// rateOver runs when there are tokens again.
func (c *Conn) rateOver() {
	if c.state != stateOpen || !c.is(flagRate) {
		return
	}
	c.flags &^= flagRate
	c.resume()
}

// reject answers what came over the rate. The client's Close is heard all the same, and so is its first ping, which starts a clock, and what keeps both sides' numbers equal.
func (c *Conn) reject(m *codec.Message) {
	switch m.Kind {
	case codec.Invocation, codec.StreamInvocation:
		h := c.hub()
		name := string(m.Target)
		if t := h.methods.Lookup(m.Target); t != nil {
			name = t.Name
		}
		err := h.errRate()
		c.refuseCall(m, name, fmt.Sprintf("Failed to invoke '%s' because %s.", name, err), err, slog.LevelDebug)
	case codec.Ping, codec.Close, codec.Ack, codec.Sequence:
		c.dispatch(m)
	}
}

// errRate names the limits that a client may be over.
func (h *Hub) errRate() error {
	r := h.opt.Rates
	var text string
	switch {
	case r.Messages > 0 && r.Bytes > 0:
		text = fmt.Sprintf("%v messages or %v bytes", r.Messages, r.Bytes)
	case r.Messages > 0:
		text = fmt.Sprintf("%v messages", r.Messages)
	default:
		text = fmt.Sprintf("%v bytes", r.Bytes)
	}
	return &namedError{"RateLimitException", "the client is over its rate limit of " + text + " a second"}
}
