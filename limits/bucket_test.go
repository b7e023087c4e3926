package limits_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/spokehub/spoke/limits"
)

func limiter(t *testing.T, r limits.Rates, maxMessage int) *limits.Limiter {
	t.Helper()
	l, err := limits.NewLimiter(r, maxMessage)
	if err != nil {
		t.Fatal(err)
	}
	if l == nil {
		t.Fatal("no limiter although a rate is set")
	}
	return l
}

// pass takes one record as soon as it may pass, and returns when that is.
func pass(t *testing.T, l *limits.Limiter, b *limits.Buckets, now time.Duration, n int) time.Duration {
	t.Helper()
	wait, ok := l.Take(b, now, n)
	if ok {
		return now
	}
	if wait <= 0 {
		t.Fatalf("refused at %v with a wait of %v", now, wait)
	}
	if _, ok := l.Take(b, now+wait-1, n); ok {
		t.Fatalf("refused at %v for %v, yet passed a nanosecond before that", now, wait)
	}
	if again, ok := l.Take(b, now+wait, n); !ok {
		t.Fatalf("refused at %v for %v, and then for another %v", now, wait, again)
	}
	return now + wait
}

func TestBucketsSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(limits.Buckets{}); n > 24 {
		t.Errorf("Buckets has %d bytes: want 24 at most", n)
	}
}

func TestTakeAllocations(t *testing.T) {
	l := limiter(t, limits.Rates{Messages: 3, Bytes: 100}, 10)
	var b limits.Buckets
	var now time.Duration
	if n := testing.AllocsPerRun(1000, func() {
		l.Take(&b, now, 7)
		now += time.Millisecond
	}); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

// A rate on the grid is kept to the nanosecond, however long the run.
func TestExactTimes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		rates   limits.Rates
		size    int
		records int
		want    time.Duration
	}{
		{"100 a second, burst 20: the 20th", limits.Rates{Messages: 100, MessagesBurst: 20}, 50, 20, 0},
		{"100 a second, burst 20: the 21st", limits.Rates{Messages: 100, MessagesBurst: 20}, 50, 21, 10 * time.Millisecond},
		{"100 a second, burst 20: the 1,000th", limits.Rates{Messages: 100, MessagesBurst: 20}, 50, 1000, 9800 * time.Millisecond},
		{"3 a second, burst 2: a million and two", limits.Rates{Messages: 3, MessagesBurst: 2}, 50, 1_000_002, 333_333_333_333_334},
		{"7 a second, default burst", limits.Rates{Messages: 7}, 50, 7 + 7*3600, time.Hour},
		{"one in a thousand seconds", limits.Rates{Messages: 0.001}, 50, 101, 100_000 * time.Second},
		{"half a record a second", limits.Rates{Messages: 0.5}, 50, 11, 20 * time.Second},
		{"bytes: 1,000 a second", limits.Rates{Bytes: 1000, BytesBurst: 500}, 100, 5 + 1000, 100 * time.Second},
		{"bytes: default burst is the message cap", limits.Rates{Bytes: 10}, 100, 2, 10 * time.Second},
		{"bytes: 3 a second, a byte each", limits.Rates{Bytes: 3, BytesBurst: 100}, 1, 100 + 1, 333_333_334},
		{"both: messages decide", limits.Rates{Messages: 1, MessagesBurst: 1, Bytes: 1000, BytesBurst: 100}, 100, 11, 10 * time.Second},
		{"both: bytes decide", limits.Rates{Messages: 100, MessagesBurst: 1, Bytes: 100, BytesBurst: 100}, 100, 11, 10 * time.Second},
		{"the highest rates", limits.Rates{Messages: limits.MaxMessages, MessagesBurst: 1, Bytes: limits.MaxBytes, BytesBurst: 100}, 100, 1_000_001, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := limiter(t, tt.rates, 100)
			start := 5 * time.Hour
			var b limits.Buckets
			now := start
			for range tt.records {
				wait, ok := l.Take(&b, now, tt.size)
				if !ok {
					now += wait
					if _, ok = l.Take(&b, now, tt.size); !ok {
						t.Fatal("refused after its own wait")
					}
				}
			}
			if got := now - start; got != tt.want {
				t.Errorf("the last record passed after %v: want %v", got, tt.want)
			}
		})
	}
}

