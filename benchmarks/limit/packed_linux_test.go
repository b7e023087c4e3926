package main

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"golang.org/x/sys/unix"
)

// packed is a client's frame with records in MessagePack, each with its length; the mask is 0.
func packed(t testing.TB, records ...[]any) []byte {
	t.Helper()
	var p []byte
	for _, r := range records {
		b, err := msgpack.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		p = append(binary.AppendUvarint(p, uint64(len(b))), b...)
	}
	return maskedBinary(p)
}

func maskedBinary(p []byte) []byte {
	head := appendHeader(nil, 0x82, len(p))
	head[1] |= 0x80
	return append(append(head, 0, 0, 0, 0), p...)
}

func packedInvocation(id any, target string, args ...any) []any {
	return []any{1, map[string]any{}, id, target, args, []any{}}
}

// TestPacked: what is answered, and to whom it goes, without sockets between.
func TestPacked(t *testing.T) {
	t.Parallel()
	s, _, feed := fed(t)
	text := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name    string
		say     [][]any
		answers [][]any
	}{
		{"ping and goodbye", [][]any{{6}, {7, nil}, packedInvocation("1", "Echo", "a")}, [][]any{{3, map[string]any{}, "1", 3, "a"}}},
		{"echo", [][]any{packedInvocation("17", "Echo", text)}, [][]any{{3, map[string]any{}, "17", 3, text}}},
		{"two", [][]any{packedInvocation("1", "Echo", "a"), packedInvocation("2", "Echo", "b")}, [][]any{{3, map[string]any{}, "1", 3, "a"}, {3, map[string]any{}, "2", 3, "b"}}},
		{"broadcast", [][]any{packedInvocation("3", "Broadcast", text)}, [][]any{{1, map[string]any{}, nil, "message", []any{text}, []any{}}, {3, map[string]any{}, "3", 3, nil}}},
		{"broadcast, no completion", [][]any{packedInvocation(nil, "Broadcast", "a")}, [][]any{{1, map[string]any{}, nil, "message", []any{"a"}, []any{}}}},
		{"join", [][]any{packedInvocation("4", "Join", "g")}, [][]any{{3, map[string]any{}, "4", 3, nil}}},
		{"publish", [][]any{packedInvocation("5", "Publish", "g", "a")}, [][]any{{1, map[string]any{}, nil, "message", []any{"a"}, []any{}}, {3, map[string]any{}, "5", 3, nil}}},
	} {
		var want []byte
		for _, a := range tt.answers {
			f := packed(t, a)
			mask := len(f) - int(binaryLength(f))
			f = append(f[:mask-4:mask-4], f[mask:]...) // as a server sends it
			f[1] &^= 0x80
			want = append(want, f...)
		}
		if got := feed(packed(t, tt.say...)); string(got) != string(want) {
			t.Errorf("%s: got\n% x, want\n% x", tt.name, got, want)
		}
	}
	s.pings = true
	if got := feed(packed(t, []any{6})); string(got) != "\x82\x03\x02\x91\x06" {
		t.Errorf("a ping was answered by %q", got)
	}
	for name, p := range map[string][]byte{
		"cut record":      maskedBinary([]byte{9, 0x96}),
		"no length":       maskedBinary([]byte{0x80}),
		"unknown method":  packed(t, packedInvocation("1", "Nope", "a")),
		"unknown group":   packed(t, packedInvocation("1", "Publish", "h", "a")),
		"long id":         packed(t, packedInvocation(strings.Repeat("1", 40), "Echo", "a")),
		"something else":  packed(t, []any{5, map[string]any{}, "1"}),
		"empty message":   packed(t, []any{}),
		"invocation only": maskedBinary([]byte{3, 0x96, 1, 0x80}),
	} {
		s, c, feed := fed(t)
		feed(p)
		if c.open || len(s.dead) == 0 {
			t.Errorf("%s does not end the connection", name)
		}
	}
	if len(s.dead) != 0 {
		t.Error("a connection ended that did nothing wrong")
	}
}

// binaryLength is the payload's length of a client's frame.
func binaryLength(f []byte) uint64 {
	if n := f[1] & 0x7f; n < 126 {
		return uint64(n)
	}
	return uint64(binary.BigEndian.Uint16(f[2:]))
}

// fed is a server with one connection that has shaken hands; feed gives it a frame and returns what it sends.
func fed(t *testing.T) (s *server, c *conn, feed func(frame []byte) []byte) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(pair[0]); _ = unix.Close(pair[1]) })
	near, far := int32(pair[0]), int32(pair[1])
	s = &server{log: new(strings.Builder), groups: map[string]*room{}, in: make([]byte, readBuffer), conns: make([]conn, near+1)}
	c = &s.conns[near]
	*c = conn{open: true, framed: true}
	buf := make([]byte, 64<<10)
	feed = func(frame []byte) []byte {
		if n, e := write(far, frame); n != len(frame) || e != 0 {
			t.Fatalf("write: %d, %v", n, e)
		}
		s.receive(near, false)
		n, _ := read(far, buf)
		return buf[:max(n, 0)]
	}
	feed(text(`{"protocol":"messagepack","version":1}`))
	return s, c, feed
}
