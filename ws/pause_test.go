package ws

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/spokehub/spoke/engine"
)

// TestCloseWhilePaused: Close ends a pause, since the answer may stand behind what nobody has read.
func TestCloseWhilePaused(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	got := make(chan string, 1)
	recv.payload = func(c *Conn, p []byte) {
		c.PauseRead()
		got <- string(p)
	}
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("one") + text("two") + closing(1000, ""))
	if s := <-got; s != "one" {
		t.Errorf("got %q", s)
	}
	p.loop(func(c *Conn) {
		recv.done = true
		c.Close(1000, engine.Aborted, nil)
	})
	p.expect("close 1000", "eof")
	if got, want := <-recv.ended, (closed{engine.Aborted, true, 1000, nil}); got != want {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
}

// TestDrain: the engine's OnDrain is passed on while the WebSocket is open.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		t.Run(fmt.Sprintf("open %v", open), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				drained := 0
				recv := newReceiver(t)
				recv.drain = func(*Conn) { drained++ }
				sink, s := steps(t, engine.Config{Outbound: 1000}, recv, "")
				sink.Stall(true)
				s.on(func(c *Conn) {
					for range 3 { // the first one counts as the frame being written
						c.Send(engine.NewFrame(append(AppendHeader(nil, true, 1000), make([]byte, 1000)...), 4))
					}
				})
				synctest.Wait()
				s.on(func(c *Conn) {
					if c.Write(true, nil); !open { // and over the cap
						recv.done = true
						c.Close(1000, engine.Aborted, nil)
					}
				})
				synctest.Wait()
				sink.Stall(false)
				synctest.Wait()
				s.on(func(*Conn) {
					if want := map[bool]int{true: 1}[open]; drained != want {
						t.Errorf("OnDrain was called %d times, want %d", drained, want)
					}
				})
			})
		})
	}
}

// TestPause: a pause within OnPayload holds from the next piece on, for control frames too, and nothing is lost or reordered.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		recv := newReceiver(t)
		recv.payload = func(c *Conn, p []byte) {
			got = append(got, string(p))
			c.PauseRead()
		}
		p := connect(t, newEngine(t, engine.Config{}), nil, recv)
		p.send(text("one") + ping("p") + text("two"))
		p.silent()
		p.loop(func(*Conn) {
			if want := []string{"one"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
		p.send(text("three"))
		p.loop((*Conn).ResumeRead)
		p.expect("pong p")
		p.silent()
		p.loop(func(c *Conn) {
			if want := []string{"one", "two"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			c.ResumeRead()
			c.ResumeRead()
		})
		synctest.Wait()
		p.loop(func(c *Conn) {
			if want := []string{"one", "two", "three"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			c.ResumeRead()
		})
		p.send(closing(1000, ""))
		p.expect("close 1000", "eof")
	})
}

// TestPauseAndResumeWithin: a pause that is over before OnPayload returns changes nothing.
func TestPauseAndResumeWithin(t *testing.T) {
	t.Parallel()
	recv := echo(t)
	inner := recv.payload
	recv.payload = func(c *Conn, p []byte) {
		c.PauseRead()
		inner(c, p)
		c.ResumeRead()
	}
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("one") + first("tw") + last("o") + closing(1000, ""))
	p.expect("text onetwo", "close 1000", "eof") // the echoes of one iteration are one message
}

// TestPauseBeforeFault: a fault inside a piece ends the connection even if the receiver has paused at what stood before it.
func TestPauseBeforeFault(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	recv.payload = func(c *Conn, _ []byte) { c.PauseRead() }
	p := connect(t, newEngine(t, engine.Config{}), nil, recv)
	p.send(text("good\xff"))
	p.expect("close 1007", "eof")
	if got, want := <-recv.ended, (closed{engine.WebSocketProtocol, false, 1006, faultText}); got != want {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
}
