package ws

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

func counter(n int) string { return fmt.Sprintf("\x00\x00\x00\x00\x00\x00\x00%c", n) }

// TestKeepAlivePong: without a timeout, an empty pong at each interval.
func TestKeepAlivePong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: 10 * time.Second}, echo(t))
		begin := time.Now()
		for i := 1; i <= 3; i++ {
			p.expect("pong ")
			if d := time.Since(begin) - time.Duration(i)*10*time.Second; d < -time.Second || d > time.Second {
				t.Errorf("pong %d came %v away from its time", i, d)
			}
		}
		p.send(text("still here"))
		p.expect("text still here")
	})
}

func TestKeepAliveDefaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                         string
		cfg                          Config
		every, timeout, closeTimeout uint32
	}{
		{"zero value", Config{}, 120, 0, 5},
		{"off", Config{KeepAlive: -1, KeepAliveTimeout: -1, CloseTimeout: -1}, 0, 0, 5},
		{"rounded up", Config{KeepAlive: 1, KeepAliveTimeout: 1001 * time.Millisecond, CloseTimeout: 2500 * time.Millisecond}, 1, 2, 3},
		{"far away", Config{KeepAlive: 1 << 62, KeepAliveTimeout: 1 << 62, CloseTimeout: 1 << 62}, 1 << 30, 1 << 30, 1 << 30},
	} {
		if e, k, d := c.cfg.keepAlive(), c.cfg.keepAliveTimeout(), c.cfg.closeTimeout(); e != c.every || k != c.timeout || d != c.closeTimeout {
			t.Errorf("%s: every %d s, timeout %d s, close timeout %d s; want %d, %d, %d", c.name, e, k, d, c.every, c.timeout, c.closeTimeout)
		}
	}
}

// TestKeepAliveOff: silence for an hour.
func TestKeepAliveOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: -1}, echo(t))
		time.Sleep(time.Hour)
		p.silent()
	})
}

// TestKeepAlivePing: with a timeout, pings that count from 1; a peer that answers each lives on, whatever else it sends.
func TestKeepAlivePing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: 10 * time.Second, KeepAliveTimeout: 3 * time.Second}, echo(t))
		for i := 1; i <= 5; i++ {
			p.expect("ping " + counter(i))
			p.send(pongF(""), pongF(counter(i)), pongF("whatever"))
		}
		p.send(text("still here"))
		p.expect("text still here")
	})
}

// TestPongLate: no pong, or only others, and TCP is reset when the time is over.
func TestPongLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, answer string }{
		{"nothing", ""},
		{"other pongs", pongF("") + pongF(counter(2)) + pongF("12345678")},
		{"only data", text("I am alive")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				recv := newReceiver(t)
				p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: 10 * time.Second, KeepAliveTimeout: 3 * time.Second}, recv)
				p.expect("ping " + counter(1))
				begin := time.Now()
				p.send(c.answer)
				got := <-recv.ended
				if want := (closed{engine.WebSocketTimeout, false, 1006, errPongLate}); got != want {
					t.Errorf("closed with %+v, want %+v", got, want)
				}
				if d := time.Since(begin); d < 3*time.Second || d > 5*time.Second {
					t.Errorf("closed after %v, want 3 to 5 s", d)
				}
				p.expect("reset")
			})
		})
	}
}

// TestPongWhilePaused: the pong of a peer that we do not read is not late; once we read again, it has its time.
func TestPongWhilePaused(t *testing.T) {
	t.Parallel()
	for _, answers := range []bool{true, false} {
		t.Run(fmt.Sprintf("answers %v", answers), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				recv := newReceiver(t)
				p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: 10 * time.Second, KeepAliveTimeout: 3 * time.Second}, recv)
				p.loop((*Conn).PauseRead)
				p.expect("ping " + counter(1))
				if answers {
					p.send(pongF(counter(1)))
				}
				time.Sleep(time.Minute)
				p.silent() // no second ping before the first one's pong
				p.loop((*Conn).ResumeRead)
				if answers {
					p.expect("ping " + counter(2))
					return
				}
				begin := time.Now()
				if got := <-recv.ended; got.reason != engine.WebSocketTimeout {
					t.Errorf("closed with %+v, want reason %v", got, engine.WebSocketTimeout)
				}
				if d := time.Since(begin); d < 3*time.Second || d > 5*time.Second {
					t.Errorf("closed %v after reading began again, want 3 to 5 s", d)
				}
			})
		})
	}
}

