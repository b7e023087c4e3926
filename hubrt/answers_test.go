package hubrt

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/spokehub/spoke/hubrt/method"
)

// longAnswer is what a client of 100 bytes is told.
var longAnswer = strings.Repeat("x", 20_000)

// TestAnswersThatAreNotRead: of a client that does not read, so many calls run as their answers have room; the others wait, also for a worker that could run them. What is no call is
// heard meanwhile, and a client that has read is told the rest, in order.
func TestAnswersThatAreNotRead(t *testing.T) {
	t.Parallel()
	for _, inlined := range []bool{false, true} {
		for _, parallel := range []int{1, 4} {
			t.Run(fmt.Sprintf("inline %v, %d at a time", inlined, parallel), func(t *testing.T) {
				t.Parallel()
				bubble(t, rigConfig{loops: 1}, func(r *rig) {
					h := r.hub(nil, Options{MaxParallelCalls: parallel})
					var ran, canceled atomic.Int32
					answer := func() string { ran.Add(1); return longAnswer }
					if err := h.Handle("Long", answer, method.Options{Inline: inlined}); err != nil {
						t.Fatal(err)
					}
					handle(t, h, "Wait", func(ctx context.Context) {
						<-ctx.Done()
						canceled.Add(1)
					})
					c := r.connect(h)
					const n = 200
					for i := range n {
						c.send(call1(fmt.Sprint(i), "Long"))
					}
					synctest.Wait()
					// In the pipe, over the cap, and under way: a worker's share and the answers of those at a time.
					most := (256<<10+64<<10+replyWindow)/len(longAnswer) + parallel + 1
					if ran := int(ran.Load()); ran > most || ran < 64<<10/len(longAnswer) {
						t.Fatalf("%d calls have run of a client that reads nothing, want at most %d", ran, most)
					}
					c.send(call1("w", "Wait"), `{"type":6}`, `{"type":5,"invocationId":"w"}`)
					missing := map[string]bool{"w": true}
					for i := range n {
						missing[fmt.Sprint(i)] = true
					}
					for i := range n + 1 {
						rec, ok := c.read()
						for ok && rec == `{"type":6}` {
							rec, ok = c.read()
						}
						var id string
						if _, err := fmt.Sscanf(rec, `{"type":3,"invocationId":%q`, &id); err != nil || !missing[id] || parallel == 1 && i < n && id != fmt.Sprint(i) {
							t.Fatalf("answer %d is %.60s, %v", i, rec, err)
						}
						delete(missing, id)
					}
					if canceled.Load() != 1 {
						t.Error("the cancel was not heard")
					}
					c.on(func(hc *Conn) {
						if hc.box != nil {
							t.Errorf("%+v is left", hc.box)
						}
					})
					c.leave()
				})
			})
		}
	}
}

// TestAnswersThatAreNotAcknowledged: with stateful reconnect a client that reads, and acknowledges now and then, is told everything, however long it is.
func TestAnswersThatAreNotAcknowledged(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(nil, resumes)
		handle(t, h, "Long", func() string { return longAnswer })
		s := r.connectStateful(h)
		const n = 200 // four times StatefulMax
		for i := range n {
			s.send(call1(fmt.Sprint(i), "Long"))
		}
		for i := range n {
			rec, ok := s.read()
			for ok && strings.HasPrefix(rec, `{"type":`) && !strings.HasPrefix(rec, `{"type":3`) {
				rec, ok = s.read()
			}
			if !strings.HasPrefix(rec, fmt.Sprintf(`{"type":3,"invocationId":"%d",`, i)) {
				t.Fatalf("answer %d is %.60s", i, rec)
			}
			s.send(ack(i + 1))
		}
		s.end()
	})
}

// TestAnswersNobodyTakes: a client that goes, or is cut off, while its calls wait leaves nothing behind.
func TestAnswersNobodyTakes(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, workers: 1}, func(r *rig) {
		h := r.hub(nil, Options{})
		handle(t, h, "Long", func() string { return longAnswer })
		for range 5 {
			c := r.connect(h)
			for i := range 100 {
				c.send(call1(fmt.Sprint(i), "Long"))
			}
			synctest.Wait()
			c.leave()
		}
		c := r.connect(h) // the worker is free
		c.send(call1("a", "Long"))
		c.expect(result("a", `"`+longAnswer+`"`))
		c.leave()
	})
}
