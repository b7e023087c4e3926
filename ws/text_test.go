package ws

import (
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// badAt is the index of the first byte of p that no UTF-8 text could have there, len(p) if there is none: by trying every
// continuation that matters.
func badAt(p []byte) int {
	for i := range p {
		if !prefixOfText(p[:i+1]) {
			return i
		}
	}
	return len(p)
}

// prefixOfText reports whether some bytes behind p make it valid UTF-8.
func prefixOfText(p []byte) bool {
	for _, tail := range []string{"", "\x80", "\x80\x80", "\x80\x80\x80", "\xbf\xbf", "\xbf\xbf\xbf"} {
		if utf8.Valid(append(p[:len(p):len(p)], tail...)) {
			return true
		}
	}
	return false
}

// TestTextExhaustive compares the states with utf8.Valid for all sequences of up to two bytes, all of three whose first two may stand in
// UTF-8 and are not both ASCII, and of four where the last byte is one of those at the edges.
func TestTextExhaustive(t *testing.T) {
	t.Parallel()
	check := func(p ...byte) {
		s, good := textWhole.check(p)
		bytewise := textWhole
		for _, b := range p {
			if bytewise = bytewise.step(b); bytewise == textInvalid {
				break
			}
		}
		if valid := utf8.Valid(p); (s == textWhole) != valid || s != bytewise || (s == textInvalid) != (good < len(p)) {
			t.Fatalf("%x: state %d at %d, byte by byte state %d; utf8.Valid says %v", p, s, good, bytewise, valid)
		}
	}
	edges := []byte{0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff}
	for a := range 256 {
		check(byte(a))
		for b := range 256 {
			check(byte(a), byte(b))
			every := 1
			if a < 0x80 {
				every = 8 // nothing new in between
			}
			if textWhole.step(byte(a)).step(byte(b)) == textInvalid {
				every = 64 // what follows a bad byte does not matter
			}
			for c := 0; c < 256; c += every {
				check(byte(a), byte(b), byte(c))
				if a >= 0xf0 && a <= 0xf5 {
					for _, d := range edges {
						check(byte(a), byte(b), byte(c), d)
					}
				}
			}
		}
	}
}

// TestTextPieces cuts random texts, mostly valid ones, anywhere: the verdict and its place must not depend on the cuts.
func TestTextPieces(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "hello, world", "é", "€", "𤭢", "\u0800", "\ud7ff", "\ue000", "\U0010ffff", "\U00010000"}
	faults := []string{"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90", "\xff", "\xe0\x9f", "\xf0\x8f", "\xc3", "\xe2\x82", "\xf0\xa4\xad"}
	for range 3000 {
		var p []byte
		for range rnd.IntN(12) {
			p = append(p, alphabet[rnd.IntN(len(alphabet))]...)
			if rnd.IntN(12) == 0 {
				p = append(p, faults[rnd.IntN(len(faults))]...)
			}
		}
		want := badAt(p)
		s, got := textWhole, 0
		for got < len(p) {
			n := 1 + rnd.IntN(len(p)-got)
			var good int
			s, good = s.check(p[got : got+n])
			got += good
			if good < n {
				break
			}
		}
		if got != want || (s == textInvalid) != (want < len(p)) || (s == textWhole) != utf8.Valid(p) {
			t.Fatalf("%q: state %d, bad at %d; want %d, valid %v", p, s, got, want, utf8.Valid(p))
		}
	}
}
