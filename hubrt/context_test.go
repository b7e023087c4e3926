package hubrt

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/auth"
)

const head = "GET /chat?room=7 HTTP/1.1\r\nHost: example.org\r\nX-Colour: green\r\nContent-Length: 0\r\n\r\n"

// TestContext counts goroutines, so it does not run beside other tests.
func TestContext(t *testing.T) {
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{})
		kept := make(chan *Context, 1)
		h.OnConnected(func(c *Context) error { kept <- c; return nil })
		user := &auth.Identity{UserID: "ann", Name: "Ann"}
		client := r.connect(h, func(p *Peer) {
			p.User, p.Head, p.Remote = user, []byte(head), netip.MustParseAddrPort("192.0.2.1:1234")
		})
		c := <-kept
		if c.ConnectionID() != client.id.String() || c.UserID() != "ann" || c.User() != user || c.Transport() != "WebSockets" ||
			c.Remote().String() != "192.0.2.1:1234" || c.Hub() != h {
			t.Errorf("%v %v %v %v %v", c.ConnectionID(), c.UserID(), c.User(), c.Transport(), c.Remote())
		}
		req := c.Request()
		if req == nil || req.URL.Query().Get("room") != "7" || req.Header.Get("X-Colour") != "green" || req.Host != "example.org" ||
			req.RemoteAddr != "192.0.2.1:1234" || req != c.Request() {
			t.Errorf("request %+v", req)
		}
		if _, ok := c.Deadline(); ok || c.Err() != nil || c.Value("k") != nil {
			t.Error("a live context has ended, or has a deadline or a value")
		}
		items := c.Items()
		items.Set("k", 1)
		if v, ok := c.Items().Get("k"); !ok || v != 1 {
			t.Error("two bags")
		}
		c.Items().Delete("k")
		if _, ok := c.Items().Get("k"); ok {
			t.Error("deleted, but there")
		}

		synctest.Wait()
		before := runtime.NumGoroutine()
		derived, cancel := context.WithCancel(c)
		defer cancel()
		timed, cancel2 := context.WithTimeout(derived, time.Hour)
		defer cancel2()
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("derived contexts cost %d goroutines", n-before)
		}
		client.leave()
		for _, x := range []context.Context{c, derived, timed, req.Context()} {
			<-x.Done()
			if !errors.Is(x.Err(), context.Canceled) {
				t.Errorf("%v", x.Err())
			}
		}
	})
}

func TestContextAsksLate(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(probe{}, Options{DropRequest: true})
		kept := make(chan *Context, 1)
		h.OnConnected(func(c *Context) error {
			if c.Request() == nil {
				t.Error("no request in the connected event")
			}
			kept <- c
			return nil
		})
		client := r.connect(h, func(p *Peer) { p.Head = []byte(head) })
		c := <-kept
		client.send(call1("1", "Echo", `"x"`))
		client.expect(result("1", `"x"`))
		if c.Request() != nil {
			t.Error("the request was not dropped")
		}
		client.leave()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Error("an ended context that nobody has asked yet lives")
		}
		<-c.Done()
		if c.UserID() != "" || c.User() != nil {
			t.Error("nobody is somebody")
		}
	})
}

func TestBadHead(t *testing.T) {
	t.Parallel()
	c := &Context{}
	if c.Request() != nil {
		t.Error("a request without a head")
	}
	(*Conn)(c).alter(func(r *rare) { r.head = []byte("nonsense") })
	if c.Request() != nil {
		t.Error("a request out of nonsense")
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	id := ID{0xff, 1, 2, 15: 0x81}
	got, ok := ParseID(id.String())
	if !ok || got != id || len(id.String()) != 22 {
		t.Errorf("%v %v %v", id, got, ok)
	}
	for _, s := range []string{"", "short", id.String() + "A", id.String()[:21] + "=", id.String()[:21] + "R", id.String()[:21] + "+", "\n" + id.String()[1:]} {
		if _, ok := ParseID(s); ok {
			t.Errorf("%q was taken", s)
		}
	}
}
