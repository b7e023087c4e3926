package ws

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// broken applies the rules of RFC 6455, sections 5.2 to 5.5, to a header as gobwas read it.
func broken(h ws.Header, size int) bool {
	control := h.OpCode.IsControl()
	minimal := size == 6 || size == 8 && h.Length > 125 || size == 14 && h.Length > 65535
	return h.Rsv != 0 || h.OpCode.IsReserved() || !h.Masked || control && (!h.Fin || size > 6) || !minimal
}

// checkHeader holds readHeader against gobwas's reader for p and all its prefixes.
func checkHeader(t *testing.T, p []byte) {
	t.Helper()
	r := bytes.NewReader(p)
	want, err := ws.ReadHeader(r)
	size := len(p) - r.Len()
	h, n, f := readHeader(p)
	switch {
	case err == ws.ErrHeaderLengthMSB:
		if f == faultNone {
			t.Errorf("%x: no fault, but the highest bit of the length is set", p)
		}
	case err != nil: // more bytes are needed, unless something is wrong already
		if n != 0 {
			t.Errorf("%x: read a header of %d bytes, gobwas says %v", p, n, err)
		}
	case broken(want, size):
		if f == faultNone {
			t.Errorf("%x: no fault in %+v", p, want)
		}
	case f != faultNone:
		t.Errorf("%x: %v in %+v", p, f, want)
	case n != size || h.fin != want.Fin || h.op != byte(want.OpCode) || h.mask != want.Mask || h.length != want.Length:
		t.Errorf("%x: %+v of %d bytes, gobwas has %+v of %d", p, h, n, want, size)
	}
	if f == faultNone && n != 0 {
		for i := range n {
			if _, m, g := readHeader(p[:i]); m != 0 || g != faultNone {
				t.Errorf("%x, %d bytes of it: length %d, %v", p, i, m, g)
			}
		}
		return
	}
	for i := range p { // a fault stays the same fault
		if _, _, g := readHeader(p[:i]); g != faultNone && g != f {
			t.Errorf("%x: %v, but %v in its first %d bytes", p, f, g, i)
		}
	}
}

// TestReadHeader goes through all first two bytes, each with lengths at the edges behind them.
func TestReadHeader(t *testing.T) {
	t.Parallel()
	tails := []string{
		"\x01\x02\x03\x04" + strings.Repeat("\x00", 12),
		"\x00\x7d\x01\x02\x03\x04" + strings.Repeat("\x00", 10),
		"\x00\x7e\x01\x02\x03\x04" + strings.Repeat("\x00", 10),
		"\xff\xff\x01\x02\x03\x04" + strings.Repeat("\x00", 10),
		"\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04\x05\x06",
		"\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02\x03\x04\x05\x06",
		"\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04\x05\x06",
		"\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06",
	}
	for first := range 256 {
		for second := range 256 {
			for _, tail := range tails {
				checkHeader(t, append([]byte{byte(first), byte(second)}, tail...))
			}
		}
		if t.Failed() {
			return
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte(text("hello")))
	f.Add([]byte(clientFrame(2, true, 0, strings.Repeat("x", 70000)))[:20])
	f.Add([]byte("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, p []byte) { checkHeader(t, p) })
}

func TestAppendHeader(t *testing.T) {
	t.Parallel()
	lengths := []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 1<<31 - 1}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		lengths = append(lengths, rnd.IntN(1<<uint(1+rnd.IntN(30))))
	}
	for _, n := range lengths {
		for _, isBinary := range []bool{false, true} {
			h := ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(n)}
			if isBinary {
				h.OpCode = ws.OpBinary
			}
			var want bytes.Buffer
			if err := ws.WriteHeader(&want, h); err != nil {
				t.Fatal(err)
			}
			got := AppendHeader([]byte("before"), isBinary, n)
			if string(got) != "before"+want.String() {
				t.Errorf("binary %v, %d bytes: %x, gobwas has %x", isBinary, n, got[6:], want.Bytes())
			}
			if len(got)-6 > MaxHeader {
				t.Errorf("%d bytes: a header of %d bytes, MaxHeader is %d", n, len(got)-6, MaxHeader)
			}
		}
	}
}

func TestAppendHeaderAllocs(t *testing.T) {
	buf := make([]byte, 0, MaxHeader)
	if n := testing.AllocsPerRun(100, func() { AppendHeader(buf, true, 70000); AppendHeader(buf, false, 5) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkReadHeader(b *testing.B) {
	p := []byte(text(strings.Repeat("a", 60)))
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			if _, n, f := readHeader(p); n != 6 || f != faultNone {
				b.Fatal(n, f)
			}
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		r := bytes.NewReader(p)
		for b.Loop() {
			r.Reset(p)
			if h, err := ws.ReadHeader(r); err != nil || ws.CheckHeader(h, ws.StateServerSide) != nil {
				b.Fatal(h, err)
			}
		}
	})
}

func BenchmarkFrameOut(b *testing.B) {
	payload := []byte(strings.Repeat("a", 32))
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = append(AppendHeader(buf[:0], false, len(payload)), payload...)
	}
}
