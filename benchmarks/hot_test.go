// Package benchmarks measures the whole hot path: bytes of a client in at the engine, through WebSocket, codec, limits, hub and
// worker, and bytes out again, on the memory backend, so that no kernel is in it. The steps have benchmarks beside their code:
//
//	frame in, frame out        ws: BenchmarkFrameIn, BenchmarkFrameOut, BenchmarkReadHeader
//	envelope                   codec: BenchmarkDecodeInvocation, BenchmarkDecodeInvocationPacked, BenchmarkDecodePing, BenchmarkDecodeLongText
//	arguments                  codec: BenchmarkBind, BenchmarkBindAny; hubrt/method: BenchmarkBind
//	completion                 codec: BenchmarkAppendResult, BenchmarkAppendResultPacked
//	dispatch inline, by worker hubrt: BenchmarkCall; hubrt/method: BenchmarkCall, BenchmarkLookup
//	stream item                BenchmarkStream, in hot_stream_test.go
//	broadcast per recipient    hubrt: BenchmarkBroadcast; engine: BenchmarkFanOut
//	tick of a million stamps   engine: BenchmarkDeadlines
//	post to a loop             engine: BenchmarkPost
//	bucket                     limits: BenchmarkTake
//
// limit, peers and compare measure with sockets; million simulates a million connections.
package benchmarks

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/endpoint"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/limits"
	"github.com/spokehub/spoke/longpoll"
	"github.com/spokehub/spoke/ws"
)

// rig is a server on one loop of the memory backend, with limits that are counted but never reached.
type rig struct {
	t    testing.TB
	eng  *engine.Engine
	rt   *hubrt.Runtime
	hub  *hubrt.Hub
	set  *endpoint.Set
	http http1.Config
}

func newRig(t testing.TB) *rig {
	t.Helper()
	eng, err := engine.New(engine.Config{Backend: "memory", Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, eng: eng, rt: hubrt.NewRuntime(hubrt.RuntimeConfig{Loops: eng.Loops(), AppendHeader: ws.AppendHeader, AppendEvent: longpoll.AppendChunk})}
	t.Cleanup(r.close)
	r.hub, err = r.rt.NewHub("hub", nil, hubrt.Options{Rates: limits.Rates{Messages: 1e6, Bytes: 1 << 33}})
	if err != nil {
		t.Fatal(err)
	}
	for name, inline := range map[string]bool{"Inline": true, "Worker": false} {
		if err := r.hub.Handle(name, func(_ *hubrt.Context, n int) (int, error) { return n, nil }, method.Options{Inline: inline}); err != nil {
			t.Fatal(err)
		}
	}
	r.set = endpoint.NewSet(endpoint.Config{Engine: eng})
	if _, err := r.set.Map("/hub", r.hub, endpoint.Options{}); err != nil {
		t.Fatal(err)
	}
	r.set.Start()
	r.http = http1.Config{Serve: r.set.Serve}
	if err := r.http.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := r.eng.Shutdown(ctx); err != nil {
		r.t.Error(err)
	}
	if err := r.rt.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

// masked appends a text message as a client sends it; the mask is not 0, as with real ones.
func masked(b []byte, text string) []byte { return maskedAs(b, 1, text) }

// maskedAs appends a message with that opcode.
func maskedAs(b []byte, op byte, text string) []byte {
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(append(b, 0x80|op, 0x80|byte(len(text))), key[:]...)
	for i := range len(text) {
		b = append(b, text[i]^key[i&3])
	}
	return b
}

// protocols are those that the hot path is measured with.
var protocols = []codec.Protocol{codec.JSON, codec.MessagePack}

// connect makes n connections that have shaken hands.
func (r *rig) connect(p codec.Protocol, n int) []*engine.Sink {
	r.t.Helper()
	const head = "GET /hub HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	sinks := make([]*engine.Sink, n)
	for i := range sinks {
		s, err := r.eng.DialSink(r.http.Open)
		if err != nil {
			r.t.Fatal(err)
		}
		s.Feed(masked([]byte(head), `{"protocol":"`+p.Name()+`","version":1}`+"\x1e"))
		sinks[i] = s
	}
	r.until(func() bool { return r.rt.Stats().Connections == int64(n) })
	r.barrier()
	return sinks
}

// until waits for something that the loop or a worker is about to do.
func (r *rig) until(done func() bool) {
	for begin := time.Now(); !done(); runtime.Gosched() {
		if time.Since(begin) > 30*time.Second {
			r.t.Fatal("nothing has happened for 30 seconds")
		}
	}
}

// barrier returns when what was posted before has run and what it has sent has been written.
func (r *rig) barrier() {
	done := make(chan struct{})
	l := r.eng.Loops()[0]
	l.Post(engine.TaskFunc(func(*engine.Loop) { l.Post(engine.TaskFunc(func(*engine.Loop) { close(done) })) }))
	<-done
}

// batch is calls of a method in frames of their own.
type batch struct {
	frames []byte
	calls  int64
	least  int64 // bytes of their answers, which may share a frame
}

func calls(t testing.TB, p codec.Protocol, target string, n int) (b batch) {
	t.Helper()
	call, err := p.AppendInvocation(nil, "17", target, []any{41})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.AppendResult(nil, "17", 41)
	if err != nil {
		t.Fatal(err)
	}
	op := byte(1)
	if p.Binary() {
		op = 2
	}
	for range n {
		b.frames = maskedAs(b.frames, op, string(call))
	}
	b.calls, b.least = int64(n), int64(2+n*len(answer))
	return b
}

// exchange feeds calls and waits for all answers.
func (r *rig) exchange(s *engine.Sink, b batch) {
	bytes, calls := s.Bytes()+b.least, r.rt.Stats().Calls+b.calls
	s.Feed(b.frames)
	r.until(func() bool {
		if s.Bytes() < bytes {
			return false
		}
		now := r.rt.Stats()
		return now.Calls >= calls && now.CallsRunning+now.CallsWaiting == 0
	})
}

// BenchmarkCall is a call and its answer, alone and eight deep.
func BenchmarkCall(b *testing.B) {
	for _, p := range protocols {
		for _, target := range []string{"Inline", "Worker"} {
			for _, depth := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/%s/depth=%d", p.Name(), target, depth), func(b *testing.B) {
					r := newRig(b)
					s := r.connect(p, 1)[0]
					batch := calls(b, p, target, depth)
					b.ReportAllocs()
					for b.Loop() {
						r.exchange(s, batch)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(depth), "ns/call")
				})
			}
		}
	}
}

