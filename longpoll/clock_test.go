package longpoll

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// TestClock: each entry's deadline comes once, at its second or within one more, whatever others do meanwhile; and the clock stands while it has none.
func TestClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		due := make(map[int]uint32)
		var conns []*conn
		r.do(func() {
			for i := range 10 {
				v := &receiver{log: log{t: t}}
				c := newConn(r, v)
				v.due = func(now uint32) {
					if due[i] != 0 {
						t.Errorf("the deadline of %d came again", i)
					}
					due[i] = now
					switch i {
					case 3: // takes itself, and some that have and have not been looked at, off the list
						for _, j := range []int{3, 0, 9} {
							conns[j].end(engine.Shutdown, nil)
						}
					case 4: // goes on
						c.SetDeadline(0)
					case 5:
						due[i] = 0
						if now < 8 {
							c.SetDeadline(now + 2)
						}
					}
				}
				conns = append(conns, c)
				r.clock.add(c)
				c.SetDeadline(r.loop.Now() + uint32(i/2) + 1)
			}
			conns[8].SetDeadline(0) // none
		})
		start := r.now()
		time.Sleep(20 * time.Second) // of the bubble's time
		synctest.Wait()
		r.do(func() {
			for i, c := range conns {
				at, want := due[i], start+uint32(i/2)+1
				switch {
				case i == 0 || i == 5 || i == 9:
				case i == 8 && at != 0, i != 8 && (at < want || at > want+1):
					t.Errorf("entry %d was due at %d, want %d or one more", i, at, want)
				}
				c.end(engine.Shutdown, nil)
				c.end(engine.Shutdown, nil) // again: nothing
			}
			if due[9] != 0 {
				t.Error("one that had gone was told of its deadline")
			}
		})
		time.Sleep(2 * time.Second)
		r.do(func() {
			if r.clock.running || r.clock.entries != nil {
				t.Error("the clock runs on without entries")
			}
		})
		v := &receiver{log: log{t: t}}
		c := newConn(r, v)
		r.do(func() {
			r.clock.add(c)
			c.SetDeadline(r.loop.Now() + 1)
		})
		time.Sleep(3 * time.Second)
		v.want("deadline")
		r.do(func() { c.end(engine.Shutdown, nil) })
		time.Sleep(2 * time.Second)
	})
}

func (r *rig) now() (now uint32) {
	r.do(func() { now = r.loop.Now() })
	return now
}
