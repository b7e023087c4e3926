package hubrt

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

const closedWithError = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`

// ping waits for the server's next ping, and for how long.
func (c *client) ping() time.Duration {
	c.t.Helper()
	begun := time.Now()
	got, ok := c.read()
	if !ok || got != `{"type":6}` {
		c.t.Fatalf("got %s, want a ping", got)
	}
	return time.Since(begun)
}

func TestPings(t *testing.T) {
	t.Parallel()
	t.Run("default", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			for range 20 {
				c := r.connect(h)
				if d := c.ping(); d < 15*time.Second || d > 16*time.Second {
					t.Errorf("the first ping came after %v", d)
				}
				c.ping()
				for range 3 {
					c.send(call1("1", "Echo", `"traffic"`))
					begun := time.Now()
					got, _ := c.read()
					if got != result("1", `"traffic"`) {
						t.Fatal(got)
					}
					c.ping()
					if d := time.Since(begun); d != 15*time.Second {
						t.Errorf("the interval is %v", d)
					}
				}
				c.leave()
			}
		})
	})
	t.Run("a herd is spread", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			h := r.hub(probe{}, Options{})
			var all []*client
			for range 60 {
				all = append(all, r.connect(h))
			}
			time.Sleep(20 * time.Second)
			seconds := map[uint32]int{}
			for _, c := range all {
				c.on(func(hc *Conn) { seconds[hc.pingAt]++ })
			}
			for at, n := range seconds {
				if n > 20 {
					t.Errorf("%d of 60 pings fall into second %d", n, at)
				}
			}
			for _, c := range all {
				c.leave()
			}
		})
	})
	t.Run("every second", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{KeepAliveInterval: time.Second}))
			c.ping()
			for range 5 {
				if d := c.ping(); d != time.Second {
					t.Errorf("interval %v", d)
				}
			}
			c.leave()
		})
	})
	t.Run("none on long polling", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{}), func(p *Peer) { p.Transport = LongPolling })
			_ = c.nc.SetReadDeadline(time.Now().Add(time.Hour))
			if n, err := c.nc.Read(make([]byte, 100)); err == nil {
				t.Errorf("%d bytes", n)
			}
			c.leave()
		})
	})
}

func TestClientTimeout(t *testing.T) {
	t.Parallel()
	within := func(t *testing.T, begun time.Time) {
		t.Helper()
		if d := time.Since(begun); d < 2*time.Second || d > 3*time.Second {
			t.Errorf("after %v, want 2 to 3 s", d)
		}
	}
	opt := Options{ClientTimeout: 2 * time.Second}
	t.Run("silent after a ping", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			cause := make(chan error, 1)
			h := r.hub(probe{}, Options{ClientTimeout: 2 * time.Second, DetailedErrors: true})
			h.OnDisconnected(func(_ *Context, err error) error { cause <- err; return nil })
			c := r.connect(h)
			time.Sleep(1700 * time.Millisecond)
			c.send(`{"type":6}`)
			begun := time.Now()
			c.expect(`{"type":7,"error":"Connection closed with an error. OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval.","allowReconnect":true}`)
			within(t, begun)
			c.expectEnd(engine.ClientTimeout)
			if err := <-cause; err == nil {
				t.Error("no cause")
			}
		})
	})
	t.Run("never pinged", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, opt))
			c.silent(10 * time.Minute)
			c.send(call1("1", "Echo", `"x"`))
			c.expect(result("1", `"x"`))
			c.silent(10 * time.Minute)
			c.leave()
		})
	})
	t.Run("any message counts", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, opt))
			c.send(`{"type":6}`)
			for range 6 {
				c.silent(1500 * time.Millisecond)
				c.send(`{"type":5,"invocationId":"1"}`)
			}
			begun := time.Now()
			c.expect(closedWithError)
			within(t, begun)
			c.expectEnd(engine.ClientTimeout)
		})
	})
	t.Run("stands still while a call waits", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, opt))
			c.send(`{"type":6}`, call1("1", "Sleep", "4500"), call1("2", "Echo", `"x"`))
			c.expect(result("1", "4500"), result("2", `"x"`))
			begun := time.Now()
			c.expect(closedWithError)
			within(t, begun)
			c.expectEnd(engine.ClientTimeout)
		})
	})
	t.Run("stands still while reading is paused", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			g := &gate{open: make(chan struct{})}
			c := r.connect(r.hub(g, Options{ClientTimeout: 2 * time.Second, InputBuffer: 100}))
			c.send(`{"type":6}`, call1("1", "Wait", `"a"`), call1("2", "Wait", `"b"`))
			c.silent(time.Minute)
			close(g.open)
			c.expect(result("1", `"a"`), result("2", `"b"`), closedWithError)
			c.expectEnd(engine.ClientTimeout)
		})
	})
	t.Run("runs while a call runs and nothing waits", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, opt))
			c.send(`{"type":6}`, call1("1", "Sleep", "60000"))
			c.expect(closedWithError)
			c.expectEnd(engine.ClientTimeout)
			synctest.Wait()
		})
	})
}
