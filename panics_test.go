package spoke_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// faults panics wherever a hub's author can.
type faults struct{}

func (faults) OnConnected(c *spoke.Context) error {
	if c.Request().URL.Query().Get("panic") == "connected" {
		panic("in the connected event")
	}
	return nil
}

func (faults) OnDisconnected(c *spoke.Context, _ error) error {
	if c.Request().URL.Query().Get("panic") == "disconnected" {
		panic("in the disconnected event")
	}
	return nil
}

func (faults) Panic()       { panic("secret detail") }
func (faults) Inline()      { panic("secret detail") }
func (faults) Nil() int     { var p *int; return *p }
func (faults) Fine() string { return "fine" }

// TestPanics: that call fails with the generic text, everything else lives.
func TestPanics(t *testing.T) {
	t.Parallel()
	s, addr := start(t, spoke.Config{}, func(s *spoke.Server) {
		mapHub(t, s, "/h", faults{}, func(o *spoke.HubOptions) {
			o.Methods = map[string]spoke.MethodOptions{"Inline": {Inline: true}}
		})
	})
	bystander, c := dial(t, addr, "/h"), dial(t, addr, "/h")
	for _, m := range []string{"Panic", "Inline", "Nil"} {
		if _, err := c.Invoke(m); err == nil || err.Error() != "An unexpected error occurred invoking '"+m+"' on the server." {
			t.Errorf("%s: %v, want the generic text alone", m, err)
		}
		if r := invoke(t, c, "Fine"); r != `"fine"` {
			t.Errorf("after %s the connection answers %s", m, r)
		}
	}
	failed := dial(t, addr, "/h?panic=connected")
	if m := next(t, failed); m.Type != 7 || m.Error == nil || *m.Error != "Connection closed with an error." || m.AllowReconnect {
		t.Errorf("a panic in the connected event: %+v", m)
	}
	gone := dial(t, addr, "/h?panic=disconnected")
	gone.Close()
	if r := invoke(t, bystander, "Fine"); r != `"fine"` {
		t.Errorf("a bystander got %s", r)
	}
	waitFor(t, "five panics counted", func() bool { return s.Stats().Hubs.Panics == 5 })
	invoke(t, bystander, "Fine")
}

// waitFor looks again and again until ok, and fails the test when that takes too long.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(hubtest.Timeout); !ok(); <-tick.C {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("waited %v in vain for: %s\n%s", hubtest.Timeout, what, buf[:runtime.Stack(buf, true)])
		}
	}
}
