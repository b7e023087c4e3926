package spoke_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

// lastWords is a hub whose only worker can be held, and that has disconnected events.
type lastWords struct {
	release chan struct{}
	ended   atomic.Int64
}

func (h *lastWords) OnDisconnected(*spoke.Context, error) error { h.ended.Add(1); return nil }

func (h *lastWords) Hold() { <-h.release }

// TestTooManyDeparted: while too many connections wait for their disconnected event, no more come in.
func TestTooManyDeparted(t *testing.T) {
	t.Parallel()
	h := &lastWords{release: make(chan struct{})}
	s, addr := start(t, spoke.Config{Workers: 1, MaxDeparted: 3}, func(s *spoke.Server) { mapHub(t, s, "/h", h) })
	holder := dial(t, addr, "/h")
	if err := holder.Send("Hold"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the worker to be held", func() bool { return s.Stats().Hubs.CallsRunning == 1 })
	negotiate := func() (int, string, string) {
		t.Helper()
		resp, err := http.Post("http://"+addr+"/h/negotiate?negotiateVersion=1", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Retry-After"), string(b)
	}
	_, _, parked := negotiate()
	_, parked, _ = strings.Cut(parked, `"connectionToken":"`)
	parked, _, _ = strings.Cut(parked, `"`)
	for range 3 {
		dial(t, addr, "/h").Close()
	}
	waitFor(t, "three to have gone", func() bool { return s.Stats().Hubs.Departed == 3 })
	if status, retry, body := negotiate(); status != 503 || retry != "1" || !strings.Contains(body, "wait for their disconnected event") {
		t.Errorf("negotiate: %d, Retry-After %q, %q", status, retry, body)
	}
	for name, path := range map[string]string{"a WebSocket": "/h", "a negotiated WebSocket": "/h?id=" + parked} {
		_, err := hubtest.Dial(addr, path)
		var refused *hubtest.Refused
		if !errors.As(err, &refused) || refused.Status != 503 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, accept := range map[string]string{"a poll": "", "an event stream": "text/event-stream"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/h?id="+parked, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 503 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if n := s.Stats().Endpoints.Busy; n != 5 {
		t.Errorf("%d refusals are counted, want 5", n)
	}
	close(h.release)
	waitFor(t, "the events", func() bool { return h.ended.Load() == 3 && s.Stats().Hubs.Departed == 0 })
	c := dial(t, addr, "/h?id="+parked) // it is still good
	invoke(t, c, "Hold")
}

// TestShutdownGivenUpLeavesNothing: what a Shutdown whose context ends has not begun is not counted as connections for ever.
func TestShutdownGivenUpLeavesNothing(t *testing.T) {
	t.Parallel()
	h := &lastWords{release: make(chan struct{})}
	s, addr := start(t, spoke.Config{Workers: 1}, func(s *spoke.Server) { mapHub(t, s, "/h", h) })
	if err := dial(t, addr, "/h").Send("Hold"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the worker to be held", func() bool { return s.Stats().Hubs.CallsRunning == 1 })
	for range 5 {
		dial(t, addr, "/h")
	}
	for range 5 {
		dial(t, addr, "/h").Close()
	}
	waitFor(t, "five to have gone", func() bool { return s.Stats().Hubs.Departed == 5 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if st := s.Stats().Hubs; st.Connections != 0 || st.Departed != 0 || st.EventsDropped != 11 {
		t.Errorf("left: %+v", st)
	}
	close(h.release)
	waitFor(t, "the method to end", func() bool { return s.Stats().Hubs.CallsRunning == 0 })
	if n := h.ended.Load(); n != 0 {
		t.Errorf("%d events have run after Shutdown", n)
	}
}
