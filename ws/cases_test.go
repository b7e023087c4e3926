package ws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A rfcCase is a case of the Autobahn test suite, under the suite's number: what a client sends and what an echo server must
// answer. Where the suite lets a server choose, the strictest answer is the only one here. The close frame with which the suite
// ends a good connection, and its answer, are part of each case.
type rfcCase struct {
	id, about string
	send      []string // in the pieces in which the suite sends it
	want      []string // in this order, and nothing else
	failAt    int      // sent byte by byte, the fault must be noticed with this byte (from 1), no sooner and no later; 0: not looked at
}

// rfcCases is the whole table.
func rfcCases() []rfcCase {
	return slices.Concat(framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(), utf8Cases(), closeCases(), miscCases())
}

// good adds the close handshake at the end.
func good(id, about string, send, want []string) rfcCase {
	return rfcCase{id: id, about: about, send: append(slices.Clip(send), closing(1000, "")), want: append(slices.Clip(want), "close 1000")}
}

// bad is a case that ends with a fault.
func bad(id, about string, code int, send []string, want ...string) rfcCase {
	return rfcCase{id: id, about: about, send: send, want: append(want, fmt.Sprintf("close %d", code))}
}

func list(s ...string) []string { return s }

// chop cuts s into pieces of n bytes.
func chop(n int, frames ...string) (pieces []string) {
	s := strings.Join(frames, "")
	for len(s) > n {
		pieces = append(pieces, s[:n])
		s = s[n:]
	}
	return append(pieces, s)
}

func framingCases() (cs []rfcCase) {
	lengths := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
	for i, n := range lengths {
		p := strings.Repeat("*", n)
		send := list(text(p))
		about := fmt.Sprintf("text message of %d bytes", n)
		if i == len(lengths)-1 {
			send = chop(997, send...)
			about += ", in chops of 997"
		}
		cs = append(cs, good(fmt.Sprintf("1.1.%d", i+1), about, send, list("text "+p)))
	}
	for i, n := range lengths {
		p := strings.Repeat("\xfe", n)
		send := list(binaryF(p))
		about := fmt.Sprintf("binary message of %d bytes", n)
		if i == len(lengths)-1 {
			send = chop(997, send...)
			about += ", in chops of 997"
		}
		cs = append(cs, good(fmt.Sprintf("1.2.%d", i+1), about, send, list("binary "+p)))
	}
	return cs
}

func pingCases() []rfcCase {
	const notText = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	full := strings.Repeat("\xfe", 125)
	var ten, pongs []string
	for i := range 10 {
		p := fmt.Sprintf("payload-%d", i)
		ten = append(ten, ping(p))
		pongs = append(pongs, "pong "+p)
	}
	return []rfcCase{
		good("2.1", "ping without payload", list(ping("")), list("pong ")),
		good("2.2", "ping with a small text payload", list(ping("Hello, world!")), list("pong Hello, world!")),
		good("2.3", "ping with a payload that is not UTF-8", list(ping(notText)), list("pong "+notText)),
		good("2.4", "ping with 125 bytes", list(ping(full)), list("pong "+full)),
		bad("2.5", "ping with 126 bytes", 1002, list(ping(full+"\xfe"))),
		good("2.6", "ping with 125 bytes, byte by byte", chop(1, ping(full)), list("pong "+full)),
		good("2.7", "pong that nobody asked for, without payload", list(pongF("")), nil),
		good("2.8", "pong that nobody asked for, with payload", list(pongF("unsolicited pong payload")), nil),
		good("2.9", "pong that nobody asked for, then a ping", list(pongF("unsolicited pong payload"), ping("ping payload")), list("pong ping payload")),
		good("2.10", "ten pings", ten, pongs),
		good("2.11", "ten pings, byte by byte", chop(1, ten...), pongs),
	}
}

func reservedCases() []rfcCase {
	const hello = "Hello, world!"
	rsv := func(bits byte) string { return clientFrame(1, true, bits, hello) }
	return []rfcCase{
		bad("3.1", "text with reserved bits 1", 1002, list(rsv(1))),
		bad("3.2", "good text, text with reserved bits 2, ping", 1002, list(text(hello)+rsv(2)+ping("")), "text "+hello),
		bad("3.3", "good text, text with reserved bits 3, ping, frame by frame", 1002, list(text(hello), rsv(3), ping("")), "text "+hello),
		bad("3.4", "good text, text with reserved bits 4, ping, byte by byte", 1002, chop(1, text(hello), rsv(4), ping("")), "text "+hello),
		bad("3.5", "binary with reserved bits 5", 1002, list(clientFrame(2, true, 5, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))),
		bad("3.6", "ping with reserved bits 6", 1002, list(clientFrame(9, true, 6, hello))),
		bad("3.7", "close with reserved bits 7", 1002, list(clientFrame(8, true, 7, ""))),
	}
}

