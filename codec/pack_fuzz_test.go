package codec

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
)

// checkPackedEnds: NextValue cuts a row of values where a plain reading of it, value by value, does; what it passes has no more values than bytes, and nests no
// deeper than it may.
func checkPackedEnds(t *testing.T, b []byte) {
	t.Helper()
	for rest := b; ; {
		value, next, ok := MessagePack.NextValue(rest)
		end, fits := plainEnd(rest, 0)
		if ok != (fits && end >= 0) {
			t.Fatalf("NextValue(% x): %t, want %t", clip(rest, 64), ok, fits && end >= 0)
		}
		if !ok {
			return
		}
		if len(value) != end || len(value)+len(next) != len(rest) {
			t.Fatalf("NextValue(% x): %d bytes, want %d", clip(rest, 64), len(value), end)
		}
		rest = next
	}
}

// plainEnd is the end of the first value of b, found by recursion; fits: it nests no deeper than it may.
func plainEnd(b []byte, depth int) (end int, fits bool) {
	h := readHead(b, 0)
	switch h.kind {
	case kindNone:
		return -1, true
	case kindArray, kindMap:
		if depth == maxDepth {
			return -1, false
		}
	default:
		return h.end, true
	}
	i := h.end
	for range h.values() {
		n, fits := plainEnd(b[i:], depth+1)
		if n < 0 || !fits {
			return -1, fits
		}
		i += n
	}
	return i, true
}

func addPackedSeeds(f *testing.F, add func(b []byte)) {
	for _, l := range goldenPacked(f) {
		add(l.frame)
	}
	for _, rec := range hostilePacked() {
		if len(rec) < 1<<10 {
			add(rec)
		}
	}
	for _, s := range []string{"", "c1", "82a16105a1629105", "d6ff386d4380", "c70cff00000000fffffff1886e0900", "cb7ff8000000000001", "ca7fc00000", "81c0c0", "a1ff", "d40501"} {
		add(packHex(s))
	}
}

// FuzzPackedRecord: any stream is cut the same wherever it comes in pieces; any record is decoded or refused, with bounded memory, by a fault with name and text.
func FuzzPackedRecord(f *testing.F) {
	addPackedSeeds(f, func(b []byte) { f.Add(b, 1, 300) })
	stream, _ := goldenPackedStream(f)
	f.Add(stream[:512], 7, 300)
	f.Fuzz(func(t *testing.T, stream []byte, step, limit int) {
		checkPackedEnds(t, stream)
		step, limit = 1+abs(step)%(len(stream)+1), abs(limit)%(64<<10)
		split := func(step int) (records [][]byte, rest int, err error) {
			var unread []byte
			for at := 0; at < len(stream); at += step {
				unread = append(unread, stream[at:min(at+step, len(stream))]...)
				for {
					rec, n, err := MessagePack.Next(unread, limit)
					if err != nil {
						return records, 0, err
					}
					if n == 0 {
						break
					}
					if limit > 0 && n > limit || n <= len(rec) || n > len(rec)+maxVarInt {
						t.Fatalf("a record of %d bytes, %d of at most %d", len(rec), n, limit)
					}
					records = append(records, bytes.Clone(rec))
					unread = unread[n:]
				}
			}
			return records, len(unread), nil
		}
		records, rest, err := split(len(stream) + 1)
		pieces, restOfPieces, errOfPieces := split(step)
		if !reflect.DeepEqual(records, pieces) || !reflect.DeepEqual(err, errOfPieces) || rest != restOfPieces {
			t.Errorf("at once: %d records, %d left, %v; %d at a time: %d records, %d left, %v", len(records), rest, err, step, len(pieces), restOfPieces, errOfPieces)
		}
		for _, rec := range append(records, stream) {
			var m Message
			err := MessagePack.Decode(rec, &m)
			if e := fault(err); err != nil && (e.Name == "" || e.Text == "" || len(e.Text) > 200) {
				t.Fatalf("fault %#v", err)
			}
			if err == nil && m.ArgsErr == nil {
				rest, n := m.Args, 0
				for _, next, ok := MessagePack.NextValue(rest); ok; _, next, ok = MessagePack.NextValue(rest) {
					rest = next
					n++
				}
				if n != m.NArgs || len(rest) > 0 {
					t.Fatalf("%d arguments, NArgs %d, %d bytes left", n, m.NArgs, len(rest))
				}
			}
			if limit := mayAllocate(len(rec)); !raceDetector {
				if n := allocated(limit, func() { _ = MessagePack.Decode(rec, new(Message)) }); n > limit {
					t.Errorf("%d bytes allocated for a record of %d, want at most %d", n, len(rec), limit)
				}
			}
		}
	})
}

// valuesPerByte bounds what a bound value takes, per byte of MessagePack: a nil in a []any is 16 bytes, a pair of two bytes in a map some hundred. The fixed part is
// what a map and the library's buffers take at least.
const (
	valuesPerByte = 128
	valuesAtLeast = 64 << 10
)

