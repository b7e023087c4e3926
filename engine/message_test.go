package engine

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

var messageClauses = []clause{
	{name: "message/what is added arrives in order", tune: roomy, run: testMessageModel},
	{name: "message/what is added arrives in order in spite of short writes", tune: shortWrites, run: testMessageModel},
	{name: "message/only what still waits as a whole can be added to", run: testLastMessage},
	{name: "message/added bytes count for the caps", tune: func(cfg *Config) { cfg.OwnedMax = 1 << 20 }, run: testMessageCap},
}

// A message of these tests is its payload's length in two or, from 100 on, in four bytes (the first is then 255), and the payload.
func messageHeader(n int) []byte {
	if n < 100 {
		return []byte{0, byte(n)}
	}
	return append([]byte{255}, byte(n>>16), byte(n>>8), byte(n))
}

func messageHeaderLen(p []byte) int {
	if p[0] == 255 {
		return 4
	}
	return 2
}

// addMessage queues a payload as a message, or adds it to the last one up to most bytes.
func addMessage(c *Conn, payload []byte, most int) (added bool) {
	if last := c.LastMessage(); last != nil {
		old := messageHeaderLen(last)
		if n := len(last) - old + len(payload); n <= most {
			c.ExtendMessage(old, messageHeader(n), payload)
			return true
		}
	}
	c.WriteMessage(messageHeader(len(payload)), payload)
	return false
}

// readMessage takes one message off r.
func readMessage(r io.Reader) ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return nil, err
	}
	n := int(h[1])
	if h[0] == 255 {
		if _, err := io.ReadFull(r, h[2:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint32(h[:]) & 0xffffff)
	}
	p := make([]byte, n)
	_, err := io.ReadFull(r, p)
	return p, err
}

// testMessageModel queues messages, adds to them, and puts frames between; the peer must find whole messages, and all bytes in order.
func testMessageModel(t *testing.T, w *world) {
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		refs := make(chan Ref, 1)
		p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
		r := await(t, refs, "the connection")
		stream := numbers(1 << 20)
		added := 0
		var posted sync.WaitGroup
		posted.Go(func() {
			for rest := stream; len(rest) > 0; {
				var ops []func(c *Conn)
				for range 1 + rnd.IntN(30) {
					n := min(len(rest), rnd.IntN(1<<rnd.IntN(13)))
					piece := rest[:n]
					rest = rest[n:]
					if rnd.IntN(5) == 0 {
						f := NewFrame(append(messageHeader(n), piece...), len(messageHeader(n)))
						ops = append(ops, func(c *Conn) { c.Send(f) })
						continue
					}
					most := 1 << rnd.IntN(14)
					ops = append(ops, func(c *Conn) {
						if addMessage(c, piece, most) {
							added++
						}
					})
				}
				last := len(rest) == 0
				on(t, r.Loop(), func() {
					c := r.Conn()
					if c == nil {
						t.Error("the connection has gone")
						return
					}
					for _, op := range ops {
						op(c)
					}
					if last {
						c.Close(ResponseEnd, nil)
					}
				})
			}
		})
		var got []byte
		for {
			m, err := readMessage(p)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("seed %d: after %d bytes: %v", seed, len(got), err)
			}
			got = append(got, m...)
		}
		posted.Wait()
		if !bytes.Equal(got, stream) {
			t.Fatalf("seed %d: got %d bytes, want the %d that were queued, in order", seed, len(got), len(stream))
		}
		if added == 0 {
			t.Errorf("seed %d: nothing was added to a message", seed)
		}
		_ = p.Close()
	}
}

func testLastMessage(t *testing.T, w *world) {
	refs := make(chan Ref, 1)
	p := w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
	r := await(t, refs, "the connection")
	message := func(c *Conn) { c.WriteMessage([]byte("h"), []byte("m")) }
	for _, tc := range []struct {
		name string
		do   []func(c *Conn)
		want string // of LastMessage
	}{
		{"nothing", nil, ""},
		{"a message", []func(*Conn){message}, "hm"},
		{"two", []func(*Conn){message, func(c *Conn) { c.WriteMessage([]byte("x"), []byte("yz")) }}, "xyz"},
		{"bytes", []func(*Conn){func(c *Conn) { c.Write([]byte("b")) }}, ""},
		{"bytes behind", []func(c *Conn){message, func(c *Conn) { c.Write([]byte("b")) }}, ""},
		{"bytes in front", []func(c *Conn){func(c *Conn) { c.Write([]byte("b")) }, message}, "hm"},
		{"a frame behind", []func(*Conn){message, func(c *Conn) { c.Send(NewFrame([]byte("f"), 0)) }}, ""},
		{"a frame in front", []func(*Conn){func(c *Conn) { c.Send(NewFrame([]byte("f"), 0)) }, message}, "hm"},
		{"in two buffers", []func(*Conn){message, func(c *Conn) { c.WriteMessage([]byte("h"), make([]byte, tailSize)) }}, ""},
		{"closed", []func(*Conn){message, func(c *Conn) { c.Close(ResponseEnd, nil) }}, ""},
	} {
		on(t, r.Loop(), func() {
			for _, do := range tc.do {
				do(r.Conn())
			}
			if got := r.Conn().LastMessage(); string(got) != tc.want {
				t.Errorf("%s: the last message is %q, want %q", tc.name, got, tc.want)
			}
		})
		if tc.name != "closed" {
			on(t, r.Loop(), func() {
				if got := r.Conn().LastMessage(); got != nil {
					t.Errorf("%s: the last message has left and is %q", tc.name, got)
				}
			})
		}
	}
	_, _ = io.Copy(io.Discard, p)
}

// testMessageCap adds to messages of a peer that does not read until the connection is reset.
func testMessageCap(t *testing.T, w *world) {
	closed, ends := endings()
	refs := make(chan Ref, 1)
	w.connect(func(c *Conn) Handler { refs <- c.Ref(); return &probe{close: closed} })
	r := await(t, refs, "the connection")
	payload := slices.Repeat([]byte("x"), 1000)
	for i := 0; len(ends) == 0; i++ {
		if i == 100_000 {
			t.Fatal("a hundred megabytes were queued")
		}
		on(t, r.Loop(), func() {
			if c := r.Conn(); c != nil {
				addMessage(c, payload, 4000)
			}
		})
	}
	if e := await(t, ends, "the end"); e.reason != OutboundOverflow {
		t.Errorf("the connection ended with %v, want %v", e.reason, OutboundOverflow)
	}
}
