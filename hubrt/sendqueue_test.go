package hubrt

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spokehub/spoke/engine"
)

// block holds a loop until the function that it returns is called.
func (r *rig) block(loop int) (release func()) {
	r.t.Helper()
	held, free := make(chan struct{}), make(chan struct{})
	r.eng.Loops()[loop].Post(engine.TaskFunc(func(*engine.Loop) { close(held); <-free }))
	<-held
	return sync.OnceFunc(func() { close(free) })
}

// TestSendQueue: a sender that is faster than a loop gets errors once the loop's queue is full, memory stays within it, and what was accepted arrives.
func TestSendQueue(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	pad := strings.Repeat("x", 400)
	for _, tt := range []struct {
		name string
		send func(h *Hub, id string) error
	}{
		{"all", func(h *Hub, _ string) error { return h.Clients().All().Send("message", pad) }},
		{"except", func(h *Hub, _ string) error { return h.Clients().AllExcept(ID{99}.String()).Send("message", pad) }},
		{"client", func(h *Hub, id string) error { return h.Clients().Client(id).Send("message", pad) }},
		{"clients", func(h *Hub, id string) error { return h.Clients().Clients(id).Send("message", pad) }},
		{"group", func(h *Hub, _ string) error { return h.Clients().Group("g").Send("message", pad) }},
		{"groups", func(h *Hub, _ string) error { return h.Clients().Groups("g", "none").Send("message", pad) }},
		{"user", func(h *Hub, _ string) error { return h.Clients().User("u").Send("message", pad) }},
		{"users", func(h *Hub, _ string) error { return h.Clients().Users("u", "none").Send("message", pad) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1, sends: limit}, func(r *rig) {
				h := r.hub(nil, Options{})
				c := r.connect(h, asUser("u"))
				id := c.id.String()
				if err := h.Groups().Add(id, "g"); err != nil {
					t.Fatal(err)
				}
				c.on(func(*Conn) {})
				release := r.block(0)
				defer release()
				sent := 0
				var err error
				for ; err == nil && sent < limit; sent++ {
					err = tt.send(h, id)
				}
				sent-- // the last was refused
				if !errors.Is(err, ErrSendQueueFull) || !strings.Contains(err.Error(), "20000") {
					t.Fatalf("after %d messages: %v, want ErrSendQueueFull with its limit", sent, err)
				}
				if s := r.rt.Stats(); s.SendsRefused != 1 || s.SendBytes <= limit || s.SendBytes > limit+1<<10 {
					t.Errorf("%d messages, %d bytes wait and %d sends are refused; want little more than %d, and 1", sent, s.SendBytes, s.SendsRefused, limit)
				}
				if sent < 10 || sent > limit/400 {
					t.Errorf("%d messages were taken", sent)
				}
				if err := h.Groups().Add(id, "another"); !errors.Is(err, ErrSendQueueFull) {
					t.Errorf("join: %v, want ErrSendQueueFull", err)
				}
				if err := h.Groups().Remove(id, "g"); err != nil {
					t.Errorf("leave: %v; it must never fail, as it cannot be told again", err)
				}
				release()
				for range sent {
					c.expect(message("message", `"`+pad+`"`))
				}
				if err := h.Groups().Add(id, "g"); err != nil {
					t.Error(err)
				}
				if err := tt.send(h, id); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				c.expect(message("message", `"`+pad+`"`))
				if s := r.rt.Stats(); s.SendBytes != 0 {
					t.Errorf("%d bytes are left in the queue", s.SendBytes)
				}
				c.leave()
			})
		})
	}
}

// TestSendQueueIsLoggedOnceASecond: a flood of refused sends is no flood of log lines.
func TestSendQueueIsLoggedOnceASecond(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1, sends: 1}, func(r *rig) {
		h := r.hub(nil, Options{})
		c := r.connect(h)
		release := r.block(0)
		defer release()
		for range 3 {
			for range 101 {
				_ = h.Clients().All().Send("message")
			}
			time.Sleep(time.Second)
		}
		if n := strings.Count(r.log.String(), `level=WARN msg="sends are refused: the send queue is full"`); n != 3 {
			t.Errorf("%d warnings for 302 refused sends in 3 seconds, want 3", n)
		}
		release()
		c.expect(message("message"))
		c.leave()
	})
}

// TestSendQueueIsOfOneLoop: a loop that lags does not keep others from being sent to, and a broadcast reaches all loops or none.
func TestSendQueueIsOfOneLoop(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 2, sends: 1}, func(r *rig) {
		h := r.hub(nil, Options{})
		a, b := r.connect(h), r.connect(h)
		if a.link.conn.Loop() == b.link.conn.Loop() {
			t.Fatal("both are on one loop")
		}
		release := r.block(a.link.conn.Loop().Index())
		defer release()
		if err := h.Clients().Client(a.id.String()).Send("first"); err != nil {
			t.Fatal(err) // an empty queue takes one message, whatever its size
		}
		if err := h.Clients().Client(b.id.String()).Send("first"); err != nil {
			t.Error(err)
		}
		if err := h.Clients().All().Send("all"); !errors.Is(err, ErrSendQueueFull) {
			t.Errorf("broadcast: %v, want ErrSendQueueFull", err)
		}
		b.expect(message("first"))
		release()
		a.expect(message("first"))
		for _, c := range []*client{a, b} {
			c.silent(1)
			c.leave()
		}
	})
}

// TestSendQueueCountsDroppedSends: what is posted to a loop that has stopped is not counted for ever.
func TestSendQueueCountsDroppedSends(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{loops: 1}, func(r *rig) {
		h := r.hub(nil, Options{})
		c := r.connect(h)
		var hc *Conn
		c.on(func(c *Conn) { hc = c })
		if err := r.eng.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		_ = c.nc.Close()
		_ = h.Clients().All().Send("late")
		_ = hc.join("g")
		hc.gone.Store(false) // as for a send that has just looked
		_ = hc.send("late", nil)
		_ = hc.join("g")
		if s := r.rt.Stats(); s.SendBytes != 0 {
			t.Errorf("%d bytes wait for a loop that has stopped", s.SendBytes)
		}
	})
}
