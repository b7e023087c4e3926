package codec

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// depthOf counts the nesting of valid JSON.
func depthOf(b []byte) (deepest int) {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
	}
	return deepest
}

// checkScanner compares the scanner with other readers of JSON.
func checkScanner(t *testing.T, b []byte) {
	t.Helper()
	_, got := wholeValue(b)
	standard := json.Valid(b)
	want := standard && utf8.Valid(b) && depthOf(b) <= maxDepth
	if got != want {
		t.Errorf("valid: %t, by encoding/json, UTF-8 and depth: %t: %.200q", got, want, b)
	}
	// fastjson is asked about valid JSON only, as it is lenient, and slow on deep nesting.
	if got && fastjson.ValidateBytes(b) != nil {
		t.Errorf("fastjson refuses %.200q", b)
	}
	end, n := 0, 0
	if i := skipSpace(b, 0); i < len(b) && b[i] == '[' {
		end, n = skipArray(b, i, 0)
		if (end > 0 && skipSpace(b, end) == len(b)) != got {
			t.Errorf("skipArray of %.200q: %d, yet valid: %t", b, end, got)
		}
	}
	if end > 0 && got {
		var list []json.RawMessage
		if err := json.Unmarshal(b, &list); err != nil || len(list) != n {
			t.Errorf("%d elements, want %d (%v): %.200q", n, len(list), err, b)
		}
		i := 0
		for value, rest, ok := JSON.NextValue(b); ok; value, rest, ok = JSON.NextValue(rest) {
			if i >= len(list) || !bytes.Equal(value, list[i]) {
				t.Fatalf("value %d is %q: %.200q", i, value, b)
			}
			i++
		}
		if depthOf(b) <= maxDepth-2 && i != len(list) {
			t.Errorf("NextValue found %d values, want %d: %.200q", i, len(list), b)
		}
	}
}

var scannerSeeds = []string{
	``, ` `, `1`, ` 1 `, `-0`, `0.0`, `1e5`, `1E+5`, `1e-5`, `-`, `01`, `1.`, `.1`, `1e`, `1e+`, `+1`, `0x1`, `1 2`, `--1`, `1.5.5`, `1e5e5`,
	`true`, `false`, `null`, `tru`, `truee`, `nul`, `falsch`, `NaN`, `Infinity`, `True`,
	`""`, `"a"`, `"`, `"a`, `"\"`, `"\\"`, `"\u"`, `"\u12"`, `"\u123"`, `"\u1234"`, `"\uD83D\uDE00"`, `"\ud800"`, `"\x"`, `'a'`, `"12345678\n"`, `"1234567\""`, `"é"`, `"12345678é😀x"`,
	"\"\x00\"", "\"\x1f\"", "\"1234567\x1f\"", "\"\x7f\"", "\"\x80\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\xef\xbb\xbf1", "1\x00", "\x0b1", "\u00a01",
	`{}`, `[]`, `{ }`, `[ ]`, `{,}`, `[,]`, `[1,]`, `[1 2]`, `[1,2]`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{1:2}`, `{"a":1,"a":2}`, `[1}`, `{"a":1]`, `[`, `{`, `]`, `}`,
	`[[]]`, `[{}]`, `{"a":[]}`, `{"a":{}}`, `[[],[]]`, `[{"a":[1,{"b":null}]}, "x" ,-1.5e+7]`, `[1]]`, `{}{}`, `[] x`, `/**/1`, `1//`,
}

func TestScanner(t *testing.T) {
	t.Parallel()
	for _, s := range scannerSeeds {
		checkScanner(t, []byte(s))
	}
	for n := 62; n <= 66; n++ {
		checkScanner(t, []byte(strings.Repeat("[", n)+strings.Repeat("]", n)))
		checkScanner(t, []byte(strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n)))
		checkScanner(t, []byte(strings.Repeat(`[{"a":`, n/2)+"[]"+strings.Repeat("}]", n/2)))
	}
}

// Valid JSON with one byte changed, and every prefix of it: where most mistakes of a scanner would show.
func TestScannerOnDamage(t *testing.T) {
	t.Parallel()
	text := []byte("[{\"a\\u00e9\\n\":[1,-2.5e+3,true,false,null,\"plain text of some length\",\"é😀\"],\"b\":{\"c\":[]}} , [[{}]], \"\"]")
	checkScanner(t, text)
	for i := range text {
		checkScanner(t, text[:i])
		b := bytes.Clone(text)
		for _, c := range []byte("\x00\x1f \"\\,:[]{}09-+.eEtfnu/\x7f\x80\xc0\xe2\xff") {
			b[i] = c
			checkScanner(t, b)
		}
	}
}

// The quote, the backslash, controls and non-ASCII at every place of the eight bytes that are looked at together.
func TestSpecial(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b [24]byte
		b[0] = '"'
		for i := 1; i < len(b); i++ {
			if b[i] = byte(rnd.Uint32()); rnd.IntN(4) > 0 {
				b[i] = ' ' + b[i]%95
			}
		}
		b[rnd.IntN(len(b)-1)+1] = '"'
		checkScanner(t, b[:])
		end, _ := skipString(b[:], 0)
		if want := json.Valid(b[:max(end, 0)]) && utf8.Valid(b[:max(end, 0)]); (end > 0) != want && end > 0 {
			t.Errorf("skipString(%q) = %d", b, end)
		}
	}
}
