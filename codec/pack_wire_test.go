package codec

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The bytes of wire contract, section 11.
func TestPackedBytes(t *testing.T) {
	t.Parallel()
	p := MessagePack
	value := func(b []byte, err error) []byte {
		if err != nil {
			t.Error(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"invocation without id", value(p.AppendInvocation(nil, "", "Hi", []any{"x"})), "0b 96 01 80 c0 a2 48 69 91 a1 78 90"},
		{"invocation with id", value(p.AppendInvocation(nil, "s1", "Result", nil)), "0f 96 01 80 a2 73 31 a6 52 65 73 75 6c 74 90 90"},
		{"stream invocation", value(p.AppendStreamInvocation(nil, "7", "Count", []any{3}, []string{"8"})), "10 96 04 80 a1 37 a5 43 6f 75 6e 74 91 03 91 a1 38"},
		{"stream item", value(p.AppendStreamItem(nil, "7", 42)), "06 94 02 80 a1 37 2a"},
		{"error", p.AppendError(nil, "7", "bad"), "0a 95 03 80 a1 37 01 a3 62 61 64"},
		{"end of a stream", p.AppendCompletion(nil, "7"), "06 94 03 80 a1 37 02"},
		{"result", value(p.AppendResult(nil, "7", 42)), "07 95 03 80 a1 37 03 2a"},
		{"nil", value(p.AppendResult(nil, "7", nil)), "07 95 03 80 a1 37 03 c0"},
		{"cancel", p.AppendCancel(nil, "7"), "05 93 05 80 a1 37"},
		{"ping", p.AppendPing(nil), "02 91 06"},
		{"close", p.AppendClose(nil, "", false), "04 93 07 c0 c2"},
		{"close, come back", p.AppendClose(nil, "", true), "04 93 07 c0 c3"},
		{"close with an error", p.AppendClose(nil, "bad", true), "07 93 07 a3 62 61 64 c3"},
		{"ack 36", p.AppendAck(nil, 36), "03 92 08 24"},
		{"ack 300", p.AppendAck(nil, 300), "05 92 08 cd 01 2c"},
		{"sequence", p.AppendSequence(nil, 5), "03 92 09 05"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.got, want) {
				t.Errorf("% x\nwant % x", c.got, want)
			}
			rec, n, err := p.Next(c.got, 32<<10)
			if err != nil || n != len(want) || !bytes.Equal(rec, want[1:]) {
				t.Errorf("Next = % x, %d, %v", rec, n, err)
			}
			var m Message
			if err := p.Decode(rec, &m); err != nil || m.ArgsErr != nil || m.Kind == 0 {
				t.Errorf("Decode: %v, %v, kind %d", err, m.ArgsErr, m.Kind)
			}
		})
	}
}