func opcodeCases() (cs []rfcCase) {
	const hello = "Hello, world!"
	for group, base := range []byte{3, 11} {
		id := func(i int) string { return fmt.Sprintf("4.%d.%d", group+1, i) }
		op := func(i byte, p string) string { return clientFrame(base+i, true, 0, p) }
		about := func(i byte) string { return fmt.Sprintf("reserved opcode %d", base+i) }
		cs = append(cs,
			bad(id(1), about(0), 1002, list(op(0, ""))),
			bad(id(2), about(1)+" with payload", 1002, list(op(1, "reserved opcode payload"))),
			bad(id(3), "good text, "+about(2)+", ping", 1002, list(text(hello), op(2, ""), ping("")), "text "+hello),
			bad(id(4), "good text, "+about(3)+" with payload, ping", 1002, list(text(hello), op(3, hello), ping("")), "text "+hello),
			bad(id(5), "good text, "+about(4)+" with payload, ping, byte by byte", 1002, chop(1, text(hello), op(4, hello), ping("")), "text "+hello),
		)
	}
	return cs
}

func fragmentCases() []rfcCase {
	const whole = "Hello, world!"
	const f1, f2, f3, f4, f5 = "fragment1", "fragment2", "fragment3", "fragment4", "fragment5"
	const both = "text " + f1 + f2
	joined := func(s ...string) []string { return list(strings.Join(s, "")) }
	strayFin, strayOpen := last("non-continuation payload"), more("non-continuation payload")
	interleaved := list(first(f1), more(f2), ping("pongme 1!"), more(f3), more(f4), ping("pongme 2!"), last(f5))
	answers := list("pong pongme 1!", "pong pongme 2!", "text "+f1+f2+f3+f4+f5)
	return []rfcCase{
		bad("5.1", "ping in two fragments", 1002, list(clientFrame(9, false, 0, f1), last(f2))),
		bad("5.2", "pong in two fragments", 1002, list(clientFrame(10, false, 0, f1), last(f2))),
		good("5.3", "text in two fragments, at once", joined(first(f1), last(f2)), list(both)),
		good("5.4", "text in two fragments, frame by frame", list(first(f1), last(f2)), list(both)),
		good("5.5", "text in two fragments, byte by byte", chop(1, first(f1), last(f2)), list(both)),
		good("5.6", "text in two fragments, a ping between them, at once", joined(first(f1), ping("ping payload"), last(f2)), list("pong ping payload", both)),
		good("5.7", "text in two fragments, a ping between them, frame by frame", list(first(f1), ping("ping payload"), last(f2)), list("pong ping payload", both)),
		good("5.8", "text in two fragments, a ping between them, byte by byte", chop(1, first(f1), ping("ping payload"), last(f2)), list("pong ping payload", both)),
		bad("5.9", "final continuation of nothing, then text, at once", 1002, joined(strayFin, text(whole))),
		bad("5.10", "final continuation of nothing, then text, frame by frame", 1002, list(strayFin, text(whole))),
		bad("5.11", "final continuation of nothing, then text, byte by byte", 1002, chop(1, strayFin, text(whole))),
		bad("5.12", "continuation of nothing, not final, then text, at once", 1002, joined(strayOpen, text(whole))),
		bad("5.13", "continuation of nothing, not final, then text, frame by frame", 1002, list(strayOpen, text(whole))),
		bad("5.14", "continuation of nothing, not final, then text, byte by byte", 1002, chop(1, strayOpen, text(whole))),
		bad("5.15", "text in two fragments, continuation of nothing, then text, at once", 1002, joined(first(f1), last(f2), more(f3), text(f4)), both),
		bad("5.16", "twice: continuation of nothing, not final, then text in two fragments", 1002, list(more(f1), first(f2), last(f3), more(f1), first(f2), last(f3))),
		bad("5.17", "twice: final continuation of nothing, then text in two fragments", 1002, list(last(f1), first(f2), last(f3), last(f1), first(f2), last(f3))),
		bad("5.18", "text in two fragments, both with opcode text", 1002, joined(first(f1), text(f2))),
		good("5.19", "text in five fragments, a ping after the second and the fourth, at once", joined(interleaved...), answers),
		good("5.20", "text in five fragments, a ping after the second and the fourth, frame by frame", interleaved, answers),
	}
}

