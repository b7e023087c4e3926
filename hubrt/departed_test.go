package hubrt

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeparted: connections that have gone and wait for the workers are counted, until their events have run.
func TestDeparted(t *testing.T) {
	t.Parallel()
	const n, most = 20, 15
	for name, connected := range map[string]bool{"for the disconnected event": false, "for the connected event": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{workers: 1, queue: 1, departed: most}, func(r *rig) {
				h := r.hub(nil, Options{})
				g := &gate{open: make(chan struct{})}
				handle(t, h, "Wait", g.Wait)
				var began, ended atomic.Int64
				if connected {
					h.OnConnected(func(*Context) error { began.Add(1); return nil })
				}
				h.OnDisconnected(func(*Context, error) error { ended.Add(1); return nil })
				blocked := r.connect(h)
				blocked.send(call1("1", "Wait", `"b"`))
				synctest.Wait()
				for i := range n {
					c := r.connect(h)
					c.leave()
					synctest.Wait()
					if got := r.rt.Stats().Departed; got != int64(i+1) || h.Crowded() != (i+1 >= most) {
						t.Errorf("%d have left, %d are counted; crowded: %v", i+1, got, h.Crowded())
					}
				}
				close(g.open)
				blocked.expect(result("1", `"b"`))
				synctest.Wait()
				if s := r.rt.Stats(); s.Departed != 0 || h.Crowded() || s.Connections != 1 {
					t.Errorf("crowded: %v, %+v", h.Crowded(), s)
				}
				want := int64(n)
				if connected {
					want = began.Load() - 1 // who left before a worker had seen it has no event at all
				}
				if ended.Load() != want {
					t.Errorf("%d events have run, want %d", ended.Load(), want)
				}
				blocked.leave()
			})
		})
	}
}

// TestDrainGivenUp: what has not begun when a drain is given up never begins, and is not counted for ever; what runs is counted until it ends.
func TestDrainGivenUp(t *testing.T) {
	t.Parallel()
	const n = 6
	for _, tt := range []struct {
		name     string
		blocks   string // what holds the only worker
		queue    int
		left     int64 // connections, while it does
		dropped  int64
		ran, end int64 // disconnected events that have begun, and that have ended at last
	}{
		{"in a method", "Wait", 1, 0, n, 0, 0},
		{"in a method, all queued", "Wait", 100, 0, n, 0, 0},
		{"in the disconnected event", "disconnected", 1, 1, n - 1, 1, 1},
		{"in the connected event", "connected", 1, 1, n, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{workers: 1, queue: tt.queue}, func(r *rig) {
				h := r.hub(nil, Options{})
				g := &gate{open: make(chan struct{})}
				handle(t, h, "Wait", g.Wait)
				var began, ended atomic.Int64
				h.OnDisconnected(func(*Context, error) error {
					began.Add(1)
					if tt.blocks == "disconnected" {
						<-g.open
					}
					ended.Add(1)
					return nil
				})
				if tt.blocks == "connected" {
					h.OnConnected(func(*Context) error { <-g.open; return nil })
				}
				var clients []*client
				for range n {
					clients = append(clients, r.connect(h))
					synctest.Wait()
				}
				if tt.blocks == "Wait" {
					clients[0].send(call1("1", "Wait", `"b"`))
					synctest.Wait()
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := r.rt.Drain(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the drain: %v", err)
				}
				if err := r.eng.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) && err != nil {
					t.Errorf("the engine: %v", err)
				}
				if err := r.rt.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the workers: %v", err)
				}
				synctest.Wait()
				s := r.rt.Stats()
				if s.Connections != tt.left || s.Departed != tt.left || s.CallsWaiting != 0 || began.Load() != tt.ran {
					t.Errorf("%d events have begun; left: %+v", began.Load(), s)
				}
				close(g.open)
				synctest.Wait()
				s = r.rt.Stats()
				if s.Connections != 0 || s.Departed != 0 || s.EventsDropped != tt.dropped || began.Load() != tt.ran || ended.Load() != tt.end || r.rt.busy.Load() != 0 {
					t.Errorf("at last %d events have begun, %d have ended; %d are busy; left: %+v", began.Load(), ended.Load(), r.rt.busy.Load(), s)
				}
				for _, c := range clients {
					_ = c.nc.Close()
				}
			})
		})
	}
}
