package spoke_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// burstResult is what became of many calls sent at once.
type burstResult struct {
	answered, refused int
	took              time.Duration
	end               error // why reading ended before all were answered
}

// sendBurst sends n calls in one go to a hub with those rates and collects what comes back; it checks that what was answered is what ran.
func sendBurst(t *testing.T, rates spoke.Rates, n int) (r burstResult) {
	var ran atomic.Int64
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) {
		h := mapHub(t, s, "/h", nil, func(o *spoke.HubOptions) { o.Rates = rates })
		if err := h.Handle("Hit", func(i int) int { ran.Add(1); return i }); err != nil {
			t.Fatal(err)
		}
	})
	c := dial(t, addr, "/h")
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `{"type":1,"invocationId":"%d","target":"Hit","arguments":[%d]}`+"\x1e", i, i)
	}
	begin := time.Now()
	go func() { _ = c.Raw(1, []byte(all.String())) }() // the server may cut it off
	for r.answered+r.refused < n {
		m, err := c.Next()
		if err != nil {
			r.end = err
			break
		}
		switch {
		case m.Type == 7:
			if m.Error == nil || !m.AllowReconnect {
				t.Errorf("the Close is %+v, want an error and allowReconnect", m)
			}
		case m.Error != nil:
			if !strings.Contains(*m.Error, fmt.Sprint(rates.Messages)) {
				t.Errorf("the error does not name the limit: %s", *m.Error)
			}
			r.refused++
		default:
			if string(m.Result) != m.InvocationID {
				t.Errorf("completion %+v", m)
			}
			if rates.Mode != spoke.Reject && m.InvocationID != fmt.Sprint(r.answered) {
				t.Errorf("completion %s came as number %d", m.InvocationID, r.answered)
			}
			r.answered++
		}
	}
	r.took = time.Since(begin)
	if r.end == nil && int(ran.Load()) != r.answered {
		t.Errorf("%d calls ran, %d were answered", ran.Load(), r.answered)
	}
	return r
}

// TestRates sends 1,000 calls at once to a hub that takes 100 a second with a burst of 20.
func TestRates(t *testing.T) {
	t.Parallel()
	const calls, perSecond, burst = 1000, 100, 20
	rates := spoke.Rates{Messages: perSecond, MessagesBurst: burst, Mode: spoke.Wait}
	atMost := func(took time.Duration) int { return burst + int(took.Seconds()*perSecond) + 1 }
	t.Run("wait", func(t *testing.T) {
		t.Parallel()
		r := sendBurst(t, rates, calls)
		if r.answered != calls || r.refused != 0 {
			t.Errorf("%d answered, %d refused (%v): want all %d answered", r.answered, r.refused, r.end, calls)
		}
		// Not sooner than the rate allows; later only by the machine's noise.
		want := time.Duration(calls-burst) * time.Second / perSecond
		if r.took < want-10*time.Millisecond || r.took > want+3*time.Second {
			t.Errorf("took %v, want %v", r.took, want)
		}
	})
	rejecting := rates
	rejecting.Mode = spoke.Reject
	t.Run("reject", func(t *testing.T) {
		t.Parallel()
		r := sendBurst(t, rejecting, calls)
		if r.answered+r.refused != calls || r.answered < burst || r.answered > atMost(r.took) {
			t.Errorf("%d answered and %d refused in %v (%v)", r.answered, r.refused, r.took, r.end)
		}
	})
	closing := rates
	closing.Mode = spoke.Close
	t.Run("close", func(t *testing.T) {
		t.Parallel()
		r := sendBurst(t, closing, calls)
		var closed *hubtest.Closed
		if !errors.As(r.end, &closed) && !errors.Is(r.end, io.EOF) && !errors.Is(r.end, syscall.ECONNRESET) {
			t.Errorf("the end is %v, want a close", r.end)
		}
		if r.refused != 0 || r.answered > atMost(r.took) {
			t.Errorf("%d answered and %d refused in %v before the close", r.answered, r.refused, r.took)
		}
	})
}
