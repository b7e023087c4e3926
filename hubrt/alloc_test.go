package hubrt

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/hubrt/method"
)

func TestSize(t *testing.T) {
	t.Parallel()
	const most = 144
	size := unsafe.Sizeof(Conn{})
	t.Logf("a connection with its context: %d bytes, of which the context %d", size, unsafe.Sizeof(Context{}))
	if size > most {
		t.Errorf("a connection with its context has %d bytes, want at most %d", size, most)
	}
}

// TestIdleMemory: what an idle connection costs, all tables included.
func TestIdleMemory(t *testing.T) {
	const n = 20_000
	r := newRig(t, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	links, conns, _ := r.openNull(h, n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	links0 := n * (int(unsafe.Sizeof(nullLink{})) + 24) // the test's own
	each := (int(after.HeapAlloc) - int(before.HeapAlloc) - links0) / n
	t.Logf("an idle connection costs %d bytes of heap", each)
	if each > 185 && !raceDetector {
		t.Errorf("an idle connection costs %d bytes of heap, want at most 185", each)
	}
	runtime.KeepAlive(links)
	r.closeNull(conns)
	checkEmpty(t, h)
	r.close()
}

func TestBroadcastAllocatesNothingPerRecipient(t *testing.T) {
	r := newRig(t, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	links, conns, loop := r.openNull(h, 1001)
	for i, c := range conns {
		g := "many"
		if i == 0 {
			g = "one"
		}
		if err := c.context().Join(g); err != nil {
			t.Fatal(err)
		}
	}
	barrier := newLoopTask(loop, func() {})
	arg := any("payload") // boxed once
	costs := map[string]float64{}
	for _, g := range []string{"one", "many"} {
		target := h.Clients().Group(g)
		costs[g] = allocs(func() {
			if err := target.Send("message", arg); err != nil {
				t.Fatal(err)
			}
			barrier.run()
		})
	}
	t.Logf("a broadcast allocates %v times", costs["many"])
	if !raceDetector && (costs["many"] > costs["one"] || costs["many"] > 3) {
		t.Errorf("1,000 recipients: %v allocations, one: %v; want the same, and at most 3", costs["many"], costs["one"])
	}
	if links[500].sent < 200 || links[500].sent != links[1000].sent {
		t.Errorf("%d and %d messages have arrived", links[500].sent, links[1000].sent)
	}
	caller := conns[0].context().Clients().Caller()
	if n := allocs(func() {
		_ = caller.Send("message", arg)
		barrier.run()
	}); n > 1 && !raceDetector { // the argument list
		t.Errorf("a message to the caller allocates %v times", n)
	}
	r.closeNull(conns)
	r.close()
}

func TestCallsAllocateNothing(t *testing.T) {
	r := newRig(t, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	for _, in := range []bool{false, true} {
		name := "Worker"
		if in {
			name = "Inline"
		}
		opt := method.Options{Inline: in}
		for suffix, fn := range map[string]any{
			"Add":     func(_ *Context, n int) (int, error) { return n + 1, nil },
			"Nothing": func(*Context) {},
			"Raw":     func(_ *Context, x codec.Raw) (codec.Raw, error) { return x, nil },
			"JSON":    func(_ *Context, x json.RawMessage) (json.RawMessage, error) { return x, nil },
		} {
			if err := h.Handle(name+suffix, fn, opt); err != nil {
				t.Fatal(err)
			}
		}
	}
	links, conns, loop := r.openNull(h, 1)
	for _, tt := range []struct {
		target, arg string
		most        float64
	}{
		{"Add", "41", 0},
		{"Nothing", "", 0},
		{"Raw", `{"a":[1,2,3]}`, 1},  // the copy
		{"JSON", `{"a":[1,2,3]}`, 2}, // the copy, and the check that what comes back is JSON
		{"Missing", "", -1},
	} {
		for _, kind := range []string{"Inline", "Worker"} {
			record := []byte(call1("17", kind+tt.target, tt.arg) + "\x1e")
			receive := newLoopTask(loop, func() { conns[0].Receive(record) })
			n := allocs(func() {
				before := links[0].writes.Load()
				receive.run()
				for links[0].writes.Load() == before {
					runtime.Gosched()
				}
			})
			t.Logf("%s%s: %v allocations", kind, tt.target, n)
			if tt.most >= 0 && n > tt.most && !raceDetector {
				t.Errorf("%s%s allocates %v times, want at most %v", kind, tt.target, n, tt.most)
			}
		}
	}
	ping := []byte(`{"type":6}` + "\x1e")
	receive := newLoopTask(loop, func() { conns[0].Receive(ping) })
	if n := allocs(receive.run); n > 0 && !raceDetector {
		t.Errorf("a ping allocates %v times", n)
	}
	now := uint32(1000)
	deadline := newLoopTask(loop, func() {
		conns[0].pingAt = now
		conns[0].seen = now
		conns[0].Deadline(now)
	})
	if n := allocs(deadline.run); n > 0 && !raceDetector {
		t.Errorf("a ping to the client allocates %v times", n)
	}
	r.closeNull(conns)
	r.close()
}

// TestPartialRecordsHoldLittle: a thousand clients in the middle of a small record hold small buffers.
func TestPartialRecordsHoldLittle(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	_, conns, loop := r.openNull(h, 100)
	newLoopTask(loop, func() {
		for i, c := range conns {
			for range 20 {
				c.Receive([]byte{' '})
			}
			if !c.box.input() || cap(c.box.in.b) >= 4*minBuffer { // of the smallest class, which also has what an append has made somewhat larger
				t.Errorf("connection %d holds %+v", i, c.box)
			}
			c.Receive([]byte("{\"type\":6}\x1e"))
			if c.box != nil {
				t.Errorf("connection %d holds a buffer while idle", i)
			}
		}
	}).run()
	r.closeNull(conns)
	r.close()
}

func BenchmarkBroadcast(b *testing.B) {
	r := newRig(&testing.T{}, rigConfig{loops: 1})
	h := r.hub(nil, Options{})
	_, conns, loop := r.openNull(h, 10_000)
	barrier := newLoopTask(loop, func() {})
	for b.Loop() {
		if err := h.Clients().All().Send("message", "payload"); err != nil {
			b.Fatal(err)
		}
		barrier.run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(conns)), "ns/recipient")
	r.closeNull(conns)
	r.close()
}

func BenchmarkCall(b *testing.B) {
	for _, in := range []bool{true, false} {
		b.Run(fmt.Sprintf("inline=%v", in), func(b *testing.B) {
			r := newRig(&testing.T{}, rigConfig{loops: 1})
			h := r.hub(nil, Options{})
			if err := h.Handle("Add", func(_ *Context, n int) (int, error) { return n + 1, nil }, method.Options{Inline: in}); err != nil {
				b.Fatal(err)
			}
			links, conns, loop := r.openNull(h, 1)
			const batch = 8
			var records []byte
			for range batch {
				records = append(records, call1("17", "Add", "41")+"\x1e"...)
			}
			receive := newLoopTask(loop, func() { conns[0].Receive(records) })
			for b.Loop() {
				want := links[0].writes.Load() + batch
				receive.run()
				for links[0].writes.Load() < want {
					runtime.Gosched()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/call")
			r.closeNull(conns)
			r.close()
		})
	}
}
