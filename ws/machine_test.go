package ws

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// trace is what a machine made of a client's bytes.
type trace struct {
	replies []string // of an echo server
	stream  []byte   // all payload of data messages, those not complete too
	endedAt int      // number of bytes shown when it ended; -1 if it did not
	fault   fault
}

// tracer drives a machine as an engine would: what is not consumed is shown again in front of what comes next.
type tracer struct {
	trace
	m     machine
	left  []byte
	msg   []byte
	shown int
}

func newTracer() *tracer { return &tracer{trace: trace{endedAt: -1}} }

func (r *tracer) feed(p string) {
	r.shown += len(p)
	if r.endedAt >= 0 {
		return
	}
	buf := append(r.left, p...)
	for off := 0; ; {
		ev, payload, n := r.m.next(buf[off:])
		off += n
		switch ev {
		case eventMore:
			r.left = bytes.Clone(buf[off:])
			return
		case eventData:
			r.stream = append(r.stream, payload...)
			r.msg = append(r.msg, payload...)
			if r.m.ended() {
				op := opBinary
				if r.m.isText() {
					op = opText
				}
				r.replies = append(r.replies, describe(op, r.msg))
				r.msg = nil
			}
		case eventPing:
			r.replies = append(r.replies, describe(opPong, payload))
		case eventPong:
		case eventClose:
			r.endedAt = r.shown
			r.replies = append(r.replies, describe(opClose, []byte{0x03, 0xe8}))
			return
		case eventFault:
			r.endedAt = r.shown
			r.fault = r.m.fault
			code := r.fault.code()
			r.replies = append(r.replies, describe(opClose, []byte{byte(code >> 8), byte(code)}))
			return
		}
	}
}

func (r *tracer) result() trace { return r.trace }

func traceOf(pieces ...string) trace {
	r := newTracer()
	for _, p := range pieces {
		r.feed(p)
	}
	return r.result()
}

// TestCases runs the table through the machine alone: in the suite's pieces, at once, byte by byte, and cut in two at every byte.
func TestCases(t *testing.T) {
	t.Parallel()
	for _, c := range rfcCases() {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			check := func(how string, pieces ...string) trace {
				t.Helper()
				got := traceOf(pieces...)
				if !slices.Equal(got.replies, c.want) {
					t.Fatalf("%s, %s: got%s\nwant%s", c.about, how, shorten(got.replies), shorten(c.want))
				}
				return got
			}
			whole := strings.Join(c.send, "")
			check("as sent", c.send...)
			check("at once", whole)
			got := check("byte by byte", chop(1, whole)...)
			if c.failAt != 0 && got.endedAt != c.failAt {
				t.Errorf("%s: noticed with byte %d, want %d", c.about, got.endedAt, c.failAt)
			}
			if len(whole) > 2000 {
				return
			}
			for i := 1; i < len(whole); i++ {
				check("cut in two", whole[:i], whole[i:])
			}
		})
	}
}

// TestMachineFaults is for what the suite does not look at.
func TestMachineFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     fault
		at       int // byte with which it must be noticed when the bytes come one by one
	}{
		{"unmasked text", "\x81\x01a", faultUnmasked, 2},
		{"unmasked ping", "\x89\x00", faultUnmasked, 2},
		{"16-bit length of 125", "\x82\xfe\x00\x7d", faultLengthNotMinimal, 4},
		{"64-bit length of 65535", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", faultLengthNotMinimal, 10},
		{"64-bit length with the highest bit", "\x82\xff\x80\x00\x00\x00\x00\x01\x00\x00", faultLengthHighBit, 10},
		{"ping with a 64-bit length", "\x89\xff", faultControlTooLong, 2},
		{"close that is not final", "\x08", faultControlFragmented, 1},
		{"reserved bit", "\xc1", faultReservedBits, 1},
		{"reserved opcode", "\x83", faultReservedOpcode, 1},
		{"continuation behind a whole message", text("x") + last("y"), faultNoMessage, 13},
		{"binary inside text", first("x") + binaryF("y"), faultInsideMessage, 13},
		{"text cut inside a character at its end", text("\xc3"), faultText, 7},
		{"text cut inside a character, empty last fragment", first("\xc3") + last(""), faultText, 13},
		{"character continued in the next message", text("\xc3") + text("\xa9"), faultText, 7},
		{"close code 1015", closing(1015, ""), faultCloseCode, 8},
		{"unfinished character in a close reason", closing(1000, "\xc3"), faultCloseReason, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := traceOf(chop(1, c.in)...)
			if got.fault != c.want || got.endedAt != c.at {
				t.Errorf("byte by byte: %q with byte %d, want %q with byte %d", got.fault, got.endedAt, c.want, c.at)
			}
			if whole := traceOf(c.in); whole.fault != c.want || !bytes.Equal(whole.stream, got.stream) {
				t.Errorf("at once: %q, payload %q; byte by byte: payload %q", whole.fault, whole.stream, got.stream)
			}
		})
	}
}

