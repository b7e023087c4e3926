package spoke_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/hubtest"
)

// busyHub has something of everything under way that a client can begin and does not end.
type busyHub struct{ asked, streams, uploads, both atomic.Int64 }

func (*busyHub) OnDisconnected(*spoke.Context, error) error { return nil }

func (h *busyHub) Ask(c *spoke.Context) (int, error) {
	h.asked.Add(1)
	return spoke.InvokeClient[int](context.Background(), c.Clients().Caller(), "never")
}

func (h *busyHub) Endless() iter.Seq[string] {
	return func(yield func(string) bool) {
		h.streams.Add(1)
		for yield("an item that is of some length, so that the buffers of the kernel are full soon") {
		}
	}
}

func (h *busyHub) Sum(items <-chan int) (sum int) {
	h.uploads.Add(1)
	for n := range items {
		sum += n
	}
	return sum
}

func (h *busyHub) Both(ctx context.Context, items iter.Seq2[string, error]) <-chan string {
	out := make(chan string)
	h.both.Add(1)
	go func() {
		defer close(out)
		for v, err := range items {
			if err != nil {
				return
			}
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// TestShutdownWithEverythingUnderWay: a server stops within its bounds though its clients stream in both directions, read nothing, ask, and do not answer what they are asked.
func TestShutdownWithEverythingUnderWay(t *testing.T) {
	for _, backend := range []string{"epoll", "gnet"} {
		t.Run(backend, func(t *testing.T) { shutdownUnderWay(t, backend) })
	}
}

func shutdownUnderWay(t *testing.T, backend string) {
	before := runtime.NumGoroutine()
	h := new(busyHub)
	s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Engine: engine.Config{Backend: backend}, Drain: 100 * time.Millisecond, Workers: 16})
	if err != nil {
		t.Fatal(err)
	}
	mapHub(t, s, "/h", h)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range n {
		c := dial(t, addr.String(), "/h")
		clients.Go(func() {
			defer c.Close()
			for _, record := range []string{
				`{"type":1,"invocationId":"1","target":"Ask","arguments":[]}`,
				`{"type":1,"invocationId":"2","target":"Sum","arguments":[],"streamIds":["up"]}`,
				`{"type":4,"invocationId":"3","target":"Both","arguments":[],"streamIds":["both"]}`,
				`{"type":4,"invocationId":"4","target":"Endless","arguments":[]}`,
			} {
				if c.Write(record) != nil {
					return
				}
			}
			item, _ := json.Marshal(make([]byte, 500))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if c.Write(fmt.Sprintf(`{"type":2,"invocationId":"up","item":%d}`, i)) != nil || c.Write(`{"type":2,"invocationId":"both","item":`+string(item)+`}`) != nil {
					return
				}
			}
		})
	}
	waitFor(t, "everything to be under way", func() bool {
		return h.asked.Load() == n && h.streams.Load() == n && h.uploads.Load() == n && h.both.Load() == n
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	begun := time.Now()
	err = s.Shutdown(ctx)
	took := time.Since(begun)
	t.Logf("%v: %v", took, err)
	if took > hubtest.Timeout {
		t.Errorf("the end took %v", took)
	}
	close(stop)
	clients.Wait()
	waitFor(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	if st := s.Stats().Hubs; st.Streams != 0 || st.Questions != 0 || st.CallsRunning != 0 || st.CallsWaiting != 0 || st.Workers != 0 {
		t.Errorf("left: %+v", st)
	}
}