func closeCases() []rfcCase {
	const hello = "Hello World!"
	big := strings.Repeat("BAsd7&jh23", 256<<10/10+1)[:256<<10]
	bye := closing(1000, "")
	ends := func(id, about string, want []string, send ...string) rfcCase {
		return rfcCase{id: id, about: about, send: send, want: append(want, "close 1000")}
	}
	cs := []rfcCase{
		ends("7.1.1", "a message, then close", list("text "+hello), text(hello), bye),
		ends("7.1.2", "two close frames: the second is not read", nil, bye, clientFrame(8, true, 0, "")),
		ends("7.1.3", "a ping behind the close frame: no pong", nil, bye, ping("")),
		ends("7.1.4", "a message behind the close frame: not read", nil, bye, text(hello)),
		ends("7.1.5", "close inside a fragmented message: the rest is not read", nil, first("fragment1"), bye, last("fragment2")),
		ends("7.1.6", "256 KiB, a message, close, ping: both come back, no pong", list("text "+big, "text "+hello), text(big), text(hello), bye, ping("")),
		ends("7.3.1", "close without payload", nil, clientFrame(8, true, 0, "")),
		bad("7.3.2", "close with one byte", 1002, list(clientFrame(8, true, 0, "a"))),
		ends("7.3.3", "close with a code", nil, bye),
		ends("7.3.4", "close with code and reason", nil, closing(1000, hello)),
		ends("7.3.5", "close with a reason of 123 bytes", nil, closing(1000, strings.Repeat("*", 123))),
		bad("7.3.6", "close with a reason of 124 bytes", 1002, list(closing(1000, strings.Repeat("*", 124)))),
		bad("7.5.1", "close with a reason that is not UTF-8", 1002, list(closing(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64"))),
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cs = append(cs, ends(fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("close with legal code %d", code), nil, closing(code, "")))
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cs = append(cs, bad(fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("close with illegal code %d", code), 1002, list(closing(code, ""))))
	}
	for i, code := range []uint16{5000, 65535} {
		cs = append(cs, bad(fmt.Sprintf("7.13.%d", i+1), fmt.Sprintf("close with code %d, above all ranges", code), 1002, list(closing(code, ""))))
	}
	return cs
}

func miscCases() []rfcCase {
	p := strings.Repeat("*", 65536)
	const size = 1300
	var send []string
	for off := 0; off < len(p); off += size {
		op, end := byte(0), min(off+size, len(p))
		if off == 0 {
			op = 1
		}
		send = append(send, clientFrame(op, end == len(p), 0, p[off:end]))
	}
	return []rfcCase{good("10.1.1", "text of 65,536 bytes in fragments of 1,300", send, list("text "+p))}
}

// TestCasesComplete holds the table against the numbers of the suite, so that none can be left out.
func TestCasesComplete(t *testing.T) {
	t.Parallel()
	var want []string
	for _, group := range []struct {
		prefix string
		n      int
	}{
		{"1.1", 8}, {"1.2", 8}, {"2", 11}, {"3", 7}, {"4.1", 5}, {"4.2", 5}, {"5", 20},
		{"6.1", 3}, {"6.2", 4}, {"6.3", 2}, {"6.4", 4}, {"6.5", 5}, {"6.6", 11}, {"6.7", 4}, {"6.8", 2}, {"6.9", 4}, {"6.10", 3}, {"6.11", 5},
		{"6.12", 8}, {"6.13", 5}, {"6.14", 10}, {"6.15", 1}, {"6.16", 3}, {"6.17", 5}, {"6.18", 5}, {"6.19", 5}, {"6.20", 7}, {"6.21", 8}, {"6.22", 34}, {"6.23", 7},
		{"7.1", 6}, {"7.3", 6}, {"7.5", 1}, {"7.7", 13}, {"7.9", 9}, {"7.13", 2}, {"10.1", 1},
	} {
		for i := 1; i <= group.n; i++ {
			want = append(want, fmt.Sprintf("%s.%d", group.prefix, i))
		}
	}
	var got []string
	for _, c := range rfcCases() {
		got = append(got, c.id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the table has the cases\n%q\nwant\n%q", got, want)
	}
}
