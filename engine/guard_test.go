package engine

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var guardClauses = []clause{
	{name: "guard/a panic ends its connection and nothing else", tune: func(cfg *Config) { cfg.Loops, cfg.calm = 1, true }, run: testPanics},
}

func testPanics(t *testing.T, w *world) {
	bystander := w.connect(echo().open)
	oops := func() { panic("oops") }
	for _, tc := range []struct {
		where string
		h     *probe
		open  func(c *Conn)
		over  bool // what open queues must be over the cap before the peer reads
	}{
		{where: "the open function", open: func(*Conn) { oops() }},
		{where: "OnData", h: &probe{data: func(*Conn, []byte) int { oops(); return 0 }}},
		{where: "OnEOF", h: &probe{eof: func(*Conn) { oops() }}},
		{where: "OnDeadline", h: &probe{deadline: func(*Conn, uint32) { oops() }, eof: func(*Conn) {}}, open: func(c *Conn) { c.SetDeadline(1) }},
		{where: "OnDrain", h: &probe{drain: func(*Conn) { oops() }, eof: func(*Conn) {}}, open: func(c *Conn) {
			for range 128 {
				c.Send(NewFrame(make([]byte, 1<<16), 0))
			}
		}, over: true},
	} {
		closed, ends := endings()
		if tc.h != nil {
			tc.h.close = closed
		}
		before := w.Stats().Panics
		opened := make(chan struct{}, 1)
		p := w.connect(func(c *Conn) Handler {
			if tc.open != nil {
				tc.open(c)
			}
			opened <- struct{}{}
			return tc.h
		})
		_, _ = p.Write([]byte("x")) // may have been reset
		if tc.h != nil {
			if tc.h.eof != nil || tc.where == "OnEOF" {
				_ = p.(interface{ CloseWrite() error }).CloseWrite()
			}
			if tc.over {
				await(t, opened, "the queue to be over the cap")
			}
			go func() { // reads until the reset
				for b := make([]byte, 1<<16); ; {
					if _, err := p.Read(b); err != nil {
						return
					}
				}
			}()
			e := await(t, ends, "the close after a panic in "+tc.where)
			if e.reason != InternalError || e.err == nil || !strings.Contains(e.err.Error(), tc.where+": oops") {
				t.Errorf("%s: closed with %v, %v", tc.where, e.reason, e.err)
			}
		}
		for end := time.Now().Add(patience); w.Stats().Panics != before+1 && time.Now().Before(end); {
			on(t, w.Loops()[0], func() {})
		}
		if n := w.Stats().Panics; n != before+1 {
			t.Errorf("%s: %d panics were counted", tc.where, n-before)
		}
		send(t, bystander, []byte("alive"))
		receive(t, bystander, "alive")
	}
	l := w.Loops()[0]
	l.Post(TaskFunc(func(*Loop) { panic(errors.New("a task")) }))
	ran := make(chan struct{})
	on(t, l, func() {
		l.AfterFunc(0, oops)
		l.AfterFunc(time.Microsecond, func() { close(ran) })
	})
	await(t, ran, "the timer behind the one that panics")
	closed := make(chan struct{})
	p := w.connect((&probe{close: func(*Conn, CloseReason, error) { close(closed); oops() }}).open)
	_ = p.Close()
	await(t, closed, "the close")
	send(t, bystander, []byte("alive"))
	receive(t, bystander, "alive")
	on(t, l, func() {})
	if n := w.Stats().Panics; n != 5+3 {
		t.Errorf("%d panics were counted, want 8", n)
	}
}
