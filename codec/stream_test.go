package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// goldenStream is all golden records in a row, and what a reader must make of them. Records that must be refused are in it, too: here each is read alone.
func goldenStream(t testing.TB) (stream []byte, want []meaning) {
	for _, l := range goldenMessages(t) {
		if bytes.IndexByte(l.rec, separator) >= 0 {
			t.Fatalf("%s, %s: a separator inside the record", l.file, l.name)
		}
		stream = append(append(stream, l.rec...), separator)
		want = append(want, l.read(t))
	}
	return stream, want
}

// receiver does with a stream that comes in pieces what a connection does.
type receiver struct {
	unread []byte
	seen   int // of unread, by a call that asked for more
	m      Message
	got    []meaning
}

func (r *receiver) take(piece []byte) error {
	r.unread = append(r.unread, piece...)
	for {
		rec, n, err := JSON.NextFrom(r.unread, r.seen, 32<<10)
		if err != nil {
			return err
		}
		if n == 0 {
			r.seen = len(r.unread)
			return nil
		}
		r.got = append(r.got, meaningOf(&r.m, JSON.Decode(slices.Clone(rec), &r.m)))
		r.unread, r.seen = r.unread[n:], 0
	}
}

func (r *receiver) compare(t *testing.T, want []meaning) {
	t.Helper()
	if len(r.got) != len(want) || len(r.unread) != 0 {
		t.Fatalf("%d records and %d bytes left, want %d records", len(r.got), len(r.unread), len(want))
	}
	for i, w := range want {
		if !r.got[i].same(w) {
			t.Errorf("record %d\n got %v\nwant %v", i, r.got[i], w)
		}
	}
}

func TestStreamCutAnywhere(t *testing.T) {
	t.Parallel()
	stream, want := goldenStream(t)
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		var r receiver
		if err := r.take(stream); err != nil {
			t.Fatal(err)
		}
		r.compare(t, want)
	})
	t.Run("byte by byte", func(t *testing.T) {
		t.Parallel()
		var r receiver
		for i := range stream {
			if err := r.take(stream[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
		r.compare(t, want)
	})
	t.Run("random pieces", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(50) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			var r receiver
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), 1+rnd.IntN(1<<rnd.IntN(10)))
				if err := r.take(rest[:n]); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				rest = rest[n:]
			}
			r.compare(t, want)
		}
	})
}

// Every prefix of a record, and of the handshake, asks for more; every beginning of a record, taken for one, is refused or means something else.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	for _, l := range goldenMessages(t) {
		whole := append(slices.Clone(l.rec), separator)
		for i := range whole {
			if rec, n, err := JSON.Next(whole[:i], 1<<20); rec != nil || n != 0 || err != nil {
				t.Fatalf("%s, %s: Next of the first %d bytes = %q, %d, %v", l.file, l.name, i, rec, n, err)
			}
		}
		rec, n, err := JSON.Next(append(whole, `{"type"`...), 1<<20)
		if !bytes.Equal(rec, l.rec) || n != len(l.rec)+1 || err != nil {
			t.Fatalf("%s, %s: Next = %q, %d, %v", l.file, l.name, rec, n, err)
		}
		if l.mode == "refuse" {
			continue
		}
		var m Message
		body := bytes.TrimRight(l.rec, " \t\r\n")
		for i := range body {
			if err := JSON.Decode(body[:i], &m); err == nil {
				t.Errorf("%s, %s: cut to %q, it is still a message", l.file, l.name, body[:i])
			}
		}
	}
	for _, l := range readGolden(t, "handshake_request") {
		for i := range len(l.rec) + 1 {
			if _, n, err := ReadHandshake(l.rec[:i], 1<<20); n != 0 || err != nil {
				t.Fatalf("handshake, %s: the first %d bytes: %d, %v", l.name, i, n, err)
			}
		}
	}
}