// TestBinaryIsNotChecked: only text has to be UTF-8, also when a text message was left unfinished by nobody before it.
func TestBinaryIsNotChecked(t *testing.T) {
	t.Parallel()
	got := traceOf(text("é"), clientFrame(2, false, 0, "\xff\xc3"), ping("\xff"), last("\x80"), text("é"))
	want := []string{"text é", "pong \xff", "binary \xff\xc3\x80", "text é"}
	if !slices.Equal(got.replies, want) {
		t.Errorf("got%s\nwant%s", shorten(got.replies), shorten(want))
	}
}

// TestHugeLength: a header that announces 2^63-1 bytes is legal, costs nothing, and its payload is passed on as it comes.
func TestHugeLength(t *testing.T) {
	t.Parallel()
	r := newTracer()
	r.feed("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
	if len(r.left) != 0 {
		t.Errorf("%d bytes of the header were left", len(r.left))
	}
	for range 10 {
		r.feed("abc")
	}
	if got, want := string(r.stream), strings.Repeat("abc", 10); got != want || r.endedAt >= 0 {
		t.Errorf("payload %q, want %q; ended at %d", got, want, r.endedAt)
	}
	if want := int64(1<<63-1) - 30; r.m.left != want {
		t.Errorf("%d bytes are to come, want %d", r.m.left, want)
	}
}

// TestMachineSize holds the promise that a peer cannot make the state grow, and that it stays small.
func TestMachineSize(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(machine{}); size != 16 {
		t.Errorf("machine has %d bytes, want 16", size)
	}
}

// TestMachineLeaves bounds what stays with the engine: less than a header and a whole control frame.
func TestMachineLeaves(t *testing.T) {
	t.Parallel()
	const most = 6 + maxControl - 1
	for _, c := range rfcCases() {
		r := newTracer()
		for _, p := range chop(1, strings.Join(c.send, "")[:min(2000, len(strings.Join(c.send, "")))]) {
			r.feed(p)
			if len(r.left) > most {
				t.Fatalf("case %s leaves %d bytes, at most %d are allowed", c.id, len(r.left), most)
			}
		}
	}
}

func TestMachineAllocs(t *testing.T) {
	in := []byte(text("Hello, wörld") + first("a\xc3") + ping("p") + last("\xa9") + binaryF(strings.Repeat("b", 300)) + pongF("") + text("\xff"))
	buf := make([]byte, len(in))
	var m machine
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, in)
		m = machine{}
		for off := 0; ; {
			ev, _, n := m.next(buf[off:])
			if off += n; ev == eventFault {
				break
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// FuzzMachine: whatever the bytes and however they are cut, nothing panics and the result is the same; all bytes that stand
// for themselves as a frame are accounted for.
func FuzzMachine(f *testing.F) {
	for _, c := range rfcCases() {
		if whole := strings.Join(c.send, ""); len(whole) <= 1<<10 {
			f.Add([]byte(whole), uint64(len(whole)))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		whole := traceOf(string(in))
		rnd := rand.New(rand.NewPCG(seed, 1))
		cuts := newTracer()
		for rest := string(in); rest != ""; {
			n := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(20)))
			cuts.feed(rest[:n])
			rest = rest[n:]
			if len(cuts.left) >= 6+maxControl {
				t.Fatalf("%d bytes were left with the engine", len(cuts.left))
			}
		}
		got := cuts.result()
		if !slices.Equal(got.replies, whole.replies) || !bytes.Equal(got.stream, whole.stream) || got.fault != whole.fault {
			t.Errorf("in pieces:%s %q %v\nat once:%s %q %v", shorten(got.replies), got.stream, got.fault, shorten(whole.replies), whole.stream, whole.fault)
		}
	})
}

func BenchmarkFrameIn(b *testing.B) {
	for _, c := range []struct {
		name, frame string
	}{
		{"text-32", text(strings.Repeat("a", 32))},
		{"text-32-not-ascii", text(strings.Repeat("é", 16))},
		{"binary-32", binaryF(strings.Repeat("a", 32))},
		{"text-4096", text(strings.Repeat("a", 4096))},
		{"text-4096-not-ascii", text(strings.Repeat("é", 2048))},
	} {
		b.Run(c.name, func(b *testing.B) {
			// Masked again by each run, so the frame must bear it: with a mask of zero the payload stays as it is.
			frame := clientFrameMask(c.frame[0]&0xf, true, 0, [4]byte{}, unmasked(c.frame))
			buf := []byte(frame)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			var m machine
			for b.Loop() {
				if ev, _, n := m.next(buf); ev != eventData || n != len(buf) {
					b.Fatal(ev, n)
				}
			}
		})
	}
}

// unmasked is the payload of a client's frame.
func unmasked(frame string) string {
	var m machine
	_, payload, _ := m.next([]byte(frame))
	return string(payload)
}
