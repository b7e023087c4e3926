package codec

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// goldenPackedStream is all golden records in a row, and what a reader must make of them.
func goldenPackedStream(t testing.TB) (stream []byte, want []packedMeaning) {
	for _, l := range goldenPacked(t) {
		stream = append(stream, l.frame...)
		want = append(want, l.want)
	}
	return stream, want
}

func TestPackedStreamCutAnywhere(t *testing.T) {
	t.Parallel()
	stream, want := goldenPackedStream(t)
	for _, c := range []struct {
		name string
		size func(r *rand.Rand) int
	}{
		{"at once", func(*rand.Rand) int { return len(stream) }},
		{"byte by byte", func(*rand.Rand) int { return 1 }},
		{"random pieces", func(r *rand.Rand) int { return 1 + r.IntN(1<<r.IntN(10)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20) {
				rnd := rand.New(rand.NewPCG(seed, 5))
				var unread []byte
				var got []packedMeaning
				var m Message
				for rest := stream; len(rest) > 0; {
					seen := len(unread)
					n := min(len(rest), c.size(rnd))
					unread, rest = append(unread, rest[:n]...), rest[n:]
					for {
						rec, n, err := MessagePack.NextFrom(unread, seen, 32<<10)
						if err != nil {
							t.Fatalf("seed %d: %v", seed, err)
						}
						if n == 0 {
							break
						}
						got = append(got, packedMeaningOf(&m, MessagePack.Decode(slices.Clone(rec), &m)))
						unread, seen = unread[n:], 0
					}
				}
				if len(got) != len(want) || len(unread) != 0 {
					t.Fatalf("seed %d: %d records and %d bytes left, want %d records", seed, len(got), len(unread), len(want))
				}
				for i := range want {
					if got[i].String() != want[i].String() {
						t.Errorf("seed %d, record %d\n got %v\nwant %v", seed, i, got[i], want[i])
					}
				}
			}
		})
	}
}

// Every prefix of a record with its length asks for more.
func TestPackedPrefixes(t *testing.T) {
	t.Parallel()
	for _, l := range goldenPacked(t) {
		for i := range l.frame {
			if rec, n, err := MessagePack.Next(l.frame[:i], 1<<20); rec != nil || n != 0 || err != nil {
				t.Fatalf("%s, %s: Next of the first %d bytes = % x, %d, %v", l.file, l.name, i, rec, n, err)
			}
		}
		rec, n, err := MessagePack.Next(append(slices.Clone(l.frame), 2, 0x91, 6), 1<<20)
		if !bytes.HasSuffix(l.frame, rec) || n != len(l.frame) || err != nil || cap(rec) != len(rec) {
			t.Fatalf("%s, %s: Next = % x, %d, %v", l.file, l.name, rec, n, err)
		}
	}
}

func TestPackedNextSize(t *testing.T) {
	t.Parallel()
	const limit = 32 << 10
	record := func(n int) []byte { // n bytes with the length
		prefix := 3
		b := []byte{byte(n-prefix)&0x7F | 0x80, byte((n-prefix)>>7) | 0x80, byte((n - prefix) >> 14)}
		return append(b, make([]byte, n-prefix)...)
	}
	const tooLarge = "InvalidDataException: The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions."
	const over2GB = "FormatException: Messages over 2GB in size are not supported."
	for _, c := range []struct {
		name string
		src  []byte
		max  int
		n    int
		err  string
	}{
		{"at the limit", record(limit), limit, limit, ""},
		{"at the limit, more behind", append(record(limit), 2, 0x91), limit, limit, ""},
		{"one over", record(limit + 1), limit, 0, tooLarge},
		{"over, known from its length alone", record(limit + 1)[:3], limit, 0, tooLarge},
		{"a small one before a large one", append([]byte{2, 0x91, 6}, record(limit+1)...), limit, 3, ""},
		{"no limit", record(1 << 20), 0, 1 << 20, ""},
		{"no limit, not whole", record(1 << 20)[:1<<19], 0, 0, ""},
		{"length 0", []byte{0}, limit, 1, ""},
		{"length 0 in five bytes", []byte{0x80, 0x80, 0x80, 0x80, 0}, limit, 5, ""},
		{"a length that never ends", []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, limit, 0, over2GB},
		{"largest length", []byte{0xff, 0xff, 0xff, 0xff, 7}, 0, 0, ""},
		{"largest length, with a limit", []byte{0xff, 0xff, 0xff, 0xff, 7}, limit, 0, tooLarge},
		{"2 GiB", []byte{0x80, 0x80, 0x80, 0x80, 8}, 0, 0, over2GB},
		{"4 GiB", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, limit, 0, over2GB},
		{"six bytes of length", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 1}, limit, 0, over2GB},
		{"half a length", []byte{0x80, 0x80}, limit, 0, ""},
		{"half a length over a tiny limit", []byte{0x80, 0x80}, 1, 0, "InvalidDataException: The maximum message size of 1B was exceeded. The message size can be configured in AddHubOptions."},
		{"nothing", nil, limit, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rec, n, err := MessagePack.Next(c.src, c.max)
			text := ""
			if err != nil {
				text = fault(err).Name + ": " + err.Error()
			}
			if n != c.n || text != c.err {
				t.Errorf("%d bytes, %d, %q; want %d, %q", len(rec), n, text, c.n, c.err)
			}
		})
	}
}