// Over any window, no more than burst + rate x length passes; and no record waits longer than it needs to.
func TestRateIsKept(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := limits.Rates{
			Messages:      float64(1+rng.IntN(2_000_000)) / 1000,
			MessagesBurst: 1 + rng.IntN(50),
			Bytes:         float64(1 + rng.IntN(1_000_000)),
		}
		const maxMessage = 1000
		r.BytesBurst = maxMessage + rng.IntN(5000)
		l := limiter(t, r, maxMessage)
		var b limits.Buckets
		now := time.Duration(rng.Int64N(int64(time.Hour)))

		// A model in rationals: the amounts missing from each full bucket.
		missM, missB := new(big.Rat), new(big.Rat)
		at := now
		for i := range 300 {
			switch rng.IntN(4) { // bursts, steady traffic, pauses
			case 0:
				now += time.Duration(rng.Int64N(int64(time.Second)))
			case 1:
				now += time.Duration(rng.Int64N(int64(time.Millisecond)))
			case 2:
				if rng.IntN(20) == 0 {
					now += time.Duration(rng.Int64N(int64(time.Hour)))
				}
			}
			n := 1 + rng.IntN(maxMessage)
			now = pass(t, l, &b, now, n)

			elapsed := big.NewRat(int64(now-at), int64(time.Second))
			at = now
			for _, m := range []struct {
				missing *big.Rat
				rate    *big.Rat
				burst   int
				cost    int
				name    string
			}{
				{missM, big.NewRat(int64(math.Round(r.Messages*1000)), 1000), r.MessagesBurst, 1, "messages"},
				{missB, big.NewRat(int64(r.Bytes), 1), r.BytesBurst, n, "bytes"},
			} {
				m.missing.Sub(m.missing, new(big.Rat).Mul(elapsed, m.rate))
				if m.missing.Sign() < 0 {
					m.missing.SetInt64(0)
				}
				m.missing.Add(m.missing, big.NewRat(int64(m.cost), 1))
				if m.missing.Cmp(big.NewRat(int64(m.burst), 1)) > 0 {
					t.Fatalf("seed %d, record %d: %s over burst %d + rate x time: %s missing from a full bucket", seed, i, m.name, m.burst, m.missing.FloatString(12))
				}
			}
		}
	}
}

func TestRefusalChargesNothing(t *testing.T) {
	t.Parallel()
	l := limiter(t, limits.Rates{Messages: 1, MessagesBurst: 1, Bytes: 1000, BytesBurst: 1000}, 1000)
	var b limits.Buckets
	if _, ok := l.Take(&b, 0, 10); !ok {
		t.Fatal("the first record was refused")
	}
	for range 1000 {
		if wait, ok := l.Take(&b, 0, 10); ok || wait != time.Second {
			t.Fatalf("Take = %v, %v: want 1s, false each time", wait, ok)
		}
	}
	// Had the refused records been charged to the byte bucket, it would be empty now.
	if _, ok := l.Take(&b, time.Second, 1000); !ok {
		t.Error("refused records were charged")
	}
}

func TestRecordOverBurst(t *testing.T) {
	t.Parallel()
	l := limiter(t, limits.Rates{Bytes: 100, BytesBurst: 200}, 200)
	var b limits.Buckets
	start := time.Minute
	if at := pass(t, l, &b, start, 1000); at != start {
		t.Fatalf("a full bucket held a large record back until %v", at-start)
	}
	// 1,000 bytes in debt at 100 a second: a byte passes when 801 of them are back, the next large record when all are.
	at := pass(t, l, &b, start, 1)
	if at != start+8*time.Second+10*time.Millisecond {
		t.Errorf("the byte behind it passed after %v: want 8.01s", at-start)
	}
	if at := pass(t, l, &b, at, 1000); at != start+10*time.Second+10*time.Millisecond {
		t.Errorf("the next large record passed after %v: want 10.01s", at-start)
	}
}

