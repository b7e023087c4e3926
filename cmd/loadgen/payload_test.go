package main

import "testing"

func TestPayload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{payloadMin, payloadMin + 1, 1000} {
		pad := padding(size)
		const now = int64(1_800_000_000_000_000_000)
		for _, p := range []payload{{at: now}, {1, 2, 3, now - 4e9}, {1<<24 - 1, maxRuns - 1, maxSequence, now + 86400e9}, {0, 0, 0, now - 86400e9}} {
			b := appendPayload(nil, p, pad)
			if len(b) != size {
				t.Errorf("%d bytes, want %d", len(b), size)
			}
			if got, ok := parsePayload(b, pad, now); !ok || got != p {
				t.Errorf("%+v came back as %+v, %t", p, got, ok)
			}
			for i := range b {
				c := append([]byte(nil), b...)
				c[i] = '"'
				if _, ok := parsePayload(c, pad, now); ok {
					t.Fatalf("a wrong byte at %d was not seen", i)
				}
			}
			if _, ok := parsePayload(b[:size-1], pad, now); ok {
				t.Error("a missing byte was not seen")
			}
			if _, ok := parsePayload(append(b, 'x'), pad, now); ok {
				t.Error("an additional byte was not seen")
			}
		}
	}
}

// What is done for each message costs no allocation.
func TestMessageAllocations(t *testing.T) {
	pad := padding(100)
	echoCall := newCall("Echo")
	r := newReader("message")
	delivery := appendPayload([]byte(`{"type":1,"target":"message","arguments":["`), payload{at: 1}, pad)
	delivery = append(delivery, `"]}`...)
	var s stream
	var h hist
	h.record(1)
	text, frame := make([]byte, 0, 1024), make([]byte, 0, 1024)
	seq := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		text = append(appendPayload(echoCall.begin(text[:0], seq), payload{seq: seq}, pad), callEnd...)
		frame = appendFrame(frame[:0], opText, text)
		if _, n, err := parseFrameHeader([]byte{0x81, 126, 1, 0}); err != nil || n != 4 {
			t.Fatal("the head was not read")
		}
		rec, err := r.read(delivery)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := parsePayload(rec.text, pad, 1); !ok {
			t.Fatal("the payload was not read")
		}
		if s.accept(seq) != inOrder {
			t.Fatal("not in order")
		}
		h.record(seq * 1000)
		seq++
	}); n != 0 {
		t.Errorf("%v allocations for each message, want 0", n)
	}
}
