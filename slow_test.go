package spoke_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/internal/hubtest"
)

// TestSlowReader stops one reader in a broadcast storm: it costs its caps and is cut off, the others get everything, in order.
func TestSlowReader(t *testing.T) {
	receivers, storm, size := 1000, 300, 20_000
	if raceEnabled {
		receivers = 100
	}
	cfg := spoke.Config{}
	cfg.Engine.OutboundMax = 1 << 20
	var hub *spoke.Hub
	s, addr := start(t, cfg, func(s *spoke.Server) {
		hub = mapHub(t, s, "/h", nil, func(o *spoke.HubOptions) { o.KeepAliveInterval = time.Hour })
	})

	var wg sync.WaitGroup
	got := make([]atomic.Int64, receivers)
	for i := range receivers {
		c := dial(t, addr, "/h")
		wg.Go(func() {
			if err := countStorm(c, storm, &got[i]); err != nil {
				t.Errorf("receiver %d after %d messages: %v", i, got[i].Load(), err)
			}
		})
	}
	slowest := func() int64 {
		least := got[0].Load()
		for i := range got {
			least = min(least, got[i].Load())
		}
		return least
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := hubtest.New(nc, "/h"); err != nil { // and never reads again
		t.Fatal(err)
	}

	// The storm is as fast as the others read it, so what is kept is kept for the stalled one.
	pad := strings.Repeat("x", size)
	var base, peak uint64
	const ahead = 10
	for i := range storm {
		if i%ahead == 0 {
			waitFor(t, "the other readers", func() bool { return slowest() >= int64(i-ahead) })
			if i == 2*ahead { // by now every reader has its buffers
				base = heap()
			}
			peak = max(peak, heap())
		}
		if err := hub.Clients().All().Send("m", i, pad); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	waitFor(t, "the end of the stalled reader", func() bool {
		closed := s.Stats().Engine.Closed
		return closed[engine.SendTimeout]+closed[engine.OutboundOverflow] == 1
	})
	grown := int64(peak) - int64(base)
	t.Logf("%d readers took %d messages of %d bytes; with one stalled reader the heap grew by %d KiB at most", receivers, storm, size, grown>>10)
	// Of a storm of 6 MB what may be kept is the hard cap and one message, and what the others have in flight.
	if limit := int64(cfg.Engine.OutboundMax + size + 2*ahead*size + 512<<10); grown > limit {
		t.Errorf("the heap grew by %d bytes: one stalled reader costs more than its caps", grown)
	}
}

// countStorm reads a receiver's messages without keeping them and checks their order.
func countStorm(c *hubtest.Client, storm int, got *atomic.Int64) error {
	r := bufio.NewReaderSize(c.Conn, 4096)
	buf := make([]byte, 65<<10) // what the server joins at most
	for i := 0; i < storm; {
		_ = c.Conn.SetReadDeadline(time.Now().Add(2 * hubtest.Timeout))
		_, p, err := hubtest.ReadFrame(r, buf)
		if err != nil {
			return err
		}
		for record := range bytes.SplitSeq(bytes.TrimSuffix(p, []byte{0x1e}), []byte{0x1e}) { // runs are joined
			want := fmt.Sprintf(`{"type":1,"target":"m","arguments":[%d,`, i)
			if !bytes.HasPrefix(record, []byte(want)) {
				return fmt.Errorf("got %.64q, want %s", record, want)
			}
			i++
		}
		got.Store(int64(i))
	}
	return nil
}

// heap is the live heap.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFastUploader sends faster than the hub takes: TCP slows it, nothing is lost, it is not disconnected.
func TestFastUploader(t *testing.T) {
	const record, records = 8 << 10, 8 << 10 // 64 MiB, far more than all socket buffers hold
	var taken atomic.Int64
	gate := make(chan struct{})
	cfg := spoke.Config{}
	s, addr := start(t, cfg, func(s *spoke.Server) {
		h := mapHub(t, s, "/h", nil)
		if err := h.Handle("Take", func(i int, _ string) error {
			<-gate // slow: closed later
			if n := taken.Add(1) - 1; n != int64(i) {
				return fmt.Errorf("record %d came as number %d", i, n)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
	c := dial(t, addr, "/h")
	base := heap()
	pad := strings.Repeat("x", record)
	var written int
	var pending []byte // what a write that timed out has not sent
	write := func(patience time.Duration) error {
		for {
			if len(pending) == 0 {
				if written == records {
					return nil
				}
				pending = hubtest.AppendFrame(pending, 1, fmt.Appendf(nil, `{"type":1,"target":"Take","arguments":[%d,"%s"]}`+"\x1e", written, pad))
				written++
			}
			_ = c.Conn.SetWriteDeadline(time.Now().Add(patience))
			n, err := c.Conn.Write(pending)
			pending = pending[n:]
			if err != nil {
				return err
			}
		}
	}
	if err := write(500 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("all of %d MiB was taken from the client (%v): nothing slowed it", record*records>>20, err)
	}
	grown := int64(heap()) - int64(base)
	t.Logf("TCP stopped the client after %d of %d records; the heap grew by %d KiB", written, records, grown>>10)
	if grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes for one waiting client", grown)
	}
	if st := s.Stats(); st.Engine.Pauses == 0 || st.Hubs.Connections != 1 {
		t.Errorf("stats %+v", st)
	}
	close(gate)
	if err := write(hubtest.Timeout); err != nil {
		t.Fatalf("after the hub went on: %v", err)
	}
	waitFor(t, "all records", func() bool { return taken.Load() == records })
	if st := s.Stats().Hubs; st.CallsFailed != 0 {
		t.Errorf("%d records came out of order", st.CallsFailed)
	}
	_ = c.Conn.SetWriteDeadline(time.Time{})
	if _, err := c.Invoke("Nothing"); err == nil || !strings.HasPrefix(err.Error(), "Failed to invoke") {
		t.Errorf("the connection does not answer: %v", err)
	}
}