// TestCloseTimeout: a peer that does not answer our close frame is cut off, and pings it no more.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	for _, why := range []error{nil, errors.New("why")} {
		synctest.Test(t, func(t *testing.T) {
			recv := newReceiver(t)
			p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: time.Second, KeepAliveTimeout: time.Second}, recv)
			begin := time.Now()
			p.loop(func(c *Conn) {
				recv.done = true
				c.Close(1000, engine.Shutdown, why)
			})
			p.expect("close 1000")
			p.send(text("not an answer"), ping("neither"))
			got := <-recv.ended
			if want := (closed{engine.Shutdown, false, 1006, why}); why != nil && got != want {
				t.Errorf("closed with %+v, want %+v", got, want)
			}
			if why == nil && !errors.Is(got.err, errCloseLate) {
				t.Errorf("closed with %+v, want error %v", got, errCloseLate)
			}
			if d := time.Since(begin); d < 5*time.Second || d > 7*time.Second {
				t.Errorf("closed after %v, want 5 to 7 s", d)
			}
			p.expect("reset")
		})
	}
}

// TestDeadlines: the receiver's deadline and the layer's own do not get in each other's way.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fired := make(chan uint32, 10)
		recv := newReceiver(t)
		recv.deadline = func(c *Conn, now uint32) {
			fired <- now
			if now < 20 {
				c.SetDeadline(now + 6)
			}
		}
		p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: 4 * time.Second}, recv)
		var start uint32
		p.loop(func(c *Conn) {
			start = c.Engine().Loop().Now()
			c.SetDeadline(start + 6)
		})
		pongs := 0
		for want := start + 6; want <= 24; want += 6 {
			if got := <-fired; got < want || got > want+1 {
				t.Fatalf("deadline at %d, want %d", got, want)
			} else {
				want = got
			}
		}
		for range 5 {
			p.expect("pong ")
			pongs++
		}
		p.loop(func(c *Conn) { c.SetDeadline(c.Engine().Loop().Now() + 5) })
		p.loop(func(c *Conn) { c.SetDeadline(0) })
		time.Sleep(time.Minute)
		select {
		case now := <-fired:
			t.Errorf("a cleared deadline came, at %d", now)
		default:
		}
	})
}

// predecessor is a handler that hands over to a Conn, as that of an HTTP request does.
type predecessor struct {
	engine.Handler
	cfg  *Config
	recv Receiver
	made chan *Conn
}

func (h *predecessor) OnData(ec *engine.Conn, _ []byte) int {
	c := NewConn(ec, h.cfg, h.recv)
	c.SetDeadline(ec.Loop().Now() + 3)
	ec.SetHandler(c)
	h.made <- c
	return 1
}

// TestTakeOver: bytes behind the head and deadlines set before the handler changes are not lost.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fired := make(chan struct{})
		recv := newReceiver(t)
		recv.deadline = func(*Conn, uint32) { close(fired) }
		h := &predecessor{cfg: &Config{KeepAlive: 10 * time.Second}, recv: recv, made: make(chan *Conn, 1)}
		nc, err := newEngine(t, engine.Config{}).Dial(func(*engine.Conn) engine.Handler { return h })
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{t: t, nc: nc}
		p.send("!" + ping("behind the head"))
		p.conn = <-h.made
		p.expect("pong behind the head")
		<-fired
		p.expect("pong ")
		_ = nc.Close()
		<-recv.ended
	})
}

// TestDeadlineAfterClose: the receiver's deadline is served while the peer's close frame is awaited.
func TestDeadlineAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fired := make(chan struct{})
		recv := newReceiver(t)
		recv.deadline = func(*Conn, uint32) { close(fired) }
		p := connect(t, newEngine(t, engine.Config{}), nil, recv)
		p.loop(func(c *Conn) {
			recv.done = true
			c.Close(1000, engine.Aborted, nil)
			c.SetDeadline(c.Engine().Loop().Now() + 2)
		})
		<-fired
		p.send(closing(1000, ""))
		p.expect("close 1000", "eof")
	})
}