func TestOddSizes(t *testing.T) {
	t.Parallel()
	l := limiter(t, limits.Rates{Bytes: 1, BytesBurst: 10}, 10)
	for _, n := range []int{0, -1, math.MinInt} {
		var b limits.Buckets
		for range 100 {
			if _, ok := l.Take(&b, 0, n); !ok {
				t.Fatalf("a record of %d bytes was refused", n)
			}
		}
	}
	var b limits.Buckets
	if _, ok := l.Take(&b, 0, math.MaxInt); !ok {
		t.Fatal("a full bucket held a huge record back")
	}
	if wait, ok := l.Take(&b, 0, math.MaxInt); ok || wait != (1<<33)*time.Second {
		t.Errorf("Take = %v, %v: want 2^33 s, false", wait, ok)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	rates := limits.Rates{Messages: 10, MessagesBurst: 2}
	type step struct {
		now  time.Duration
		wait time.Duration // 0: passes
	}
	const ms = time.Millisecond
	tests := []struct {
		name  string
		steps []step
	}{
		{"starts at zero", []step{{0, 0}, {0, 0}, {0, 100 * ms}}},
		{"starts below zero", []step{{-time.Hour, 0}, {-time.Hour, 0}, {-time.Hour, 100 * ms}, {-time.Hour + 100*ms, 0}}},
		{"starts late", []step{{math.MaxInt64 - 1, 0}, {math.MaxInt64 - 1, 0}, {math.MaxInt64 - 1, 100 * ms}}},
		{"runs over the whole range", []step{{math.MinInt64, 0}, {math.MinInt64, 0}, {math.MinInt64, 100 * ms}, {math.MaxInt64, 0}, {math.MaxInt64, 0}, {math.MaxInt64, 100 * ms}}},
		{"jitter gives no tokens", []step{{time.Hour, 0}, {time.Hour, 0}, {time.Hour - 500*ms, 600 * ms}, {time.Hour, 100 * ms}, {time.Hour - 500*ms, 600 * ms}, {time.Hour, 100 * ms}, {time.Hour + 100*ms, 0}}},
		{"a jump back starves nobody", []step{{time.Hour, 0}, {time.Hour, 0}, {time.Minute, 100 * ms}, {time.Minute + 100*ms, 0}, {time.Minute + 100*ms, 100 * ms}}},
		{"a jump back keeps the tokens", []step{{time.Hour, 0}, {time.Minute, 0}, {time.Minute, 100 * ms}}},
		{"a jump forward gives a burst", []step{{0, 0}, {0, 0}, {1000 * time.Hour, 0}, {1000 * time.Hour, 0}, {1000 * time.Hour, 100 * ms}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := limiter(t, rates, 0)
			var b limits.Buckets
			for i, s := range tt.steps {
				if wait, ok := l.Take(&b, s.now, 1); wait != s.wait || ok != (s.wait == 0) {
					t.Fatalf("step %d at %v: Take = %v, %v: want a wait of %v", i, s.now, wait, ok, s.wait)
				}
			}
		})
	}
}

func TestNilLimiter(t *testing.T) {
	t.Parallel()
	var l *limits.Limiter
	var b limits.Buckets
	for range 100 {
		if wait, ok := l.Take(&b, 0, 1<<30); wait != 0 || !ok {
			t.Fatalf("Take = %v, %v: want 0, true", wait, ok)
		}
	}
	if l.Mode() != limits.Wait {
		t.Errorf("Mode = %v", l.Mode())
	}
}

func FuzzTake(f *testing.F) {
	f.Add(int64(100_000), 20, int64(1000), 500, int64(0), int64(1), 1, 1000)
	f.Add(int64(1), 1, int64(1<<33), 1<<30, int64(math.MinInt64), int64(math.MaxInt64), math.MaxInt, -5)
	f.Fuzz(func(t *testing.T, milli int64, burst int, bytes int64, byteBurst int, t1, t2 int64, n1, n2 int) {
		l, err := limits.NewLimiter(limits.Rates{Messages: float64(milli) / 1000, MessagesBurst: burst, Bytes: float64(bytes), BytesBurst: byteBurst}, 0)
		if err != nil || l == nil {
			return // refused, which TestRatesErrors looks at
		}
		var b limits.Buckets
		now := time.Duration(t1)
		for _, s := range []struct {
			at time.Duration
			n  int
		}{{now, n1}, {time.Duration(t2), n2}, {now, n2}, {time.Duration(t2), n1}} {
			wait, ok := l.Take(&b, s.at, s.n)
			if ok != (wait == 0) || wait < 0 {
				t.Fatalf("Take(%d, %d) = %v, %v", s.at, s.n, wait, ok)
			}
			if !ok && s.at+wait > s.at {
				if again, ok := l.Take(&b, s.at+wait, s.n); !ok {
					t.Fatalf("Take(%d, %d): refused for %v, and then for another %v", s.at, s.n, wait, again)
				}
			}
		}
	})
}

func BenchmarkTake(b *testing.B) {
	l, err := limits.NewLimiter(limits.Rates{Messages: 1000, Bytes: 1 << 20}, 32768)
	if err != nil {
		b.Fatal(err)
	}
	var s limits.Buckets
	var now time.Duration
	b.ReportAllocs()
	for b.Loop() {
		l.Take(&s, now, 100)
		now += 300 * time.Microsecond
	}
}

// TestFull: buckets are full exactly when new ones would let the same through.
func TestFull(t *testing.T) {
	t.Parallel()
	l := limiter(t, limits.Rates{Messages: 10, MessagesBurst: 5, Bytes: 1000, BytesBurst: 500}, 100)
	take := func(n int) func(b *limits.Buckets) {
		return func(b *limits.Buckets) { l.Take(b, time.Second, n) }
	}
	for _, c := range []struct {
		name string
		l    *limits.Limiter
		take func(b *limits.Buckets)
		now  time.Duration
		want bool
	}{
		{"new", l, func(*limits.Buckets) {}, 0, true},
		{"at once", l, take(1), time.Second, false},
		{"messages: a nanosecond before", l, take(1), 1100*time.Millisecond - 1, false},
		{"messages: full", l, take(1), 1100 * time.Millisecond, true},
		{"bytes: a nanosecond before", l, take(200), 1200*time.Millisecond - 1, false},
		{"bytes: full", l, take(200), 1200 * time.Millisecond, true},
		{"a clock that has gone back", l, take(1), time.Second - 1, false},
		{"no limiter", nil, func(*limits.Buckets) {}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b limits.Buckets
			c.take(&b)
			was := b
			if got := c.l.Full(&b, c.now); got != c.want {
				t.Errorf("full: %v", got)
			}
			if b != was {
				t.Error("asking has changed the buckets")
			}
		})
	}
}
