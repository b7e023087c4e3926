package codec

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

const callRecord = `{"arguments":["hello, world",42],"invocationId":"17","target":"Publish","type":1}`

// A test that counts allocations must not run beside others: none of these is parallel.

func TestNoAllocations(t *testing.T) {
	buf := make([]byte, 0, 4096)
	var m Message
	escaped := []byte(`{"type":1,"invocationId":"\u0031","target":"\u0045cho","arguments":["x"],"streamIds":["1","\u0032"]}`)
	var text, number, list any = "hello, <world> é", 42, []string{"a", "b"}
	var (
		s string
		n int
		f float64
		b bool
	)
	call, ping, completion := []byte(callRecord), []byte(`{"type":6}`), []byte(`{"type":3,"invocationId":"1","result":{"a":[1]}}`)
	stream, args := []byte(callRecord+"\x1e"), []byte(`["a",1,{"b":[]}]`)
	emptyText, integer, fraction, truth := []byte(`""`), []byte(`-12345`), []byte(`-1.5e10`), []byte(`true`)
	for _, c := range []struct {
		name string
		f    func() error
	}{
		{"decode an invocation", func() error { return JSON.Decode(call, &m) }},
		{"decode an invocation with escapes and stream ids", func() error { return JSON.Decode(escaped, &m) }},
		{"decode a ping", func() error { return JSON.Decode(ping, &m) }},
		{"decode a completion", func() error { return JSON.Decode(completion, &m) }},
		{"find a record", func() error { _, _, err := JSON.Next(stream, 32<<10); return err }},
		{"walk over arguments", func() error {
			for _, rest, ok := JSON.NextValue(args); ok; _, rest, ok = JSON.NextValue(rest) {
			}
			return nil
		}},
		{"bind an empty string", func() error { return JSON.Bind(emptyText, &s) }},
		{"bind an integer", func() error { return JSON.Bind(integer, &n) }},
		{"bind a float", func() error { return JSON.Bind(fraction, &f) }},
		{"bind a bool", func() error { return JSON.Bind(truth, &b) }},
		{"completion with a string", func() (err error) { _, err = JSON.AppendResult(buf, "17", text); return err }},
		{"completion with a number", func() (err error) { _, err = JSON.AppendResult(buf, "17", number); return err }},
		{"completion with a list of strings", func() (err error) { _, err = JSON.AppendResult(buf, "17", list); return err }},
		{"completion with nothing", func() (err error) { _, err = JSON.AppendResult(buf, "17", nil); return err }},
		{"completion in steps", func() error {
			b := JSON.BeginResult(buf, "17")
			b = JSON.AppendString(b, "hello \x01 é 😀")
			b = JSON.AppendInt(b, -1)
			b = JSON.AppendUint(b, 1)
			b, err := JSON.AppendFloat(JSON.AppendNil(JSON.AppendBool(b, true)), 1.5, 64)
			JSON.End(b, 0)
			return err
		}},
		{"completion with an error", func() error { JSON.AppendError(buf, "17", "An unexpected error"); return nil }},
		{"completion of a stream", func() error { JSON.AppendCompletion(buf, "17"); return nil }},
		{"ping", func() error { JSON.AppendPing(buf); return nil }},
		{"close", func() error { JSON.AppendClose(buf, "Connection closed with an error.", true); return nil }},
		{"ack and sequence", func() error { JSON.AppendSequence(JSON.AppendAck(buf, 12), 4); return nil }},
		{"handshake response", func() error {
			AppendHandshakeResponse(AppendHandshakeResponse(buf, ""), "Handshake was canceled.")
			return nil
		}},
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

// hostile are inputs of 32 KiB made to be expensive.
func hostile() map[string][]byte {
	const size = 32 << 10
	fill := func(head, repeated, tail string) []byte {
		n := (size - len(head) - len(tail)) / len(repeated)
		return []byte(head + strings.Repeat(repeated, n) + tail)
	}
	call := `{"type":1,"target":"x","arguments":[`
	return map[string][]byte{
		"brackets":                  fill("", "[", ""),
		"braces":                    fill("", "{", ""),
		"nested objects":            fill("", `{"a":`, ""),
		"brackets as an argument":   fill(call, "[", ""),
		"brackets that are skipped": fill(`{"type":6,"x":`, "[", ""),
		"argument lists":            fill(`{"type":1,"target":"x"`, `,"arguments":[]`, "}"),
		"arguments":                 fill(call+"0", ",0", "]}"),
		"empty texts":               fill(call+`""`, `,""`, "]}"),
		"empty objects":             fill(call+`{}`, `,{}`, "]}"),
		"towers":                    fill(call+"0", ","+strings.Repeat("[", 62)+strings.Repeat("]", 62), "]}"),
		"members":                   fill(`{"type":6`, `,"a":0`, "}"),
		"members without name":      fill(`{"type":6`, `,"":0`, "}"),
		"escaped names":             fill(`{"type":6`, `,"\u0061":0`, "}"),
		"one long escaped name":     fill(`{"type":6,"`, `\u0061`, `":0}`),
		"types":                     fill(`{"type":6`, `,"type":6`, "}"),
		"escaped targets":           fill(`{"type":1,"arguments":[]`, `,"target":"\n"`, "}"),
		"one long escaped target":   fill(`{"type":1,"arguments":[],"target":"`, `\n`, `"}`),
		"escaped surrogate pairs":   fill(`{"type":1,"arguments":[],"target":"`, `\ud83d\ude00`, `"}`),
		"one long text":             fill(call+`"`, `a`, `"]}`),
		"escapes":                   fill(call+`"`, `\\`, `"]}`),
		"escapes, cut":              fill(call+`"`, `\`, ``),
		"not ASCII":                 fill(call+`"`, `é`, `"]}`),
		"long characters":           fill(call+`"`, `😀`, `"]}`),
		"bytes that are not UTF-8":  fill(call+`"`, "\x80", `"]}`),
		"digits":                    fill(call, `9`, `]}`),
		"digits as type":            fill(`{"type":`, `9`, `}`),
		"white space":               fill("", " ", `{"type":6}`),
		"nothing but white space":   fill("", "\n", ""),
		"white space inside":        fill(`{"type":6`, " ", "}"),
		"stream ids":                fill(`{"type":1,"target":"x","arguments":[],"streamIds":[""`, `,""`, "]}"),
		"lists of stream ids":       fill(`{"type":1,"target":"x","arguments":[]`, `,"streamIds":["","","",""]`, "}"),
		"headers":                   fill(`{"type":1,"target":"x","arguments":[],"headers":{"a":"b"`, `,"a":"b"`, "}}"),
		"a long header's name":      fill(`{"type":1,"target":"x","arguments":[],"headers":{"`, `\u0000`, `":1}}`),
		"garbage":                   bytes.Repeat([]byte{0, 0xff, 0x10, 0x80}, size/4),
		"handshake without members": fill(`{`, `"x":"\u0000",`, `"x":1}`),
	}
}

// allocated measures the bytes that f allocates, in as few runs as show that they are within the limit: others may be allocating at the same time.
func allocated(limit uint64, f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 20 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= limit {
			break
		}
	}
	return least
}

// mayAllocate is how many bytes reading n bytes may allocate.
func mayAllocate(n int) uint64 { return uint64(4*n + 4<<10) }

// quickest is the least time that f takes in a number of runs, of which it makes as few as it can: the machine may be busy.
func quickest(f func()) time.Duration {
	least := time.Hour
	for range 50 {
		start := time.Now()
		f()
		if least = min(least, time.Since(start)); least < time.Millisecond {
			break
		}
	}
	return least
}

func TestHostileInput(t *testing.T) {
	for name, rec := range hostile() {
		t.Run(name, func(t *testing.T) {
			if len(rec) < 30<<10 || len(rec) > 32<<10 {
				t.Fatalf("%d bytes", len(rec))
			}
			checkDecode(t, rec)
			shake := append(bytes.Clone(rec), separator)
			for what, f := range map[string]func(){
				"decode":       func() { _ = JSON.Decode(rec, new(Message)) },
				"handshake":    func() { _, _, _ = ReadHandshake(shake, 0) },
				"find the end": func() { _, _, _ = JSON.Next(rec, 32<<10) },
			} {
				if took := quickest(f); took >= time.Millisecond && !raceDetector {
					t.Errorf("%s: %v, want less than a millisecond", what, took)
				}
				limit := mayAllocate(len(rec))
				if n := allocated(limit, f); n > limit && !raceDetector {
					t.Errorf("%s: %d bytes allocated for %d, want at most %d", what, n, len(rec), limit)
				}
			}
		})
	}
}

// A record that comes byte by byte must not be searched from its start each time. Searching 1 MiB half a million times over takes half a minute.
func TestTricklingRecordIsSearchedOnce(t *testing.T) {
	src := append(bytes.Repeat([]byte{' '}, 1<<20), separator)
	start := time.Now()
	for n := 1; n < len(src); n++ {
		if _, got, err := JSON.NextFrom(src[:n], n-1, 0); got != 0 || err != nil {
			t.Fatal(got, err)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func BenchmarkDecodeInvocation(b *testing.B) {
	rec := []byte(callRecord)
	var m Message
	b.ReportAllocs()
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		if err := JSON.Decode(rec, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLongText(b *testing.B) {
	rec := fmt.Appendf(nil, `{"type":1,"target":"Echo","arguments":[%q]}`, strings.Repeat("a", 16<<10))
	var m Message
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		if err := JSON.Decode(rec, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePing(b *testing.B) {
	rec := []byte(`{"type":6}`)
	var m Message
	for b.Loop() {
		if err := JSON.Decode(rec, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResult(b *testing.B) {
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
				if _, err := JSON.AppendResult(buf, "17", v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
