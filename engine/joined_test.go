package engine

import (
	"bytes"
	"strings"
	"testing"
)

func TestJoined(t *testing.T) {
	t.Parallel()
	small, large := strings.Repeat("s", 100), strings.Repeat("L", 40_000)
	for _, tt := range []struct {
		name   string
		pieces []string
		off    int
		want   int // bytes joined; -1: none
	}{
		{"two small ones", []string{small, small}, 0, 200},
		{"the rest of one in front", []string{small, small, small}, 30, 270},
		{"a thousand", slicesOf(small, 1000), 0, joinMax / 100 * 100},
		{"two large ones", []string{large, large}, 0, -1},
		{"a large one behind", []string{small, large}, 0, -1},
		{"a large one among many", append(slicesOf(small, 60), append([]string{large}, slicesOf(small, 60)...)...), 0, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := &outQueue{off: tt.off}
			for _, p := range tt.pieces {
				o.push(piece{frame: NewFrame([]byte(p), 0)}, len(p))
			}
			o.bytes -= tt.off
			got := new(Loop).joined(o)
			if tt.want < 0 {
				if got != nil {
					t.Fatalf("%d bytes were joined", len(got))
				}
				return
			}
			if all := strings.Join(tt.pieces, "")[tt.off:]; len(got) != tt.want || !bytes.Equal(got, []byte(all[:tt.want])) {
				t.Errorf("%d bytes were joined, want the first %d of what waits", len(got), tt.want)
			}
		})
	}
}

func slicesOf(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}
