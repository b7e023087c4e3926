package spoke_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
	"github.com/spokehub/spoke/internal/logtest"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	running, finish := make(chan struct{}), make(chan struct{})
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	h := mapHub(t, s, "/h", nil)
	if err := h.Handle("Slow", func() string { running <- struct{}{}; <-finish; return "done" }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	var idle []*hubtest.Client
	for range 20 {
		idle = append(idle, dial(t, addr.String(), "/h"))
	}
	busy := dial(t, addr.String(), "/h")
	id, err := busy.Call("Slow")
	if err != nil {
		t.Fatal(err)
	}
	<-running
	stop()
	for _, c := range idle {
		if m := next(t, c); m.Type != 7 || !m.AllowReconnect || m.Error != nil {
			t.Errorf("an idle client got %+v, want a Close that allows to reconnect", m)
		}
		var closed *hubtest.Closed
		if _, err := c.Next(); !errors.As(err, &closed) || closed.Code != 1000 {
			t.Errorf("then %v, want a close frame 1000", err)
		}
		c.Close()
	}
	if s.Ready() {
		t.Error("ready while draining")
	}
	if nc, err := net.DialTimeout("tcp", addr.String(), time.Second); err == nil {
		nc.Close()
		t.Error("a draining server took a connection")
	}
	select {
	case err := <-ran:
		t.Fatalf("Run returned %v while a call was running", err)
	default:
	}
	close(finish)
	var types []int
	for {
		m, err := busy.Next()
		if err != nil {
			break
		}
		if m.Type == 3 && (m.InvocationID != id || string(m.Result) != `"done"`) {
			t.Errorf("got %+v", m)
		}
		types = append(types, m.Type)
	}
	busy.Close()
	slices.Sort(types)
	if !slices.Equal(types, []int{3, 7}) {
		t.Errorf("the busy client got the messages %v, want its completion and a Close", types)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestDrainLimit: a method that never returns does not hold Run for ever.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: -1, DrainLimit: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := mapHub(t, s, "/chat", nil)
	entered, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	err = h.Handle("Hang", func() {
		close(entered)
		<-release // whatever happens to its connection
		close(left)
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr.String(), "/chat")
	if _, err := c.Call("Hang"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.Run(ctx)
	if !errors.Is(err, spoke.ErrDrainLimit) || !strings.Contains(err.Error(), "1 calls are running") || !strings.Contains(err.Error(), "50ms") {
		t.Errorf("Run: %v, want ErrDrainLimit, the limit and the number of calls", err)
	}
	if !strings.Contains(log.String(), `"calls running"=1`) {
		t.Errorf("the log does not say what was given up: %s", &log)
	}
	close(release)
	<-left
}

func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	h := mapHub(t, s, "/h", nil)
	stuck := make(chan struct{})
	running := make(chan struct{})
	if err := h.Handle("Stuck", func() { close(running); <-stuck }); err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr.String(), "/h")
	if err := c.Send("Stuck"); err != nil {
		t.Fatal(err)
	}
	<-running
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown with a stuck call: %v, want the context's error", err)
	}
	close(stuck)
	for {
		if _, err := c.Next(); err != nil {
			break
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("a second shutdown: %v", err)
	}
	if _, err := s.Listen(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("listen after shutdown: %v", err)
	}
}
