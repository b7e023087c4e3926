package replay

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestServerFramesAreStrict: what RFC 6455 forbids a server is a fault, and needing more bytes is none.
func TestServerFramesAreStrict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, hex string
		fault     string // "": a whole frame
	}{
		{"text", "81 03 7b7d1e", ""},
		{"text, 126 bytes", "81 7e 007e" + strings.Repeat("61", 126), ""},
		{"ping of 125", "89 7d" + strings.Repeat("61", 125), ""},
		{"fragment", "01 01 61", ""},
		{"masked", "81 83 00000000 7b7d1e", "masked"},
		{"first reserved bit", "c1 01 61", "reserved bit"},
		{"second reserved bit", "a1 01 61", "reserved bit"},
		{"third reserved bit", "91 01 61", "reserved bit"},
		{"reserved data opcode", "83 01 61", "reserved opcode"},
		{"reserved control opcode", "8b 01 61", "reserved opcode"},
		{"16-bit length not minimal", "81 7e 007d" + strings.Repeat("61", 125), "16-bit form"},
		{"64-bit length not minimal", "81 7f 000000000000ffff", "64-bit form"},
		{"64-bit length with the highest bit", "81 7f 8000000000000000", "reads"},
		{"ping of 126", "89 7e 007e" + strings.Repeat("61", 126), "control frames"},
		{"ping in fragments", "09 01 61", "control frames"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := unhex(t, tt.hex)
			_, n, err := parseFrame(p)
			var f *fault
			if tt.fault == "" && (err != nil || n != len(p)) || tt.fault != "" && (!errors.As(err, &f) || !strings.Contains(f.text, tt.fault)) {
				t.Fatalf("%d of %d bytes, %v; want a fault with %q", n, len(p), err, tt.fault)
			}
			if tt.fault != "" {
				return
			}
			for i := range p {
				if _, n, err := parseFrame(p[:i]); n != 0 || err != nil {
					t.Fatalf("the first %d bytes: %d, %v", i, n, err)
				}
			}
		})
	}
}

func TestCloseBodies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hex  string
		code int
		bad  bool
	}{
		"none": {"", 0, false}, "1000": {"03e8", 1000, false}, "1011": {"03f3 78", 1011, false}, "4999": {"1387", 4999, false},
		"one byte": {"03", 0, true}, "999": {"03e7", 999, true}, "1004": {"03ec", 1004, true}, "1005": {"03ed", 1005, true}, "1006": {"03ee", 1006, true},
		"1015": {"03f7", 1015, true}, "2999": {"0bb7", 2999, true}, "5000": {"1388", 5000, true}, "reason": {"03e8 ff", 1000, true},
	} {
		if code, _, err := closeBody(unhex(t, tt.hex)); code != tt.code || (err != nil) != tt.bad {
			t.Errorf("%s: %d, %v", name, code, err)
		}
	}
}

// TestMessages: sequences of frames, and what they come to.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		msgpack bool
		shaken  bool
		frames  []frame
		want    []string // hub messages
		fault   string
	}{
		{"two in one", false, true, []frame{{true, 1, []byte("1\x1e2\x1e")}}, []string{"1\x1e", "2\x1e"}, ""},
		{"handshake and more", false, false, []frame{{true, 1, []byte("{}\x1e1\x1e")}}, []string{"{}\x1e", "1\x1e"}, ""},
		{"fragments", false, true, []frame{{false, 1, []byte("1")}, {true, 9, nil}, {false, 0, []byte("2")}, {true, 0, []byte("\x1e")}}, []string{"12\x1e"}, ""},
		{"handshake before MessagePack", true, false, []frame{{true, 2, []byte("{}\x1e\x02\x91\x06")}}, []string{"{}\x1e", "\x02\x91\x06"}, ""},
		{"cut", false, true, []frame{{true, 1, []byte("1\x1e2")}}, nil, "cut"},
		{"cut handshake", false, false, []frame{{true, 1, []byte("{}")}}, nil, "cut"},
		{"cut record", true, true, []frame{{true, 2, []byte("\x02\x91")}}, nil, "cut"},
		{"empty", false, true, []frame{{true, 1, nil}}, nil, "empty"},
		{"not UTF-8", false, true, []frame{{true, 1, []byte("\xff\x1e")}}, nil, "UTF-8"},
		{"continuation first", false, true, []frame{{true, 0, []byte("1\x1e")}}, nil, "without a beginning"},
		{"message inside a message", false, true, []frame{{false, 1, []byte("1")}, {true, 1, []byte("2\x1e")}}, nil, "inside a fragmented"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &wsState{open: true, msgpack: tt.msgpack, shaken: tt.shaken}
			var err error
			for _, f := range tt.frames {
				if _, err = w.take(f); err != nil {
					break
				}
			}
			var got []string
			for _, ev := range w.pending {
				got = append(got, ev.text)
			}
			if strings.Join(got, "|") != strings.Join(tt.want, "|") || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q, %v; want %q, %q", got, err, tt.want, tt.fault)
			}
		})
	}
}

// TestClientFrames: masked, in the shortest form, and read back.
func TestClientFrames(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("abc"), n/3+1)[:n]
		p := appendFrame(nil, frame{true, 2, payload})
		head := 2
		switch {
		case n > 65535:
			head = 10
		case n > 125:
			head = 4
		}
		if len(p) != head+4+n || p[0] != 0x82 || p[1]&0x80 == 0 {
			t.Errorf("%d bytes: %d bytes that begin with %x", n, len(p), p[:2])
		}
		for i := range payload {
			if p[head+4+i]^p[head+i%4] != payload[i] {
				t.Fatalf("%d bytes: byte %d", n, i)
			}
		}
	}
}
