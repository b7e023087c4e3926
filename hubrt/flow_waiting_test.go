package hubrt

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestFlowForgetsTheCanceled: what waits for a client that reads nothing is as many streams as it has, however many it has begun and cancelled.
func TestFlowForgetsTheCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &flow{stalled: true}
		wait := func() (s *streaming, canceled chan bool) {
			s = &streaming{pass: make(chan struct{}, 1)}
			s.ctx, s.cancel = context.WithCancelCause(t.Context())
			canceled = make(chan bool)
			go func() { canceled <- !f.pass(s, 10) }()
			synctest.Wait()
			return s, canceled
		}
		first, firstCanceled := wait()
		const n = 10_000
		for range n {
			s, canceled := wait()
			s.cancel(nil)
			if !<-canceled {
				t.Fatal("a stream that has been cancelled may send, though there is no room")
			}
		}
		last, lastCanceled := wait()
		f.mu.Lock()
		if f.waiting.len() > 100 {
			t.Errorf("%d streams wait, of which 2 have not been cancelled", f.waiting.len())
		}
		f.mu.Unlock()
		f.room()
		if <-firstCanceled || <-lastCanceled {
			t.Error("streams that were not cancelled did not get their turn")
		}
		first.cancel(nil)
		last.cancel(nil)
		if f.out != 20 || f.waiting.len() != 0 {
			t.Errorf("%d bytes are under way, %d streams wait; want 20 and 0", f.out, f.waiting.len())
		}
	})
}
