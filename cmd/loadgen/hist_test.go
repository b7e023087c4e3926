package main

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// The histograms of several processes, sent as JSON and merged, are that of one that has seen everything.
func TestHistMerge(t *testing.T) {
	t.Parallel()
	var whole, merged hist
	for range 5 {
		var part hist
		for range 2000 {
			v := rand.N(int64(1) << rand.N(36))
			part.record(v)
			whole.record(v)
		}
		b, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		var sent hist
		if err := json.Unmarshal(b, &sent); err != nil {
			t.Fatal(err)
		}
		merged.merge(&sent)
	}
	merged.merge(&hist{})
	if !merged.h.Equals(whole.h) {
		t.Error("the counts differ")
	}
	for _, p := range reported {
		if merged.at(p) != whole.at(p) {
			t.Errorf("percentile %v is %d, want %d", p, merged.at(p), whole.at(p))
		}
	}
	if merged.count() != 10_000 || merged.max() != whole.max() || merged.min() != whole.min() {
		t.Errorf("count %d, from %d to %d; want 10000, %d to %d", merged.count(), merged.min(), merged.max(), whole.min(), whole.max())
	}
}

func TestHistEdges(t *testing.T) {
	t.Parallel()
	var h hist
	if h.count() != 0 || h.at(99) != 0 || h.max() != 0 || h.min() != 0 {
		t.Error("an empty histogram is not all zero")
	}
	h.record(-5)
	h.record(histHighest * 2)
	if h.count() != 2 || h.min() != 0 || h.max() < histHighest*999/1000 {
		t.Errorf("%d values from %d to %d: what is out of range counts as the nearest", h.count(), h.min(), h.max())
	}
	h.reset()
	if h.count() != 0 {
		t.Error("not empty after reset")
	}
	var back hist
	for _, bad := range []string{`7`, `"nonsense"`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if err := json.Unmarshal([]byte(`""`), &back); err != nil || back.count() != 0 {
		t.Errorf("an empty one: %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	var f faults
	f.add("a", "first", 1)
	f.add("a", "second", 2)
	for i := range 2 * maxFaults {
		f.add(string(rune('b'+i)), "x", 1)
	}
	if f["a"] != (fault{3, "first"}) || len(f) > maxFaults+1 || f.total() != 3+2*maxFaults || f[otherFaults].Count == 0 {
		t.Errorf("%d kinds, %d in all, a: %+v", len(f), f.total(), f["a"])
	}
	var g faults
	g.merge(f)
	g.merge(f)
	if g["a"].Count != 6 || g["a"].First != "first" || g.total() != 2*f.total() {
		t.Errorf("merged: %+v, %d in all", g["a"], g.total())
	}
}

// Every count of a tally survives JSON and merging, and none survives reset.
func TestTally(t *testing.T) {
	t.Parallel()
	a := tally{Sent: 1, Answered: 2, Delivered: 3, SlowTaken: 4, BytesIn: 5, BytesOut: 6, Connected: 7, Ended: 8, Cut: 9, SlowCut: 10, Foreign: 11, Overtaken: 12, Duplicates: 13}
	a.Latency.record(1)
	a.Connect.record(2)
	a.Lag.record(3)
	a.Errors.add("k", "t", 14)
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back, sum tally
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	sum.merge(&a)
	sum.merge(&back)
	if sum.Sent != 2 || sum.Answered != 4 || sum.Delivered != 6 || sum.SlowTaken != 8 || sum.BytesIn != 10 || sum.BytesOut != 12 || sum.Connected != 14 ||
		sum.Ended != 16 || sum.Cut != 18 || sum.SlowCut != 20 || sum.Foreign != 22 || sum.Overtaken != 24 || sum.Duplicates != 26 ||
		sum.Latency.count() != 2 || sum.Connect.count() != 2 || sum.Lag.count() != 2 || sum.Errors.total() != 28 {
		t.Errorf("the sum is %+v", sum)
	}
	sum.reset()
	if c, _ := json.Marshal(sum); string(c) != string(mustJSON(t, tally{})) {
		t.Errorf("after reset: %s", c)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
