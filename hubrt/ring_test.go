package hubrt

import "testing"

func TestRing(t *testing.T) {
	t.Parallel()
	var r ring[int]
	in, out := 0, 0
	for round := range 200 {
		for range round * 7 % 90 {
			r.push(in)
			in++
		}
		for range round * 5 % 80 {
			v, ok := r.pop()
			if !ok {
				break
			}
			if v != out {
				t.Fatalf("got %d, want %d", v, out)
			}
			out++
		}
		if r.len() != in-out {
			t.Fatalf("%d are in it, want %d", r.len(), in-out)
		}
	}
}

func TestBufferSizes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 255, 256, 257, 1024, 1025, 4096, 4097, 16384, 16385, 65536, 65537, 262144, 262145, 1 << 20} {
		b := getBuffer(n)
		if cap(b.b) < n || len(b.b) != 0 || n > 256 && cap(b.b) >= 16*n { // a pooled one may be what an append has made of it, up to the next size
			t.Errorf("for %d bytes a buffer of %d", n, cap(b.b))
		}
		b.b = append(b.b, make([]byte, n)...)
		if g := b.grow(n + 1); cap(g.b)-len(g.b) < n+1 || len(g.b) != n {
			t.Errorf("%d did not grow", n)
		}
	}
	for range 100 { // what comes back grown, or odd, must not be handed out as more than it is
		for _, n := range []int{300, 900, 2000, 5000, 70_000, 300_000} {
			(&buffer{make([]byte, 0, n)}).free()
		}
		for _, n := range []int{256, 1024, 4096, 16384, 65536, 262144} {
			if b := getBuffer(n); cap(b.b) < n {
				t.Fatalf("for %d bytes a buffer of %d", n, cap(b.b))
			}
		}
	}
}