func TestNextSize(t *testing.T) {
	t.Parallel()
	const limit = 32 << 10
	record := func(n int) []byte { return append(bytes.Repeat([]byte{'a'}, n-1), separator) } // n bytes with the separator
	tooLarge := "The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions."
	for _, c := range []struct {
		name string
		src  []byte
		max  int
		n    int
		err  string
	}{
		{"at the limit", record(limit), limit, limit, ""},
		{"at the limit, more behind", append(record(limit), "more"...), limit, limit, ""},
		{"one over", record(limit + 1), limit, 0, tooLarge},
		{"two over", record(limit + 2), limit, 0, tooLarge},
		{"as many as the limit, not whole", bytes.Repeat([]byte{'a'}, limit), limit, 0, ""},
		{"more than the limit, not whole", bytes.Repeat([]byte{'a'}, limit+1), limit, 0, tooLarge},
		{"small one before a large one", append(record(9), record(limit+1)...), limit, 9, ""},
		{"no limit", record(1 << 20), 0, 1 << 20, ""},
		{"no limit, not whole", bytes.Repeat([]byte{'a'}, 1<<20), 0, 0, ""},
		{"empty record", []byte{separator}, limit, 1, ""},
		{"nothing", nil, limit, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, from := range []int{0, max(c.n-1, 0)} {
				rec, n, err := JSON.NextFrom(c.src, from, c.max)
				text := ""
				if err != nil {
					text = err.Error()
					if fault(err).Name != "InvalidDataException" {
						t.Errorf("error %#v, want an InvalidDataException", err)
					}
				}
				if n != c.n || text != c.err || n > 0 && len(rec) != n-1 {
					t.Errorf("from %d: %d bytes, %d, %q; want %d, %q", from, len(rec), n, text, c.n, c.err)
				}
			}
		})
	}
}

func TestNextFromBeyondTheEnds(t *testing.T) {
	t.Parallel()
	src := []byte("{}\x1e{}\x1e")
	for from, wantN := range map[int]int{-5: 3, 0: 3, 2: 3, 3: 6, 6: 0, 99: 0} {
		if _, n, err := JSON.NextFrom(src, from, 0); n != wantN || err != nil {
			t.Errorf("NextFrom(from %d) = %d, %v; want %d", from, n, err, wantN)
		}
	}
}

func TestHandshakeSize(t *testing.T) {
	t.Parallel()
	shake := `{"protocol":"json","version":1}` + "\x1e"
	pad := func(n int) []byte { return []byte(strings.Repeat(" ", n-len(shake)) + shake) }
	for _, c := range []struct {
		name string
		src  []byte
		max  int
		n    int
		err  error
	}{
		{"at the limit", pad(100), 100, 100, nil},
		{"hub messages behind it do not count", append(pad(100), "{\"type\":6}\x1e"...), 100, 100, nil},
		{"over", pad(101), 100, 0, ErrHandshakeTooLarge},
		{"not whole", pad(101)[:100], 100, 0, nil},
		{"not whole and over", bytes.Repeat([]byte{' '}, 101), 100, 0, ErrHandshakeTooLarge},
		{"no limit", pad(1 << 16), 0, 1 << 16, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, from := range []int{0, max(c.n-1, 0)} {
				if _, n, err := ReadHandshakeFrom(c.src, from, c.max); n != c.n || !errors.Is(err, c.err) {
					t.Errorf("from %d: %d, %v; want %d, %v", from, n, err, c.n, c.err)
				}
			}
		})
	}
}

func TestHandshakeFaultQuotesNoMoreThanAKibibyte(t *testing.T) {
	t.Parallel()
	src := fmt.Sprintf("{\"x\":\"%s\"}\x1e", strings.Repeat("é", 10_000))
	_, _, err := ReadHandshake([]byte(src), 0)
	if err == nil || len(err.Error()) > maxQuoted+100 || !strings.HasPrefix(err.Error(), "Missing required property 'protocol'. Message content: {\"x\":\"éé") {
		t.Errorf("error of %d bytes: %.100v", len(err.Error()), err)
	}
}
