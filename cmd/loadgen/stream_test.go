package main

import (
	"math/rand/v2"
	"testing"
)

func TestStream(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name                       string
		came                       []int64
		sent                       int64
		overtaken, double, missing int64
	}{
		{"orderly", []int64{0, 1, 2, 3}, 4, 0, 0, 0},
		{"nothing", nil, 3, 0, 0, 3},
		{"lost inside", []int64{0, 2, 3}, 4, 0, 0, 1},
		{"lost at the end", []int64{0, 1}, 4, 0, 0, 2},
		{"lost at the beginning", []int64{3}, 4, 0, 0, 3},
		{"swapped", []int64{0, 2, 1, 3}, 4, 1, 0, 0},
		{"double", []int64{0, 1, 1, 2}, 3, 0, 1, 0},
		{"double of an overtaken one", []int64{0, 2, 1, 1}, 3, 1, 1, 0},
		{"double before a gap", []int64{0, 2, 0}, 3, 0, 1, 1},
		{"backwards", []int64{3, 2, 1, 0}, 4, 3, 0, 0},
		{"middle of a gap", []int64{5, 2, 1, 3, 3}, 6, 3, 1, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s stream
			var overtakenN, double int64
			for _, seq := range c.came {
				switch s.accept(seq) {
				case overtaken:
					overtakenN++
				case duplicate:
					double++
				}
			}
			if m := s.missing(c.sent); m != c.missing || overtakenN != c.overtaken || double != c.double {
				t.Errorf("%d missing, %d overtaken, %d twice; want %d, %d, %d", m, overtakenN, double, c.missing, c.overtaken, c.double)
			}
		})
	}
}

// Against a set: random loss, duplicates and disorder.
func TestStreamRandom(t *testing.T) {
	t.Parallel()
	for range 200 {
		sent := int64(rand.N(60))
		var order []int64
		for i := range sent {
			switch rand.N(10) {
			case 0:
			case 1:
				order = append(order, i, i)
			default:
				order = append(order, i)
			}
		}
		for range 5 {
			if len(order) > 1 {
				i := rand.N(len(order) - 1)
				order[i], order[i+1] = order[i+1], order[i]
			}
		}
		var s stream
		seen := map[int64]bool{}
		highest := int64(-1)
		for _, seq := range order {
			want := inOrder
			switch {
			case seen[seq]:
				want = duplicate
			case seq < highest:
				want = overtaken
			}
			seen[seq] = true
			highest = max(highest, seq)
			if got := s.accept(seq); got != want {
				t.Fatalf("%v: message %d is %d, want %d", order, seq, got, want)
			}
		}
		if m := s.missing(sent); m != sent-int64(len(seen)) {
			t.Fatalf("%v of %d: %d missing, want %d", order, sent, m, sent-int64(len(seen)))
		}
	}
}

// A server that loses very much does not fill the memory, and the sum stays right.
func TestStreamBound(t *testing.T) {
	t.Parallel()
	var s stream
	const sent = 100_000
	for seq := int64(1); seq < sent; seq += 2 {
		s.accept(seq)
	}
	if len(s.behind.ranges) > maxGaps {
		t.Errorf("%d ranges are kept, at most %d may be", len(s.behind.ranges), maxGaps)
	}
	if m := s.missing(sent); m != sent/2 {
		t.Errorf("%d missing, want %d", m, sent/2)
	}
	// A wide range is split from its middle while no room is left: what is forgotten still counts.
	var wide stream
	for i := range int64(maxGaps) {
		wide.accept(i*100 + 99)
	}
	for i := range int64(maxGaps) {
		wide.accept(i*100 + 50)
	}
	if m := wide.missing(maxGaps * 100); m != maxGaps*98 {
		t.Errorf("%d missing, want %d", m, maxGaps*98)
	}
}
