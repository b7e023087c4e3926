package codec

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// packedCall is a call with two arguments.
func packedCall(t testing.TB) []byte {
	frame, err := MessagePack.AppendInvocation(nil, "17", "Publish", []any{"hello, world", 42})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// A test that counts allocations must not run beside others: none of these is parallel.

func TestNoAllocationsPacked(t *testing.T) {
	p := MessagePack
	valid := p.(ValidBinder)
	raws := p.(RawAppender)
	buf := make([]byte, 0, 4096)
	var m Message
	var text, number, list any = "hello, <world> é", 42, []string{"a", "b"}
	var (
		s  string
		n  int
		u  uint8
		f  float64
		f3 float32
		b  bool
		tm time.Time
	)
	frame := packedCall(t)
	rec := frame[1:]
	bad := bytes.Clone(rec)
	bad[bytes.IndexByte(bad, 'P')] = 0xff
	upload, err := p.AppendStreamInvocation(nil, "17", "Publish", []any{"hello, world", 42}, []string{"1", "2"})
	if err != nil {
		t.Fatal(err)
	}
	completion, err := p.AppendResult(nil, "1", map[string]any{"a": []any{1}})
	if err != nil {
		t.Fatal(err)
	}
	item, err := p.AppendStreamItem(nil, "1", 1.5)
	if err != nil {
		t.Fatal(err)
	}
	args := []byte("\xa1a\x01\x81\xa1b\x90")
	raw := json.RawMessage(`{"":[1,true,null,{}]}`)
	aPing, noText, small, short, fraction, truth, second := []byte{0x91, 6}, []byte{0xa0}, []byte{7}, []byte{0xd1, 0xff, 0}, []byte{0xca, 0, 0, 0, 0}, []byte{0xc3}, []byte{0xd6, 0xff, 0, 0, 0, 1}
	for _, c := range []struct {
		name string
		f    func() error
	}{
		{"find a record", func() error { _, _, err := p.Next(frame, 32<<10); return err }},
		{"decode an invocation", func() error { return p.Decode(rec, &m) }},
		{"decode an invocation that is not UTF-8", func() error { return p.Decode(bad, &m) }},
		{"decode an invocation with stream ids", func() error { return p.Decode(upload[1:], &m) }},
		{"decode a ping", func() error { return p.Decode(aPing, &m) }},
		{"decode a completion", func() error { return p.Decode(completion[1:], &m) }},
		{"decode a stream item", func() error { return p.Decode(item[1:], &m) }},
		{"walk over arguments", func() error {
			for _, rest, ok := p.NextValue(args); ok; _, rest, ok = p.NextValue(rest) {
			}
			return nil
		}},
		{"bind an empty string", func() error { return p.Bind(noText, &s) }},
		{"bind an integer", func() error { return valid.BindValid(short, &n) }},
		{"bind a small integer", func() error { return valid.BindValid(small, &u) }},
		{"bind a float", func() error { return valid.BindValid(item[len(item)-9:], &f) }},
		{"bind a small float", func() error { return valid.BindValid(fraction, &f3) }},
		{"bind a bool", func() error { return valid.BindValid(truth, &b) }},
		{"bind a time", func() error { return valid.BindValid(second, &tm) }},
		{"invocation", func() error { p.End(p.EndArgs(p.AppendString(p.BeginInvocation(buf, "", "m", 1), "x")), 0); return nil }},
		{"completion with a string", func() (err error) { _, err = p.AppendResult(buf, "17", text); return err }},
		{"completion with a number", func() (err error) { _, err = p.AppendResult(buf, "17", number); return err }},
		{"completion with a list of strings", func() (err error) { _, err = p.AppendResult(buf, "17", list); return err }},
		{"completion with nothing", func() (err error) { _, err = p.AppendResult(buf, "17", nil); return err }},
		{"completion in steps", func() error {
			b := p.BeginResult(buf, "17")
			b = p.AppendString(b, "hello \x01 é 😀")
			b = p.AppendInt(b, -1)
			b = p.AppendUint(b, 1)
			b, err := p.AppendFloat(p.AppendNil(p.AppendBool(b, true)), 1.5, 64)
			p.End(b, 0)
			return err
		}},
		{"json.RawMessage without text", func() (err error) { _, err = raws.AppendJSON(buf, raw); return err }},
		{"completion with an error", func() error { p.AppendError(buf, "17", "An unexpected error"); return nil }},
		{"completion of a stream", func() error { p.AppendCompletion(buf, "17"); return nil }},
		{"ping", func() error { p.AppendPing(buf); return nil }},
		{"close", func() error { p.AppendClose(buf, "Connection closed with an error.", true); return nil }},
		{"ack and sequence", func() error { p.AppendSequence(p.AppendAck(buf, 12), 4); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if allocs := testing.AllocsPerRun(100, func() {
				if err := c.f(); err != nil {
					t.Fatal(err)
				}
			}); allocs != 0 {
				t.Errorf("%v allocations, want none", allocs)
			}
		})
	}
}

// hostilePacked are records of up to 32 KiB made to be expensive.
func hostilePacked() map[string][]byte {
	const size = 32 << 10
	call := "\x96\x01\x80\xa11\xa1x"
	fill := func(head, repeated, tail string) []byte {
		n := (size - len(head) - len(tail)) / len(repeated)
		return append(append([]byte(head), bytes.Repeat([]byte(repeated), n)...), tail...)
	}
	return map[string][]byte{
		"2^32-1 elements":                       []byte("\xdd\xff\xff\xff\xff"),
		"2^32-1 arguments":                      []byte(call + "\xdd\xff\xff\xff\xff"),
		"64 million arguments":                  []byte(call + "\xdd\x03\xff\xff\xff"),
		"2^32-1 elements of an argument":        []byte(call + "\x91\xdd\xff\xff\xff\xff"),
		"2^32-1 pairs":                          []byte(call + "\x91\xdf\xff\xff\xff\xff"),
		"4 GiB of text":                         []byte(call + "\x91\xdb\xff\xff\xff\xff"),
		"4 GiB of binary":                       []byte(call + "\x91\xc6\xff\xff\xff\xff"),
		"4 GiB of extension":                    []byte(call + "\x91\xc9\xff\xff\xff\xff\x05"),
		"arrays in arrays":                      fill(call, "\x91", ""),
		"arrays in arrays as the record":        fill("", "\x91", ""),
		"maps in maps":                          fill(call+"\x91", "\x81\xa0", ""),
		"maps as keys":                          fill(call+"\x91", "\x81", ""),
		"arrays that promise as much again":     fill(call, "\xdc\x20\x00", ""),
		"arrays that promise all that there is": fill(call+"\xdc\x3f\xf0", "\x9f", ""),
		"small arrays":                          fill(call+"\xdc\x7f\xf0", "\x90", "\x90"),
		"extensions":                            fill(call+"\xdc\x2a\x00", "\xd4\x05\x00", "\x90"),
		"empty extensions":                      fill(call+"\xdc\x2a\x00", "\xc7\x00\x05", "\x90"),
		"nils":                                  fill(call+"\xdc\x7f\xf0", "\xc0", "\x90"),
		"headers":                               fill("\x96\x01\xde\x1f\xfa", "\xa1a\xa1b", "\xa11\xa1x\x90\x90"),
		"stream ids":                            fill(call+"\x90\xdc\x3f\xf0", "\xa11", ""),
		"128 stream ids":                        fill(call+"\x90\xdc\x00\x80", "\xa11", ""),
		"a target that is not UTF-8":            fill("\x96\x01\x80\xa11\xda\x7f\xe0", "\xff", ""),
		"an id that is not UTF-8":               fill("\x96\x01\x80\xda\x7f\xe0", "\xff", "\xa1x\x90\x90"),
		"never used":                            fill(call+"\x91", "\xc1", ""),
		"towers":                                fill(call+"\xdc\x02\x00", string(bytes.Repeat([]byte{0x91}, 61))+"\xc0", ""),
	}
}

func TestHostilePacked(t *testing.T) {
	for name, rec := range hostilePacked() {
		t.Run(name, func(t *testing.T) {
			if len(rec) > 32<<10 {
				t.Fatalf("%d bytes", len(rec))
			}
			var m Message
			err := MessagePack.Decode(rec, &m)
			t.Logf("%v, arguments: %v", err, m.ArgsErr)
			for what, f := range map[string]func(){
				"decode": func() { _ = MessagePack.Decode(rec, new(Message)) },
				"find":   func() { _, _, _ = MessagePack.Next(rec, 32<<10) },
				"bind":   func() { var x any; _ = MessagePack.Bind(rec[min(7, len(rec)):], &x) },
			} {
				if took := quickest(f); took >= time.Millisecond && !raceDetector {
					t.Errorf("%s: %v, want less than a millisecond", what, took)
				}
				limit := mayAllocate(len(rec))
				if what == "bind" {
					continue // see TestHostileValues
				}
				if n := allocated(limit, f); n > limit && !raceDetector {
					t.Errorf("%s: %d bytes allocated for %d, want at most %d", what, n, len(rec), limit)
				}
			}
		})
	}
}

// The bombs that are known to kill other readers cost what their error costs, and no more.
func TestBombsAllocateNothing(t *testing.T) {
	bombs := hostilePacked()
	for _, name := range []string{"2^32-1 arguments", "64 million arguments", "2^32-1 elements of an argument", "2^32-1 pairs", "4 GiB of text", "4 GiB of binary", "4 GiB of extension",
		"arrays in arrays", "maps in maps", "arrays that promise as much again", "arrays that promise all that there is"} {
		rec := bombs[name]
		var m Message
		if n := testing.AllocsPerRun(100, func() {
			if err := MessagePack.Decode(rec, &m); err != nil || m.ArgsErr == nil || m.Args != nil {
				t.Fatalf("%s: %v, %v", name, err, m.ArgsErr)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
	var x any
	for _, bomb := range [][]byte{[]byte("\xdd\xff\xff\xff\xff"), []byte("\xdd\x03\xff\xff\xff"), []byte("\xdf\xff\xff\xff\xff"), []byte("\xdb\xff\xff\xff\xff"), []byte("\xc9\xff\xff\xff\xff\xff")} {
		if n := testing.AllocsPerRun(100, func() {
			if err := MessagePack.Bind(bomb, &x); err == nil {
				t.Fatalf("% x was taken", bomb)
			}
		}); n != 0 {
			t.Errorf("% x: %v allocations, want none", bomb, n)
		}
	}
}

func BenchmarkDecodeInvocationPacked(b *testing.B) {
	rec := packedCall(b)[1:]
	var m Message
	b.ReportAllocs()
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		if err := MessagePack.Decode(rec, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPackedTowers is a record of 32 KiB that is nothing but the heads of containers.
func BenchmarkPackedTowers(b *testing.B) {
	for _, name := range []string{"towers", "small arrays"} {
		b.Run(name, func(b *testing.B) {
			rec := hostilePacked()[name]
			var m Message
			b.SetBytes(int64(len(rec)))
			for b.Loop() {
				_ = MessagePack.Decode(rec, &m)
			}
		})
	}
}

func BenchmarkAppendResultPacked(b *testing.B) {
	buf := make([]byte, 0, 4096)
	for name, v := range map[string]any{
		"string": "hello, world", "number": 42, "list": []any{1.5, "a", true}, "struct": struct {
			Name  string `json:"name"`
			Value int    `json:"value"`
		}{"x", 1},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := MessagePack.AppendResult(buf, "17", v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
