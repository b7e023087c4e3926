package codec

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is how deep a message may nest, its own object counted; skipped properties count, too (wire contract, section 10).
const maxDepth = 64

// The scanner validates and moves on: each function takes the index of a token's first byte and returns the index behind its last one, or -1
// when it is not JSON. It accepts RFC 8259 exactly, in strict UTF-8; surrogate escapes are looked at by whoever needs the text (see unescape).

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		if b[i] != ' ' && b[i] != '\n' && b[i] != '\r' && b[i] != '\t' {
			return i
		}
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, with the high bit of their byte, the bytes of w that a string cannot just take over: quote, backslash, controls and non-ASCII. Bits above the
// lowest marked byte may be false (borrows), so only that one is to be used.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w | w) & highs
}

// skipString skips the string whose opening quote is at i. escaped: it holds a backslash.
func skipString(b []byte, i int) (end int, escaped bool) {
	i++
	for {
		// Eight bytes at a time: BenchmarkDecodeLongText, 0.25 against 1.1 ns per byte.
		for i+8 <= len(b) {
			if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = skipEscape(b, i); i < 0 {
				return -1, false
			}
		case c < ' ':
			return -1, false
		case c >= utf8.RuneSelf:
			for i < len(b) && b[i] >= utf8.RuneSelf {
				r, size := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && size == 1 {
					return -1, false
				}
				i += size
			}
		default:
			i++ // in the last seven bytes
		}
	}
}

// skipEscape skips the escape sequence whose backslash is at i.
func skipEscape(b []byte, i int) int {
	if i+1 >= len(b) {
		return -1
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if _, ok := hex4(b, i+2); ok {
			return i + 6
		}
	}
	return -1
}

// hex4 reads four hex digits at i.
func hex4(b []byte, i int) (r rune, ok bool) {
	if i+4 > len(b) {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func digit(b []byte, i int) bool { return i < len(b) && b[i]-'0' <= 9 }

// skipNumber skips the number that begins at i.
func skipNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case !digit(b, i):
		return -1
	case b[i] == '0':
		i++ // no digit may follow: whoever reads on finds it in place of a comma
	default:
		for digit(b, i) {
			i++
		}
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digit(b, i) {
			return -1
		}
		for digit(b, i) {
			i++
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digit(b, i) {
			return -1
		}
		for digit(b, i) {
			i++
		}
	}
	return i
}

// skipScalar skips the string, number, true, false or null that begins at i.
func skipScalar(b []byte, i int) int {
	var word string
	switch b[i] {
	case '"':
		end, _ := skipString(b, i)
		return end
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return skipNumber(b, i)
	}
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word)
	}
	return -1
}

// skipValue skips the value that begins at i, or behind white space at i. depth is the number of objects and arrays around it.
func skipValue(b []byte, i, depth int) int {
	objects := uint64(0) // one bit for each container opened here, the innermost lowest: 1 for an object
	open := 0            // how many of them
	for {
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		switch c := b[i]; c {
		case '{', '[':
			if depth+open >= maxDepth {
				return -1
			}
			open++
			objects <<= 1
			i = skipSpace(b, i+1)
			if c == '{' {
				objects |= 1
				if i < len(b) && b[i] != '}' {
					if i = skipName(b, i); i < 0 {
						return -1
					}
					continue
				}
			} else if i < len(b) && b[i] != ']' {
				continue
			}
		default:
			if i = skipScalar(b, i); i < 0 {
				return -1
			}
		}
		// A value has ended, or an empty container is about to: close what closes here, up to the next value.
		for next := false; !next; {
			if open == 0 {
				return i
			}
			if i = skipSpace(b, i); i >= len(b) {
				return -1
			}
			inObject := objects&1 != 0
			switch c := b[i]; {
			case c == '}' && inObject, c == ']' && !inObject:
				i++
				open--
				objects >>= 1
			case c == ',' && inObject:
				if i = skipName(b, skipSpace(b, i+1)); i < 0 {
					return -1
				}
				next = true
			case c == ',':
				i++
				next = true
			default:
				return -1
			}
		}
	}
}

// skipName skips a member's name and its colon.
func skipName(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i, _ = skipString(b, i); i < 0 {
		return -1
	}
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return i + 1
}

// skipArray skips the array that begins at i and counts its elements. depth is the number of objects and arrays around it, less than maxDepth.
func skipArray(b []byte, i, depth int) (end, n int) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, 0
	}
	for {
		if i = skipValue(b, i, depth+1); i < 0 {
			return -1, 0
		}
		n++
		if i = skipSpace(b, i); i >= len(b) {
			return -1, 0
		}
		switch b[i] {
		case ',':
			i++
		case ']':
			return i + 1, n
		default:
			return -1, 0
		}
	}
}

// wholeValue returns the one value that b holds, without white space around it.
func wholeValue(b []byte) (v []byte, ok bool) {
	i := skipSpace(b, 0)
	end := skipValue(b, i, 0)
	if end < 0 || skipSpace(b, end) != len(b) {
		return nil, false
	}
	return b[i:end], true
}
