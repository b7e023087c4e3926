package hubrt

import (
	"time"

	"github.com/spokehub/spoke/limits"
)

// meter is the token buckets of a connection that has lately used some. Full buckets need no memory, and those of idle connections are
// full, so the loop has meters for the others only, in one piece of memory.
type meter struct {
	buckets limits.Buckets
	conn    *Conn
}

// take charges a record of n bytes.
func (s *shard) take(c *Conn, n int) (wait time.Duration, ok bool) {
	return s.takeAt(c, s.local.now(s.hub.rt), n)
}

func (s *shard) takeAt(c *Conn, now time.Duration, n int) (wait time.Duration, ok bool) {
	if c.meter == 0 {
		s.retireMeters(now)
		s.meters = append(s.meters, meter{conn: c})
		c.meter = uint32(len(s.meters))
	}
	return s.hub.limiter.Take(&s.meters[c.meter-1].buckets, now, n)
}

// retireMeters takes off up to two meters whose buckets have become full; each new meter pays for that. So there are at most about twice as many
// as clients have sent something in the time that a bucket takes to fill, or in which all are looked at once.
func (s *shard) retireMeters(now time.Duration) {
	for range min(2, len(s.meters)) {
		if s.nextMeter >= len(s.meters) {
			s.nextMeter = 0
		}
		c := s.meters[s.nextMeter].conn
		s.nextMeter++ // also past the one that comes to the place of one that goes: it is the newest
		c.retireMeter(now)
	}
}

// retireMeter takes the connection's meter off if its buckets are full.
func (c *Conn) retireMeter(now time.Duration) {
	if s := c.shard; c.meter != 0 && s.hub.limiter.Full(&s.meters[c.meter-1].buckets, now) {
		c.dropMeter()
	}
}

// dropMeter takes the connection's meter off, if it has one.
func (c *Conn) dropMeter() {
	if c.meter == 0 {
		return
	}
	s := c.shard
	last := len(s.meters) - 1
	s.meters[c.meter-1] = s.meters[last]
	s.meters[c.meter-1].conn.meter = c.meter
	s.meters[last] = meter{}
	s.meters = shrink(s.meters[:last])
	c.meter = 0
}
