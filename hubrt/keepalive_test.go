package hubrt

import (
	"bytes"
	"errors"
	"os"
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

// pings reads pings, and wants nothing else, until a time.
func (c *client) pings(until time.Time) (at []time.Time) {
	c.t.Helper()
	const ping = `{"type":6}` + "\x1e"
	for {
		_ = c.nc.SetReadDeadline(until)
		buf := make([]byte, 100)
		n, err := c.nc.Read(buf)
		for c.got = append(c.got, buf[:n]...); bytes.HasPrefix(c.got, []byte(ping)); c.got = c.got[len(ping):] {
			at = append(at, time.Now())
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if len(c.got) > 0 {
				c.t.Fatalf("got %q", c.got)
			}
			return at
		case err != nil:
			c.t.Fatal(err)
		}
	}
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
	for name, first := range map[string]string{"a herd": "", "a herd of clients with an interval of their own": `{"type":6}`} {
		t.Run(name+" is spread", func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{}, func(r *rig) {
				h := r.hub(probe{}, Options{})
				var all []*client
				for range 60 {
					c := r.connect(h)
					if first != "" {
						c.send(first)
					}
					all = append(all, c)
				}
				time.Sleep(20 * time.Second) // of the bubble's time
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
	}
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
	t.Run("with those of the client", func(t *testing.T) {
		t.Parallel()
		for _, after := range []time.Duration{0, time.Millisecond, 700 * time.Millisecond, 8 * time.Second, 14 * time.Second, 15500 * time.Millisecond} {
			bubble(t, rigConfig{}, func(r *rig) {
				c := r.connect(r.hub(probe{}, Options{}))
				c.send(`{"type":6}`) // as the JavaScript client does
				time.Sleep(after)
				var times []time.Time // of our pings
				next := time.Now()
				for range 12 {
					c.send(`{"type":6}`)
					next = next.Add(15 * time.Second)
					times = append(times, c.pings(next)...)
				}
				if len(times) < 11 {
					t.Fatalf("%v after the handshake: %d pings in three minutes", after, len(times))
				}
				together := 0
				for i := 1; i < len(times); i++ {
					d := times[i].Sub(times[i-1])
					if d < 10*time.Second || d > 16*time.Second {
						t.Errorf("%v after the handshake: the interval is %v", after, d)
					}
					if next.Sub(times[i])%(15*time.Second) == 0 {
						together++
					}
				}
				if together < len(times)-3 {
					t.Errorf("%v after the handshake: %d of %d pings ride on the client's", after, together, len(times))
				}
				c.leave()
			})
		}
	})
	t.Run("not with each of a client that pings often", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			c := r.connect(r.hub(probe{}, Options{}))
			stop := time.Now().Add(time.Minute)
			pings := 0
			for time.Now().Before(stop) {
				c.send(`{"type":6}`)
				pings += len(c.pings(time.Now().Add(time.Second)))
			}
			if pings < 4 || pings > 6 {
				t.Errorf("%d pings a minute", pings)
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
