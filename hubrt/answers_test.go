package hubrt

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// TestOtherAnswersThatAreNotRead: what is answered without a worker, refusals and calls with streams, waits for room as well: a client that does not read is slowed down, keeps
// little memory, and is told everything when it reads.
func TestOtherAnswersThatAreNotRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		n      int
		record func(id string) string
		held   int // calls that are not answered
	}{
		{"unknown methods", 20_000, func(id string) string { return call1(id, "Nope") }, 0},
		{"plain methods called as streams", 20_000, func(id string) string { return stream4(id, "Long") }, 0},
		{"too many streams", 20_000, func(id string) string { return stream4(id, "Forever") }, 100},
		{"empty streams", 20_000, func(id string) string { return stream4(id, "Empty") }, 0},
		{"closed channels", 2_000, func(id string) string { return stream4(id, "Closed") }, 0},
		{"streams that are canceled", 10_000, func(id string) string { return stream4(id, "Forever") + "\x1e" + cancelCall(id) }, 0},
		{"channels that are canceled", 1_000, func(id string) string { return stream4(id, "Deaf") + "\x1e" + cancelCall(id) }, 0},
		{"uploads with long answers", 1_000, func(id string) string { return up1(id, "Take", []string{"u" + id}) + "\x1e" + end("u"+id) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				h := r.hub(newTicker(), Options{})
				handle(t, h, "Long", func() string { return longAnswer })
				handle(t, h, "Empty", func() iter.Seq[int] { return streams{}.seq(0) })
				handle(t, h, "Closed", func() <-chan int { return filled[int]() })
				handle(t, h, "Forever", func(ctx context.Context) iter.Seq[int] { return func(func(int) bool) { <-ctx.Done() } })
				handle(t, h, "Take", func(items iter.Seq[int]) string {
					for range items {
					}
					return longAnswer
				})
				c := r.connect(h)
				missing := map[string]bool{}
				for i := range tt.n {
					missing[fmt.Sprint(i)] = true
				}
				sent := make(chan error, 1)
				go func() {
					for i := range tt.n {
						if _, err := c.nc.Write([]byte(tt.record(fmt.Sprint(i)) + "\x1e")); err != nil {
							sent <- fmt.Errorf("call %d: %w", i, err)
							return
						}
					}
					sent <- nil
				}()
				synctest.Wait()
				c.on(func(hc *Conn) {
					out, in := c.link.conn.Buffered(), hc.box.bytes()
					if out > 64<<10+replyWindow+2*len(longAnswer) || in > hc.inputLimit()+2*callOverhead+minBuffer {
						t.Errorf("%d bytes wait to go out, %d wait of calls", out, in)
					}
					if l := hc.lively(); l != nil && l.under() > 100 {
						t.Errorf("%d streams are under way", l.under())
					}
				})
				for len(missing) > tt.held {
					rec, ok := c.read()
					if !ok {
						t.Fatalf("%.200s; %d are not answered", rec, len(missing))
					}
					var id string
					if _, err := fmt.Sscanf(rec, `{"type":3,"invocationId":%q`, &id); err != nil {
						if !strings.HasPrefix(rec, `{"type":6`) && !strings.HasPrefix(rec, `{"type":2`) {
							t.Fatalf("%.200s", rec)
						}
						continue
					}
					if !missing[id] {
						t.Fatalf("call %s is answered twice, or was never made: %.200s", id, rec)
					}
					delete(missing, id)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
				time.Sleep(lingerTime + time.Second)
				c.on(func(hc *Conn) {
					if hc.box != nil && tt.held == 0 {
						t.Errorf("%+v is left", hc.box)
					}
				})
				c.leave()
				synctest.Wait()
				checkEmpty(t, h)
			})
		})
	}
}

// TestAnswersThatAreNotAcknowledged: with stateful reconnect a client that reads, and acknowledges now and then, is told everything, however long it is.
func TestAnswersThatAreNotAcknowledged(t *testing.T) {
	t.Parallel()
	for _, uploads := range []bool{false, true} {
		t.Run(fmt.Sprintf("uploads %v", uploads), func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				h := r.hub(nil, resumes)
				handle(t, h, "Long", func() string { return longAnswer })
				handle(t, h, "Take", func(items iter.Seq[int]) string {
					for range items {
					}
					return longAnswer
				})
				s := r.connectStateful(h)
				n := 200 // four times StatefulMax
				if uploads {
					n = 100 // MaxStreams
				}
				missing := map[string]bool{}
				for i := range n {
					id := fmt.Sprint(i)
					missing[id] = true
					if uploads {
						s.send(up1(id, "Take", []string{"u" + id}), end("u"+id))
					} else {
						s.send(call1(id, "Long"))
					}
				}
				for i := range n {
					rec, ok := s.read()
					for ok && strings.HasPrefix(rec, `{"type":`) && !strings.HasPrefix(rec, `{"type":3`) {
						rec, ok = s.read()
					}
					var id string
					_, err := fmt.Sscanf(rec, `{"type":3,"invocationId":%q,"result":`, &id)
					if err != nil || !missing[id] || !uploads && id != fmt.Sprint(i) {
						t.Fatalf("answer %d is %.60s", i, rec)
					}
					delete(missing, id)
					s.send(ack(i + 1))
				}
				s.end()
			})
		})
	}
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
