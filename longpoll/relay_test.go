package longpoll

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/engine"
)

// writer is a ResponseWriter whose client reads when it is told to. Like that of HTTP/2, it minds a write deadline also while nothing is being written.
type writer struct {
	header   http.Header
	status   int
	got      bytes.Buffer
	writes   []int
	slow     chan struct{} // nil: takes all at once; else one write for each value
	broken   error
	deadline *time.Timer
	late     chan struct{} // closed when the deadline has passed
	flushes  int
}

func (w *writer) Header() http.Header    { return w.header }
func (w *writer) WriteHeader(status int) { w.status = status }
func (w *writer) FlushError() error      { w.flushes++; return nil }

func (w *writer) Write(p []byte) (int, error) {
	if w.slow != nil && w.got.Len() >= len(Hello) {
		select {
		case <-w.slow:
		case <-w.late:
		}
	}
	select {
	case <-w.late:
		return 0, os.ErrDeadlineExceeded
	default:
	}
	if w.broken != nil {
		return 0, w.broken
	}
	w.writes = append(w.writes, len(p))
	return w.got.Write(p)
}

func (w *writer) SetWriteDeadline(at time.Time) error {
	if w.deadline != nil {
		w.deadline.Stop()
		w.deadline = nil
	}
	if !at.IsZero() {
		w.deadline = time.AfterFunc(time.Until(at), func() { close(w.late) })
	}
	return nil
}

// relaying is a relay with its writer, and the goroutine of its request.
type relaying struct {
	*rig
	*receiver
	r     *Relay
	w     *writer
	leave context.CancelFunc
	done  chan any // what Serve panicked with
}

func relayBubble(t *testing.T, limits Limits, slow bool, setup func(w *writer), f func(p *relaying)) {
	t.Helper()
	bubble(t, func(r *rig) {
		limits = limits.Defaults()
		w := &writer{header: make(http.Header), late: make(chan struct{})}
		if slow {
			w.slow = make(chan struct{}, 1)
		}
		setup(w)
		p := &relaying{rig: r, receiver: &receiver{log: log{t: t}}, w: w, done: make(chan any, 1)}
		p.r = NewRelay(r.clock, p.receiver, &limits, 10*time.Second)
		ctx, leave := context.WithCancel(context.Background())
		p.leave = leave
		r.do(p.r.Begin)
		go func() {
			defer func() { p.done <- recover() }()
			p.r.Serve(ctx, w)
		}()
		synctest.Wait()
		f(p)
		leave()
		synctest.Wait()
		if p.receiver.closed != 1 {
			t.Errorf("OnClosed was called %d times", p.receiver.closed)
		}
		time.Sleep(2 * time.Second) // the clock stands
	})
}

// ended checks how Serve has ended: nil is a return.
func (p *relaying) ended(want any) {
	p.receiver.t.Helper()
	synctest.Wait()
	select {
	case got := <-p.done:
		if got != want {
			p.receiver.t.Errorf("Serve ended with %v, want %v", got, want)
		}
	default:
		p.receiver.t.Error("Serve goes on")
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	relayBubble(t, Limits{}, false, func(*writer) {}, func(p *relaying) {
		if p.w.status != 200 || p.w.got.String() != Hello || p.w.flushes != 1 || p.w.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("it began with %d %q %v, flushed %d times", p.w.status, p.w.got.String(), p.w.header, p.w.flushes)
		}
		own := []byte("own\x1e")
		p.do(func() {
			p.r.Send(frame("shared\x1e"))
			p.r.Write(own)
			clear(own)
			p.r.SetDeadline(p.r.Loop().Now() + 60)
		})
		time.Sleep(62 * time.Second) // far over the write deadline
		p.want("deadline")
		p.do(func() {
			p.r.Send(frame("last\x1e"))
			p.r.End(engine.ClientClosed, nil)
			p.r.End(engine.Shutdown, nil)
			p.r.Send(frame("never\x1e"))
		})
		p.want("closed client-closed")
		p.ended(nil)
		if want := Hello + "data: shared\x1e\r\n\r\ndata: own\x1e\r\n\r\ndata: last\x1e\r\n\r\n"; p.w.got.String() != want {
			t.Errorf("got %q, want %q", p.w.got.String(), want)
		}
		if p.w.deadline != nil {
			t.Error("a deadline is left, which would end the next answer on the connection")
		}
	})
}

func TestRelayEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("the pipe is broken")
	for _, tt := range []struct {
		name string
		slow bool
		act  func(p *relaying)
		want string
		with any
	}{
		{"the client is gone", false, func(p *relaying) { p.leave() }, "closed peer-closed", nil},
		{"writing fails", false, func(p *relaying) { p.w.broken = broken; p.do(func() { p.r.Write([]byte("x")) }) }, "closed io-error: the pipe is broken", nil},
		{"the first write fails", false, func(*relaying) {}, "closed io-error: the pipe is broken", nil},
		{"the client takes nothing for the send timeout", true, func(p *relaying) {
			p.do(func() { p.r.Write([]byte("x")) })
			time.Sleep(11 * time.Second)
		}, "closed send-timeout: i/o timeout", nil},
		{"... and the hub ends it meanwhile", true, func(p *relaying) {
			p.do(func() { p.r.Write([]byte("x")); p.r.Write([]byte("y")) })
			p.do(func() { p.r.End(engine.ClientClosed, nil) })
			time.Sleep(11 * time.Second)
		}, "closed send-timeout: i/o timeout", nil},
		{"failed", false, func(p *relaying) { p.do(func() { p.r.Write([]byte("x")); p.r.Fail(broken); p.r.Write([]byte("y")) }) }, "closed internal-error: the pipe is broken", http.ErrAbortHandler},
		{"cut off", false, func(p *relaying) { p.do(func() { p.r.Close(engine.Shutdown, nil); p.r.Close(engine.IOError, nil) }) }, "closed shutdown", http.ErrAbortHandler},
		{"cut off while it writes", true, func(p *relaying) {
			p.do(func() { p.r.Write([]byte("x")) })
			p.do(func() { p.r.Close(engine.Shutdown, nil) })
			p.w.slow <- struct{}{}
		}, "closed shutdown", http.ErrAbortHandler},
		{"the loop stops", false, func(p *relaying) { p.clock.Stop() }, "closed shutdown", http.ErrAbortHandler},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			setup := func(w *writer) {
				if tt.name == "the first write fails" {
					w.broken = broken
				}
			}
			relayBubble(t, Limits{}, tt.slow, setup, func(p *relaying) {
				tt.act(p)
				p.want(tt.want)
				p.ended(tt.with)
			})
		})
	}
}

// TestRelaySlow: what a slow client has not taken yet is bounded; there is room again, and the hub is told of it, when half has gone; and who takes some is not taken for dead.
func TestRelaySlow(t *testing.T) {
	t.Parallel()
	piece := bytes.Repeat([]byte("x"), maxWrite)
	relayBubble(t, Limits{Outbound: 4 * maxWrite, OwnedMax: 2 * maxWrite, FramesMax: 8}, true, func(*writer) {}, func(p *relaying) {
		room := func() (room bool) {
			p.do(func() { room = p.r.Room() })
			return room
		}
		p.do(func() { p.r.Write(piece) })
		for range 4 {
			p.do(func() { p.r.Send(engine.NewFrame(piece, 0)) })
		}
		if room() {
			t.Error("there is room over the cap")
		}
		for i, want := range []bool{true, true, true} {
			time.Sleep(9 * time.Second) // below the time for a write, each
			p.w.slow <- struct{}{}
			synctest.Wait()
			if got := room(); got != want {
				t.Errorf("after %d writes there is room: %v", i+1, got)
			}
		}
		p.want("drain")
		p.do(func() { p.r.Write(piece); p.r.Write(piece) }) // the first one of its own has left, so two more may wait
		p.want()
		p.do(func() { p.r.Write([]byte("x")) }) // with small ones behind them
		p.want()
		p.do(func() { p.r.Write(piece) }) // and the one that passes the limit
		p.want()
		p.do(func() { p.r.Write([]byte("y")) })
		p.want("closed outbound-overflow: longpoll: 3 pieces of the connection's own of more than 16384 bytes each wait to go out, at most 2 may")
		p.w.slow <- struct{}{}
		p.ended(http.ErrAbortHandler)
		for _, n := range p.w.writes {
			if n > maxWrite+16 {
				t.Errorf("a write has %d bytes", n)
			}
		}
	})
	for name, act := range map[string]func(r *Relay){
		"bytes":  func(r *Relay) { r.Send(engine.NewFrame(piece, 0)); r.Send(frame("x")); r.Send(frame("y")) },
		"frames": func(r *Relay) { r.Send(frame("1")); r.Send(frame("2")); r.Send(frame("3")) },
	} {
		relayBubble(t, Limits{OutboundMax: maxWrite, FramesMax: 2}, true, func(*writer) {}, func(p *relaying) {
			p.do(func() { act(p.r) })
			if len(p.lines) != 1 {
				t.Errorf("%s: %q", name, p.lines)
			}
			p.w.slow <- struct{}{}
			p.ended(http.ErrAbortHandler)
		})
	}
}
