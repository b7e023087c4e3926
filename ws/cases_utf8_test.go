package ws

import (
	"fmt"
	"strings"
)

// utf8Cases are section 6 of the suite. From 6.5 on they are the sequences of Markus Kuhn's UTF-8 decoder test, each as one text
// message.
func utf8Cases() []rfcCase {
	const (
		german = "Hello-µ@ßöäüàá-UTF-8!!"
		greek  = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" // κόσμε
		edited = "edited"
		over   = "\xf4\x90\x80\x80" // U+110000; the second byte is the one too many
	)
	bytewise := func(s string) (frames []string) {
		for i := range len(s) {
			op := byte(0)
			if i == 0 {
				op = 1
			}
			frames = append(frames, clientFrame(op, i == len(s)-1, 0, s[i:i+1]))
		}
		return frames
	}
	cs := []rfcCase{
		good("6.1.1", "empty text", list(text("")), list("text ")),
		good("6.1.2", "text in three empty fragments", list(first(""), more(""), last("")), list("text ")),
		good("6.1.3", "text in three fragments, only the middle one not empty", list(first(""), more("middle frame payload"), last("")), list("text middle frame payload")),
		good("6.2.1", "valid text in one frame", list(text(german)), list("text "+german)),
		good("6.2.2", "valid text in two fragments, cut between characters", list(first("Hello-µ@ßöä"), last("üàá-UTF-8!!")), list("text "+german)),
		good("6.2.3", "valid text in fragments of one byte", bytewise(german), list("text "+german)),
		good("6.2.4", "valid Greek text in fragments of one byte", bytewise(greek), list("text "+greek)),
		bad("6.3.1", "a surrogate inside valid text", 1007, list(text(greek+"\xed\xa0\x80"+edited))),
		bad("6.3.2", "a surrogate inside valid text, in fragments of one byte", 1007, bytewise(greek+"\xed\xa0\x80"+edited)),
		bad("6.4.1", "fail fast: three fragments, the second one invalid", 1007, list(first(greek), more(over), last(edited))),
		bad("6.4.2", "fail fast: three fragments, the second one only the byte that makes it invalid", 1007, list(first(greek+over[:1]), more(over[1:2]), last(over[2:]+edited))),
		bad("6.4.3", "fail fast: one frame in three pieces, the second one invalid", 1007, cut(text(greek+over+edited), 6+11, 6+15)),
		bad("6.4.4", "fail fast: one frame in three pieces, the second one only the byte that makes it invalid", 1007, cut(text(greek+over+edited), 6+12, 6+13)),
	}
	const badByte = 12 + 1 // from 1, within the payload
	for i := range cs {
		switch cs[i].id {
		case "6.3.1", "6.4.3", "6.4.4":
			cs[i].failAt = 6 + badByte
		case "6.3.2":
			cs[i].failAt = 7 * badByte // frames of seven bytes
		case "6.4.1", "6.4.2":
			cs[i].failAt = 2*6 + badByte
		}
	}

	for i, group := range kuhn() {
		for j, s := range group.sequences {
			id := fmt.Sprintf("6.%d.%d", i+5, j+1)
			about := fmt.Sprintf("%s: %x", group.about, s)
			if group.valid == nil || group.valid[j] {
				cs = append(cs, good(id, about, list(text(s)), list("text "+s)))
			} else {
				cs = append(cs, bad(id, about, 1007, list(text(s))))
			}
		}
	}
	return cs
}

// cut cuts s at the given places.
func cut(s string, at ...int) (pieces []string) {
	from := 0
	for _, to := range append(at, len(s)) {
		pieces = append(pieces, s[from:to])
		from = to
	}
	return pieces
}

type sequences struct {
	about     string
	sequences []string
	valid     []bool // nil: all are
}

func kuhn() []sequences {
	const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	none := func(n int) []bool { return make([]bool, n) }
	var prefixes sequences
	prefixes.about = "prefixes of a Greek word"
	ends := map[int]bool{2: true, 5: true, 7: true, 9: true, 11: true}
	for i := 1; i <= len(greek); i++ {
		prefixes.sequences = append(prefixes.sequences, greek[:i])
		prefixes.valid = append(prefixes.valid, ends[i])
	}

	var strays []string
	for i := range 7 {
		strays = append(strays, strings.Repeat("\x80\xbf", 4)[:i])
	}
	strays = append([]string{"\x80", "\xbf"}, strays[2:]...)
	var all strings.Builder
	for b := 0x80; b < 0xbf; b++ {
		all.WriteByte(byte(b))
	}
	strays = append(strays, all.String())

	var lonely []string
	for _, r := range [][2]int{{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}} {
		var b strings.Builder
		for c := r[0]; c < r[1]; c++ {
			b.WriteByte(byte(c))
			b.WriteByte(' ')
		}
		lonely = append(lonely, b.String())
	}

	incomplete := []string{
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
	}

	nonCharacters := []string{"\xef\xbf\xbe", "\xef\xbf\xbf"}
	for plane := rune(1); plane <= 16; plane++ {
		nonCharacters = append(nonCharacters, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}

	return []sequences{
		{"valid text", []string{"hello$world", "hello\u00a2world", "hello\u20acworld", "hello\U00024b62world", greek}, nil},
		prefixes,
		{"first sequence of a length", []string{"\x00", "\u0080", "\u0800", "\U00010000"}, nil},
		{"first sequence of five and six bytes", []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}, none(2)},
		{"last sequence of a length", []string{"\x7f", "\u07ff", "\uffff", "\U0010ffff"}, nil},
		{"last sequence of four, five and six bytes", []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}, none(3)},
		{"other boundaries", []string{"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\xf4\x90\x80\x80"}, []bool{true, true, true, true, false}},
		{"continuation bytes alone", strays, none(8)},
		{"lonely first bytes", lonely, none(5)},
		{"last continuation byte missing", incomplete, none(10)},
		{"incomplete sequences joined", []string{strings.Join(incomplete, "")}, none(1)},
		{"impossible bytes", []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}, none(3)},
		{"overlong slash", []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"}, none(5)},
		{"maximum overlong sequences", []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"}, none(5)},
		{"overlong NUL", []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"}, none(5)},
		{"single surrogates", []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"}, none(7)},
		{"paired surrogates", []string{
			"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
			"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
		}, none(8)},
		{"non-characters, which are valid", nonCharacters, nil},
		{"specials", []string{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"}, nil},
	}
}
