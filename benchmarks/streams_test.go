package benchmarks

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// streams makes n connections with event streams that have shaken hands.
func (r *rig) streams(n int) []*engine.Sink {
	r.t.Helper()
	sinks := make([]*engine.Sink, n)
	for i := range sinks {
		w := httptest.NewRecorder()
		r.set.ServeHTTP(w, httptest.NewRequest("POST", "/hub/negotiate?negotiateVersion=1", nil))
		var answer struct{ ConnectionToken string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			r.t.Fatal(err)
		}
		s, err := r.eng.DialSink(r.http.Open)
		if err != nil {
			r.t.Fatal(err)
		}
		target := "/hub?id=" + answer.ConnectionToken
		s.Feed([]byte("GET " + target + " HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"))
		w = httptest.NewRecorder()
		r.set.ServeHTTP(w, httptest.NewRequest("POST", target, strings.NewReader("{\"protocol\":\"json\",\"version\":1}\x1e")))
		if w.Code != 200 {
			r.t.Fatalf("the handshake's POST was answered with %d", w.Code)
		}
		sinks[i] = s
	}
	r.until(func() bool { return r.rt.Stats().Handshakes == int64(n) })
	r.barrier()
	return sinks
}

// transports are how the recipients of a broadcast listen.
var transports = []struct {
	name    string
	connect func(r *rig, n int) []*engine.Sink
}{
	{"WebSockets", func(r *rig, n int) []*engine.Sink { return r.connect(codec.JSON, n) }},
	{"ServerSentEvents", (*rig).streams},
}

// BenchmarkBroadcastTransports is a message to a thousand, per recipient, by WebSocket and by event stream: to be compared within one run.
func BenchmarkBroadcastTransports(b *testing.B) {
	const n = 1000
	for _, tr := range transports {
		b.Run(tr.name, func(b *testing.B) {
			r := newRig(b)
			tr.connect(r, n)
			b.ReportAllocs()
			for b.Loop() {
				if err := r.hub.Clients().All().Send("message", "payload"); err != nil {
					b.Fatal(err)
				}
				r.barrier()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/recipient")
		})
	}
}

// TestNoAllocationsPerEvent: a broadcast to a thousand event streams allocates no more than one to ten does, and each gets the event, once.
func TestNoAllocationsPerEvent(t *testing.T) {
	record, err := codec.JSON.AppendInvocation(nil, "", "message", []any{"payload"})
	if err != nil {
		t.Fatal(err)
	}
	event := int64(len("data: ") + len(record) + len("\r\n\r\n"))
	chunk := int64(len(strconv.FormatInt(event, 16))) + 2 + event + 2
	cost := map[int]float64{}
	for _, n := range []int{10, 1000} {
		r := newRig(t)
		sinks := r.streams(n)
		before := sinks[n-1].Bytes()
		target := r.hub.Clients().All()
		arg := any("payload") // boxed once
		send := func() {
			if err := target.Send("message", arg); err != nil {
				t.Fatal(err)
			}
			r.barrier()
		}
		for range 20 {
			send()
		}
		cost[n] = testing.AllocsPerRun(100, send)
		if got := sinks[n-1].Bytes() - before; got != 121*chunk {
			t.Errorf("the last of %d has %d bytes, want those of 121 events of %d", n, got, chunk)
		}
	}
	t.Logf("10 recipients: %v allocations, 1,000: %v", cost[10], cost[1000])
	if cost[1000] > cost[10]+5 && !raceDetector {
		t.Errorf("10 recipients: %v allocations, 1,000: %v; want 0 per delivery", cost[10], cost[1000])
	}
}