// BenchmarkBroadcast is a message to all, per recipient.
func BenchmarkBroadcast(b *testing.B) {
	for _, p := range protocols {
		for _, n := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s/recipients=%d", p.Name(), n), func(b *testing.B) {
				r := newRig(b)
				r.connect(p, n)
				b.ReportAllocs()
				for b.Loop() {
					if err := r.hub.Clients().All().Send("message", "payload"); err != nil {
						b.Fatal(err)
					}
					r.barrier()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/recipient")
			})
		}
	}
}

// TestNoAllocationsPerMessage: a batch of 64 calls through the whole server allocates no more than a batch of 4 does (what the far
// end is fed with, and what wakes a worker). Not parallel: AllocsPerRun counts the whole process.
func TestNoAllocationsPerMessage(t *testing.T) {
	for _, p := range protocols {
		for _, target := range []string{"Inline", "Worker"} {
			checkCallAllocations(t, p, target)
		}
	}
}

func checkCallAllocations(t *testing.T, p codec.Protocol, target string) {
	t.Helper()
	r := newRig(t)
	s := r.connect(p, 1)[0]
	cost := map[int]float64{}
	for _, n := range []int{4, 64} {
		batch := calls(t, p, target, n)
		exchange := func() { r.exchange(s, batch) }
		for range 100 { // the pools fill
			exchange()
		}
		cost[n] = testing.AllocsPerRun(200, exchange)
	}
	t.Logf("%s, %s: 4 calls allocate %v times, 64 calls %v times", p.Name(), target, cost[4], cost[64])
	if extra := cost[64] - cost[4]; extra >= 6 && !raceDetector { // not one in ten of the 60 messages
		t.Errorf("%s, %s: 60 more calls allocate %v times more, want 0 per call", p.Name(), target, extra)
	}
}

// TestNoAllocationsPerDelivery: a broadcast to a thousand allocates no more than one to ten does.
func TestNoAllocationsPerDelivery(t *testing.T) {
	for _, p := range protocols {
		checkDeliveryAllocations(t, p)
	}
}

func checkDeliveryAllocations(t *testing.T, p codec.Protocol) {
	t.Helper()
	record, err := p.AppendInvocation(nil, "", "message", []any{"payload"})
	if err != nil {
		t.Fatal(err)
	}
	cost := map[int]float64{}
	for _, n := range []int{10, 1000} {
		r := newRig(t)
		sinks := r.connect(p, n)
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
		if got := sinks[n-1].Bytes() - before; got != 121*int64(2+len(record)) {
			t.Errorf("the last of %d has %d bytes, want those of 121 messages", n, got)
		}
	}
	t.Logf("%s: 10 recipients: %v allocations, 1,000: %v", p.Name(), cost[10], cost[1000])
	if cost[1000] > cost[10]+5 && !raceDetector {
		t.Errorf("%s: 10 recipients: %v allocations, 1,000: %v; want 0 per delivery", p.Name(), cost[10], cost[1000])
	}
}

// TestMasked: what the benchmarks feed is what a client would send.
func TestMasked(t *testing.T) {
	t.Parallel()
	if got := masked(nil, "abcde"); !bytes.Equal(got, []byte{0x81, 0x85, 0x12, 0x34, 0x56, 0x78, 'a' ^ 0x12, 'b' ^ 0x34, 'c' ^ 0x56, 'd' ^ 0x78, 'e' ^ 0x12}) {
		t.Errorf("% x", got)
	}
}
