package hubrt

import (
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/spokehub/spoke/limits"
)

const pingRecord = `{"type":6}`

// TestMeters: only connections with buckets that are not full have meters, and they find their own.
func TestMeters(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(probe{}, Options{Rates: limits.Rates{Messages: 10, MessagesBurst: 20}, ClientTimeout: time.Hour, KeepAliveInterval: 10 * time.Second})
		s := &h.shards[0]
		var all []*client
		for range 6 {
			all = append(all, r.connect(h))
		}
		check := func(n int, want ...bool) {
			t.Helper()
			synctest.Wait()
			all[0].on(func(*Conn) {
				if len(s.meters) != n {
					t.Errorf("there are %d meters, want %d", len(s.meters), n)
				}
				for i, c := range all {
					hc := c.link.hub
					if got := hc.meter != 0; i < len(want) && got != want[i] {
						t.Errorf("connection %d has a meter: %v", i, got)
					}
					if hc.meter != 0 && s.meters[hc.meter-1].conn != hc {
						t.Errorf("connection %d has another's meter", i)
					}
				}
			})
		}
		check(0, false, false, false, false, false, false)
		all[0].send(pingRecord)
		all[1].send(pingRecord, pingRecord, pingRecord)
		all[2].send(pingRecord)
		check(3, true, true, true, false)
		time.Sleep(150 * time.Millisecond) // 0 and 2 are full again
		all[3].send(pingRecord)
		check(3, true, true, false, true) // the new one has paid for a look at two, which were 1 and 2
		all[1].leave()                    // takes its meter with it
		all[4].send(pingRecord)
		all[2].send(pingRecord, pingRecord)
		check(3, false)
		all = append(all[:1], all[2:]...)
		time.Sleep(21 * time.Second) // each has been pinged since
		check(0, false, false, false, false, false)
		for _, c := range all {
			c.leave()
		}
	})
}

// TestMetersAreFew: many clients that all send now and then have few meters at a time.
func TestMetersAreFew(t *testing.T) {
	t.Parallel()
	l, err := limits.NewLimiter(limits.Rates{Messages: 1000}, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Duration(0)
	s := &shard{hub: &Hub{limiter: l}}
	conns := make([]Conn, 10_000)
	most := 0
	for round := range 3 {
		for i := range conns { // each sends every second, and its bucket is full after a millisecond
			c := &conns[i]
			c.shard = s
			now += 100 * time.Microsecond
			if _, ok := s.takeAt(c, now, 10); !ok {
				t.Fatalf("round %d: connection %d was refused", round, i)
			}
			most = max(most, len(s.meters))
		}
	}
	if most > 40 {
		t.Errorf("%d connections had meters at a time, want about 20", most)
	}
	for i := range conns {
		conns[i].dropMeter()
	}
	if len(s.meters) != 0 {
		t.Errorf("%d meters are left", len(s.meters))
	}
}

func TestMeterSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(meter{}); n > 32 {
		t.Errorf("a meter has %d bytes, want at most 32", n)
	}
}
