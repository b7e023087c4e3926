package hubrt

import (
	"errors"
	"net/http"
	"sync"
	"testing"
)

// TestRareTogether: whatever is asked for at the same time, there is one of each, and what one goroutine puts there is not lost by another.
func TestRareTogether(t *testing.T) {
	t.Parallel()
	for range 200 {
		c := new(Conn)
		c.alter(func(r *rare) { r.head = []byte(head) })
		const n = 4
		var items [n]*Items
		var done [n]<-chan struct{}
		var requests [n]*http.Request
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { items[i] = c.context().Items() })
			all.Go(func() { done[i] = c.context().Done() })
			all.Go(func() { requests[i] = c.context().Request() })
		}
		all.Go(func() { c.setEnded(&ending{cause: errExit}) })
		all.Go(func() { c.context().leave() })
		all.Wait()
		for i := range n {
			if items[i] == nil || items[i] != items[0] || done[i] != done[0] || requests[i] == nil || requests[i] != requests[0] {
				t.Fatalf("got items %v, requests %v, contexts %v", items, requests, done)
			}
		}
		<-done[0]
		if e := c.ended(); e == nil || !errors.Is(e.cause, errExit) {
			t.Fatalf("the end is lost: %v", e)
		}
	}
}

// A connection that needs nothing rare any more has no memory for it.
func TestRareGoes(t *testing.T) {
	t.Parallel()
	c := new(Conn)
	drop := (*rare).dropRequest
	c.alter(func(r *rare) { r.head = []byte(head) })
	c.alter(drop)
	if c.rare.Load() != nil {
		t.Error("the dropped request has left something")
	}
	c.alter(func(r *rare) { r.head = []byte(head) })
	c.context().Items().Set("k", "v")
	c.alter(drop)
	if v, ok := c.context().Items().Get("k"); !ok || v != "v" || c.context().Request() != nil {
		t.Errorf("without the request: %v, %v", v, ok)
	}
}
