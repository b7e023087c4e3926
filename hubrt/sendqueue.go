package hubrt

import (
	"errors"
	"fmt"
	"time"

	"github.com/spokehub/spoke/engine"
)

// ErrSendQueueFull is what errors.Is finds in the error of a send or join that found more than RuntimeConfig.SendQueue bytes waiting for an event loop: whoever
// sends is faster than the loop. Nothing of that send was queued. It is an error and not a wait because Send is called on loops too (by inline methods), and under
// locks that those take.
var ErrSendQueueFull = errors.New("hubrt: the send queue is full")

// sendOverhead is what a queued send counts for beside its bytes: about the memory that it takes.
const sendOverhead = 256

// room reports, as an error, that the loop's queue is full. It is asked before the first loop is posted to, so that a message goes to all its loops or to none; many senders
// may pass at once, so a queue holds its limit and one message for each of them.
func (s *shard) room() error {
	rt := s.hub.rt
	n := s.local.queued.Load()
	if n <= int64(rt.cfg.SendQueue) {
		return nil
	}
	rt.refused.Add(1)
	// One line a second: whoever brings this about brings it about a hundred thousand times.
	if now, last := int64(time.Since(rt.start)/time.Second)+1, rt.warned.Load(); now != last && rt.warned.CompareAndSwap(last, now) {
		rt.log.Warn("sends are refused: the send queue is full", "loop", s.loop.Index(), "bytes", n, "limit", rt.cfg.SendQueue, "refused so far", rt.refused.Load())
	}
	return fmt.Errorf("%w: %d bytes wait for event loop %d, which is over the limit of %d: send less, or spread connections over more loops",
		ErrSendQueueFull, n, s.loop.Index(), rt.cfg.SendQueue)
}

// roomInAll is room of every loop that has connections.
func (h *Hub) roomInAll() error {
	for i := range h.shards {
		if s := &h.shards[i]; s.size.Load() > 0 {
			if err := s.room(); err != nil {
				return err
			}
		}
	}
	return nil
}

// post queues a send or a membership change of so many bytes, which runs begins with taking off again. It counts them, also so that the loop knows whether its own inline
// method has queued something that its reply must not overtake.
func (s *shard) post(t engine.Task, bytes int) bool {
	s.local.posts.Add(1)
	s.local.queued.Add(int64(bytes))
	if s.loop.Post(t) {
		return true
	}
	s.local.queued.Add(-int64(bytes))
	return false
}

// begins says that a queued task runs. It comes first, so that a panic in the task cannot leave its bytes counted.
func (s *shard) begins(bytes int) { s.local.queued.Add(-int64(bytes)) }
