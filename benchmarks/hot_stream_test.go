package benchmarks

import (
	"fmt"
	"iter"
	"testing"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// numbers streams so many times the same number.
func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for range n {
			if !yield(41) {
				return
			}
		}
	}
}

// newStreamRig is a rig whose hub has the stream Numbers.
func newStreamRig(t testing.TB) *rig {
	t.Helper()
	r := newRig(t)
	if err := r.hub.Handle("Numbers", numbers); err != nil {
		t.Fatal(err)
	}
	return r
}

// streamCall is a call of Numbers in a frame.
func streamCall(p codec.Protocol, n int) []byte {
	if p == codec.MessagePack {
		record := "\x96\x04\x80\xa217\xa7Numbers\x91" + string([]byte{0xcd, byte(n >> 8), byte(n)}) + "\x90"
		return maskedAs(nil, 2, string([]byte{byte(len(record))})+record)
	}
	return masked(nil, fmt.Sprintf(`{"type":4,"invocationId":"17","target":"Numbers","arguments":[%d]}`, n)+"\x1e")
}

// stream feeds a call and waits until its n items have left and it has ended.
func (r *rig) stream(s *engine.Sink, call []byte, n int) {
	want := r.rt.Stats().StreamItems + int64(n)
	s.Feed(call)
	r.until(func() bool { st := r.rt.Stats(); return st.StreamItems >= want && st.Streams == 0 })
	r.barrier()
}

// BenchmarkStream is an item of a stream of 1,000.
func BenchmarkStream(b *testing.B) {
	const n = 1000
	for _, p := range protocols {
		b.Run(p.Name(), func(b *testing.B) {
			r := newStreamRig(b)
			s := r.connect(p, 1)[0]
			call := streamCall(p, n)
			b.ReportAllocs()
			for b.Loop() {
				r.stream(s, call, n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/item")
		})
	}
}

// TestNoAllocationsPerStreamItem: a stream of 300 items allocates no more than one of 20 does.
func TestNoAllocationsPerStreamItem(t *testing.T) {
	for _, p := range protocols {
		r := newStreamRig(t)
		s := r.connect(p, 1)[0]
		cost := map[int]float64{}
		for _, n := range []int{20, 300} {
			call := streamCall(p, n)
			before := s.Bytes()
			for range 50 { // the pools fill
				r.stream(s, call, n)
			}
			if got := s.Bytes() - before; got < int64(50*n*8) {
				t.Fatalf("%s: %d bytes have come of 50 streams of %d items", p.Name(), got, n)
			}
			cost[n] = testing.AllocsPerRun(100, func() { r.stream(s, call, n) })
		}
		t.Logf("%s: 20 items allocate %v times, 300 items %v times", p.Name(), cost[20], cost[300])
		if extra := cost[300] - cost[20]; extra >= 28 && !raceDetector { // not one in ten of the 280 items
			t.Errorf("%s: 280 more items allocate %v times more, want 0 per item", p.Name(), extra)
		}
	}
}
