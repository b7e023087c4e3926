package ws

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// FuzzConn: a client that sends anything, cut anywhere, against a receiver that pauses, resumes, writes and closes as the bytes have
// it. Nothing panics, nothing is shown that must not be, and the end is told once.
func FuzzConn(f *testing.F) {
	for _, c := range rfcCases() {
		if whole := strings.Join(c.send, ""); len(whole) <= 1<<10 {
			f.Add([]byte(whole), uint64(len(whole)))
		}
	}
	e, err := engine.New(engine.Config{Backend: "memory", Loops: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := e.Shutdown(context.Background()); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1)) // loop
		recv := newReceiver(t)
		var paused bool // loop
		recv.payload = func(c *Conn, p []byte) {
			if paused {
				t.Error("OnPayload while paused")
			}
			switch rnd.IntN(8) {
			case 0:
				paused = true
				c.PauseRead()
				ref := c.Engine().Ref()
				ref.Loop().Post(engine.TaskFunc(func(*engine.Loop) {
					if paused = false; ref.Conn() != nil {
						c.ResumeRead()
					}
				}))
			case 1:
				c.PauseRead()
				c.ResumeRead()
			case 2:
				recv.done = true
				c.Close(uint16(rnd.IntN(6000)), engine.Aborted, nil)
			default:
				c.Write(rnd.IntN(2) == 0, p)
			}
		}
		sink, err := e.DialSink(func(ec *engine.Conn) engine.Handler { return NewConn(ec, nil, recv) })
		if err != nil {
			t.Fatal(err)
		}
		cuts := rand.New(rand.NewPCG(seed, 2))
		for len(in) > 0 {
			n := 1 + cuts.IntN(len(in))
			sink.Feed(in[:n])
			in = in[n:]
		}
		sink.CloseWrite()
		got := <-recv.ended
		if got.graceful == (got.code == closeAbnormal) {
			t.Errorf("closed with %+v", got)
		}
	})
}
