package codec

import (
	"bytes"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plain marks the ASCII bytes that stand for themselves in a string that we write.
var plain = func() (t [utf8.RuneSelf]bool) {
	for c := ' '; c < 0x7F; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// literal has a bit for each character up to U+FFFF that stands for itself in a string that we write. .NET's relaxed encoder, whose bytes clients
// have always seen, escapes the categories Cc, Cs, Co, Cn, Zl, Zp and Zs (but the space), and the byte order mark (wire contract, section 10).
var literal = func() (t [0x10000 / 64]uint64) {
	for _, table := range []*unicode.RangeTable{unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Cf} {
		for _, r16 := range table.R16 {
			for c := uint32(r16.Lo); c <= uint32(r16.Hi); c += uint32(r16.Stride) {
				t[c/64] |= 1 << (c % 64)
			}
		}
	}
	t[0xFEFF/64] &^= 1 << (0xFEFF % 64)
	return t
}()

func isLiteral(r rune) bool { return r < 0x10000 && literal[r/64]&(1<<(r%64)) != 0 }

const hexDigits = "0123456789ABCDEF"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0 // what comes before it has been appended
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if !plain[c] {
				dst = append(dst, s[done:i]...)
				dst = appendEscape(dst, rune(c))
				done = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[done:i]...)
			dst = utf8.AppendRune(dst, utf8.RuneError)
			done = i + 1
		} else if !isLiteral(r) {
			dst = append(dst, s[done:i]...)
			dst = appendEscape(dst, r)
			done = i + size
		}
		i += size
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendEscape appends r as an escape sequence, or as two.
func appendEscape(dst []byte, r rune) []byte {
	short := byte(0)
	switch r {
	case '"', '\\':
		short = byte(r)
	case '\n':
		short = 'n'
	case '\r':
		short = 'r'
	case '\t':
		short = 't'
	case '\b':
		short = 'b'
	case '\f':
		short = 'f'
	}
	if short != 0 {
		return append(dst, '\\', short)
	}
	if r >= 0x10000 {
		high, low := utf16.EncodeRune(r)
		return appendUnit(appendUnit(dst, high), low)
	}
	return appendUnit(dst, r)
}

// appendUnit appends one UTF-16 code unit as an escape sequence.
func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}

// unescape appends the text of a JSON string's inside to dst. raw must have passed skipString (else the result is undefined, but nothing worse).
// ok is false when it holds half of a surrogate pair, which no text can hold.
func unescape(dst, raw []byte) (text []byte, ok bool) {
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			return append(dst, raw[i:]...), true
		}
		dst = append(dst, raw[i:i+n]...)
		r, size := unescapeOne(raw, i+n)
		if size == 0 {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
		i += n + size
	}
	return dst, true
}

// unescapeOne reads the escape sequence, or the two of a surrogate pair, at i. size is 0 for half of a pair, or for no escape sequence.
func unescapeOne(raw []byte, i int) (r rune, size int) {
	if i+1 >= len(raw) {
		return 0, 0
	}
	switch c := raw[i+1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, 0
	}
	r, ok := hex4(raw, i+2)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if i+7 < len(raw) && raw[i+6] == '\\' && raw[i+7] == 'u' {
		if low, ok := hex4(raw, i+8); ok {
			if r = utf16.DecodeRune(r, low); r != unicode.ReplacementChar {
				return r, 12
			}
		}
	}
	return 0, 0
}

// isText says whether the escape sequences in raw, one string or a whole value, make text: no half of a surrogate pair.
func isText(raw []byte) bool {
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			return true
		}
		_, size := unescapeOne(raw, i+n)
		if size == 0 {
			return false
		}
		i += n + size
	}
	return true
}

// clip cuts raw text to at most n bytes for use in an error, at the start of a character.
func clip(raw []byte, n int) []byte {
	if len(raw) <= n {
		return raw
	}
	for n > 0 && !utf8.RuneStart(raw[n]) {
		n--
	}
	return raw[:n]
}