// FuzzBindPacked: any bytes are bound or refused, by type, with bounded memory, and what was bound can be written and read again.
func FuzzBindPacked(f *testing.F) {
	addPackedSeeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, value []byte) {
		end, fits := plainEnd(value, 0)
		valid := fits && end == len(value)
		for _, dst := range []any{
			new(string), new(bool), new(int), new(int8), new(int16), new(int32), new(int64), new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(float32), new(float64), new([]byte),
			new(time.Time), new(json.RawMessage), new(any), new(Tree), new(Ext), new(json.Number), new(*int), new(**string), new([]string), new([]int), new([]any), new([][]float64), new([]*bool), new([3]int),
			new([2]byte), new(map[string]any), new(map[string]int), new(map[any]any), new(map[int8]string), new(plainMembers), new(*plainMembers), new([]plainMembers), new(twoNames), new(asList), new(suit), new(mark), new([]mark),
			new(spelled), new(half),
		} {
			err := MessagePack.Bind(value, dst)
			if !valid && err == nil {
				t.Fatalf("%T took % x", dst, value)
			}
			if err != nil {
				if len(err.Error()) > 4<<10 {
					t.Errorf("%T: an error of %d bytes", dst, len(err.Error()))
				}
				continue
			}
			switch dst.(type) {
			case *half, *map[any]any, *plainMembers, **plainMembers, *[]plainMembers, *twoNames, *any, *[]any, *map[string]any:
				// Not equal to themselves with NaN inside, or never whole.
			default:
				checkPackedAgain(t, value, dst)
			}
		}
		var x any
		limit := uint64(valuesPerByte*len(value) + valuesAtLeast)
		if n := allocated(limit, func() { _ = MessagePack.Bind(value, &x) }); n > limit && !raceDetector {
			t.Errorf("%d bytes allocated for a value of %d, want at most %d", n, len(value), limit)
		}
	})
}

func checkPackedAgain(t *testing.T, value []byte, dst any) {
	t.Helper()
	v := reflect.ValueOf(dst).Elem()
	if f, ok := v.Interface().(float64); ok && math.IsNaN(f) {
		return
	}
	if f, ok := v.Interface().(float32); ok && f != f {
		return
	}
	out, err := MessagePack.AppendValue(nil, v.Interface())
	if err != nil {
		if depthOfPacked(value) <= maxValueDepth {
			t.Errorf("%T of % x: %v", dst, value, err)
		}
		return
	}
	again := reflect.New(v.Type())
	if err := MessagePack.Bind(out, again.Interface()); err != nil {
		t.Errorf("%T of % x, written as % x: %v", dst, value, out, err)
	}
	switch dst.(type) {
	case *Tree, *json.RawMessage, *json.Number:
		return // a float32 has fewer digits than the float64 that it comes back as
	}
	if floats, ok := v.Interface().([][]float64); ok && slices.ContainsFunc(floats, func(l []float64) bool { return slices.ContainsFunc(l, math.IsNaN) }) {
		return
	}
	if !reflect.DeepEqual(again.Interface(), dst) {
		t.Errorf("%T of % x: %#v, written as % x: %#v", dst, value, v, out, again.Elem())
	}
}

// depthOfPacked is how deep the valid value nests.
func depthOfPacked(b []byte) int {
	deepest := 0
	var walk func(i, depth int) int
	walk = func(i, depth int) int {
		h := readHead(b, i)
		if h.kind == kindArray || h.kind == kindMap {
			depth++
		}
		deepest = max(deepest, depth)
		i = h.end
		for range h.values() {
			i = walk(i, depth)
		}
		return i
	}
	walk(0, 0)
	return deepest
}

// FuzzTranscode: JSON becomes MessagePack and back what it was, but for the digits of numbers; MessagePack becomes valid JSON, or is refused.
func FuzzTranscode(f *testing.F) {
	for _, s := range scannerSeeds {
		f.Add([]byte(s))
	}
	addPackedSeeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		if packed, err := MessagePack.(RawAppender).AppendJSON(nil, b); err == nil && b != nil {
			if end := packEnd(packed, 0, maxDepth-maxValueDepth); end != len(packed) {
				t.Fatalf("%q became % x", b, packed)
			}
			var want, got any
			var raw json.RawMessage
			if err := MessagePack.Bind(packed, &raw); err != nil {
				t.Fatalf("%q became % x: %v", b, packed, err)
			}
			if json.Unmarshal(b, &want) != nil || json.Unmarshal(raw, &got) != nil || !reflect.DeepEqual(want, got) {
				t.Errorf("%q became % x, and that %q", b, packed, raw)
			}
			if limit := 8*len(b) + 64; len(packed) > limit {
				t.Errorf("%d bytes became %d", len(b), len(packed))
			}
		}
		var raw json.RawMessage
		if err := MessagePack.Bind(b, &raw); err == nil {
			if !json.Valid(raw) || len(raw) > 32*len(b) {
				t.Errorf("% x became %q", b, raw)
			}
		}
	})
}
