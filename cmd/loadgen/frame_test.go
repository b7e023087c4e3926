package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAppendFrame(t *testing.T) {
	t.Parallel()
	key := []byte{byte(maskKey & 0xff), byte(maskKey >> 8 & 0xff), byte(maskKey >> 16 & 0xff), byte(maskKey >> 24)}
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 125, 126, 127, 65535, 65536, 70001} {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rand.N(256))
		}
		f := appendFrame([]byte("before"), opText, p)
		f = f[len("before"):]
		var head []byte
		switch {
		case n < 126:
			head = []byte{0x81, 0x80 | byte(n)}
		case n < 65536:
			head = []byte{0x81, 0x80 | 126, byte(n >> 8), byte(n)}
		default:
			head = []byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}
		}
		head = append(head, key...)
		if !bytes.HasPrefix(f, head) || len(f) != len(head)+n {
			t.Fatalf("%d bytes: the head is % x, want % x; %d bytes in all", n, f[:min(len(f), 14)], head, len(f))
		}
		for i, b := range f[len(head):] {
			if b^key[i%4] != p[i] {
				t.Fatalf("%d bytes: byte %d is not masked as it should be", n, i)
			}
		}
	}
}

func TestParseFrameHeader(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		in   []byte
		want frameHeader
		n    int
		err  string
	}{
		{"text", []byte{0x81, 5}, frameHeader{opText, true, 5}, 2, ""},
		{"fragment", []byte{0x02, 0}, frameHeader{opBinary, false, 0}, 2, ""},
		{"16 bits", []byte{0x80, 126, 1, 2}, frameHeader{opContinuation, true, 258}, 4, ""},
		{"64 bits", []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}, frameHeader{opText, true, 65536}, 10, ""},
		{"ping", []byte{0x89, 125}, frameHeader{opPing, true, 125}, 2, ""},
		{"masked", []byte{0x81, 0x85}, frameHeader{}, 0, "is masked"},
		{"reserved bit", []byte{0xc1, 5}, frameHeader{}, 0, "reserved bits"},
		{"reserved opcode", []byte{0x83, 5}, frameHeader{}, 0, "reserved opcode 3"},
		{"long ping", []byte{0x89, 126, 0, 126}, frameHeader{}, 0, "at most 125"},
		{"fragmented close", []byte{0x08, 2}, frameHeader{}, 0, "final bit false"},
		{"too long", []byte{0x81, 127, 0, 0, 0, 0, 0x80, 0, 0, 1}, frameHeader{}, 0, "at most 8388608"},
		{"negative as an int", []byte{0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 1}, frameHeader{}, 0, "at most 8388608"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, n, err := parseFrameHeader(append(c.in, "payload"...))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q in it", err, c.err)
				}
				return
			}
			if err != nil || h != c.want || n != c.n {
				t.Fatalf("%+v, %d, %v; want %+v, %d", h, n, err, c.want, c.n)
			}
			for i := range c.n {
				if _, n, err := parseFrameHeader(c.in[:i]); n != 0 || err != nil {
					t.Errorf("the first %d bytes: %d, %v; more is needed", i, n, err)
				}
			}
		})
	}
}

func FuzzParseFrameHeader(f *testing.F) {
	f.Add([]byte{0x81, 5})
	f.Add([]byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Add(appendFrame(nil, opText, handshakeRecord))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n, err := parseFrameHeader(p)
		if n > len(p) || n < 0 || h.length < 0 || h.length > maxMessage || err != nil && n != 0 {
			t.Fatalf("%+v, %d, %v of % x", h, n, err, p)
		}
	})
}