// TestPingFlood: a peer that sends pings and reads nothing costs pongRoom and one pong; when it reads at last, its most recent ping is
// answered.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recv := newReceiver(t)
		e := newEngine(t, engine.Config{})
		p := connect(t, e, &Config{KeepAlive: -1}, recv)
		const pings = 40_000
		full := strings.Repeat("x", 119)
		for i := range pings {
			p.send(ping(fmt.Sprintf("%s%06d", full, i)))
		}
		synctest.Wait()
		p.loop(func(c *Conn) {
			if got := c.Engine().Buffered(); got > pongRoom {
				t.Errorf("%d bytes wait to go out, at most %d may", got, pongRoom)
			}
		})
		want := fmt.Sprintf("pong %s%06d", full, pings-1)
		seen := 0
		for got := p.next(); got != want; got = p.next() {
			if seen++; seen > pings || !strings.HasPrefix(got, "pong "+full) {
				t.Fatalf("got %q after %d pongs", got, seen)
			}
		}
		if seen == pings-1 {
			t.Error("every ping was answered, so the bound was not reached")
		}
		p.send(ping("one more"))
		p.expect("pong one more")
		p.silent()
	})
}

// TestPingFloodForever: however long it goes on, and though a pong that waits gets its chance each second, no more than pongRoom waits.
func TestPingFloodForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newEngine(t, engine.Config{}), &Config{KeepAlive: -1}, newReceiver(t))
		burst := strings.Repeat(ping(strings.Repeat("x", 125)), 1000)
		for range 30 {
			p.send(burst)
			time.Sleep(time.Second)
			p.loop(func(c *Conn) {
				if got := c.Engine().Buffered(); got > pongRoom {
					t.Fatalf("%d bytes wait to go out, at most %d may", got, pongRoom)
				}
			})
		}
	})
}

// TestPingAfterFlood: once a more recent ping has been answered, the pong that waited is not sent any more.
func TestPingAfterFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink, s := steps(t, engine.Config{}, newReceiver(t), "")
		sink.Stall(true)
		sink.Feed([]byte(strings.Repeat(ping(strings.Repeat("x", 125)), 1000)))
		synctest.Wait()
		s.on(func(c *Conn) {
			if !c.pongWaits() {
				t.Error("no pong waits")
			}
		})
		sink.Stall(false)
		synctest.Wait()
		sink.Feed([]byte(ping("")))
		synctest.Wait()
		got := sink.Bytes()
		time.Sleep(10 * time.Second)
		s.on(func(c *Conn) {
			if more := sink.Bytes() - got; more != 0 || c.pongWaits() {
				t.Errorf("%d more bytes were sent, a pong waits: %v", more, c.pongWaits())
			}
		})
	})
}

// TestKeepAliveBehindBacklog: a peer that takes nothing is not given pongs on top.
func TestKeepAliveBehindBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink, s := steps(t, engine.Config{}, newReceiver(t), "")
		sink.Stall(true)
		s.on(func(c *Conn) { c.Write(false, []byte("waits")) })
		time.Sleep(time.Hour)
		s.on(func(c *Conn) {
			if got, want := c.Engine().Buffered(), len("waits")+2; got != want {
				t.Errorf("%d bytes wait to go out, want %d", got, want)
			}
		})
	})
}

// TestPingsAmongData: pings of a client that reads are all answered, in order, however many there are over time.
func TestPingsAmongData(t *testing.T) {
	t.Parallel()
	p := connect(t, newEngine(t, engine.Config{}), nil, echo(t))
	for round := range 20 {
		var burst strings.Builder
		for i := range 500 {
			burst.WriteString(text("t") + ping(fmt.Sprint(round, i)))
		}
		p.send(burst.String())
		for i := range 500 {
			p.expect("text t", "pong "+fmt.Sprint(round, i))
		}
	}
}
