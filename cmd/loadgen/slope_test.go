package main

import (
	"math"
	"testing"
)

func TestSlope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x, y []float64
		want float64
		ok   bool
	}{
		{nil, nil, 0, false},
		{[]float64{1}, []float64{1}, 0, false},
		{[]float64{2, 2}, []float64{1, 3}, 0, false},
		{[]float64{0, 1000}, []float64{5000, 505_000}, 500, true},
		{[]float64{0, 1, 2, 3}, []float64{1, 2, 4, 5}, 1.4, true},
	} {
		if got, ok := slope(c.x, c.y); ok != c.ok || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v over %v: %v, %t", c.y, c.x, got, ok)
		}
	}
}
