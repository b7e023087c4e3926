package hubrt

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestParallelCallsAreBounded: with several calls at a time each is answered once, and never more run than are allowed; inline calls and calls without an id among them.
func TestParallelCallsAreBounded(t *testing.T) {
	t.Parallel()
	for _, most := range []int{2, 8} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(nil, Options{MaxParallelCalls: most})
				var running, peak, done atomic.Int32
				handle(t, h, "Work", func(ms int) int {
					n := running.Add(1)
					for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
					}
					time.Sleep(time.Duration(ms) * time.Millisecond)
					running.Add(-1)
					done.Add(1)
					return ms
				})
				if err := h.Handle("Quick", func(n int) int { return n }, inline); err != nil {
					t.Fatal(err)
				}
				c := r.connect(h)
				const n = 100
				missing := map[string]bool{}
				for i := range n {
					ms := fmt.Sprint(i * 7 % 50)
					id := fmt.Sprint(i)
					c.send(call1(id, "Work", ms), call1("", "Work", ms), `{"type":99}`, call1("q"+id, "Quick", id))
					missing[result(id, ms)] = true
					missing[result("q"+id, id)] = true
				}
				for len(missing) > 0 {
					rec, ok := c.read()
					if !ok || !missing[rec] {
						t.Fatalf("got %s, which is not awaited, or no longer", rec)
					}
					delete(missing, rec)
				}
				c.silent(time.Second)
				if p := peak.Load(); p != int32(most) {
					t.Errorf("%d ran at a time, want %d", p, most)
				}
				if d := done.Load(); d != 2*n {
					t.Errorf("%d calls ran, want %d", d, 2*n)
				}
				c.leave()
			})
		})
	}
}
