package ws

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spokehub/spoke/engine"
)

// TestJoin: what is written in one iteration of the loop leaves in one message, as far as it is of one kind, nothing stands between, and it is not too long.
func TestJoin(t *testing.T) {
	t.Parallel()
	a := func(n int) string { return strings.Repeat("a", n) }
	b := func(n int) string { return strings.Repeat("b", n) }
	write := func(s string) func(*Conn) { return func(c *Conn) { c.Write(false, []byte(s)) } }
	bin := func(s string) func(*Conn) { return func(c *Conn) { c.Write(true, []byte(s)) } }
	frame := engine.NewFrame(append(AppendHeader(nil, false, 6), "shared"...), 2)
	shared := func(c *Conn) { c.Send(frame) }
	hubPing := func(c *Conn) { c.ec.Write([]byte{bitFin | opPing, 0}) }
	for _, tt := range []struct {
		name string
		do   []func(*Conn)
		want []string
	}{
		{"two", []func(*Conn){write("one"), write("two")}, []string{"text onetwo"}},
		{"two binary", []func(*Conn){bin("one"), bin("two")}, []string{"binary onetwo"}},
		{"two kinds", []func(*Conn){write("one"), bin("two"), bin("three"), write("four")}, []string{"text one", "binary twothree", "text four"}},
		{"nothing in front", []func(*Conn){write(""), write("two")}, []string{"text two"}},
		{"nothing behind", []func(*Conn){write("one"), write("")}, []string{"text one"}},
		{"up to 125", []func(*Conn){write(a(100)), write(b(25))}, []string{"text " + a(100) + b(25)}},
		{"over 125: the header is longer", []func(*Conn){write(a(100)), write(b(26)), write(a(1))}, []string{"text " + a(100) + b(26) + a(1)}},
		{"both long", []func(*Conn){write(a(200)), write(b(200))}, []string{"text " + a(200) + b(200)}},
		{"into a larger buffer", []func(*Conn){write(a(900)), write(b(900)), write(a(900))}, []string{"text " + a(900) + b(900) + a(900)}},
		{"out of a buffer that others share", []func(*Conn){bin(a(500)), write(a(400)), write(b(900))}, []string{"binary " + a(500), "text " + a(400) + b(900)}},
		{"as much as is joined", []func(*Conn){write(a(joinMax - 10)), write(b(10))}, []string{"text " + a(joinMax-10) + b(10)}},
		{"more than is joined", []func(*Conn){write(a(joinMax - 10)), write(b(11)), write(a(1))}, []string{"text " + a(joinMax-10), "text " + b(11) + a(1)}},
		{"a shared frame between", []func(*Conn){write("one"), shared, write("two"), write("three")}, []string{"text one", "text shared", "text twothree"}},
		{"a shared frame in front", []func(*Conn){shared, write("one"), write("two")}, []string{"text shared", "text onetwo"}},
		{"a control frame between", []func(*Conn){write("one"), hubPing, write("two"), write("three")}, []string{"text one", "ping ", "text twothree"}},
		{"a close frame behind", []func(*Conn){write("one"), write("two"), func(c *Conn) { c.Close(1000, engine.Shutdown, nil); c.Write(false, []byte("three")) }}, []string{"text onetwo", "close 1000"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, newEngine(t, engine.Config{}), nil, newReceiver(t))
			p.loop(func(c *Conn) {
				for _, do := range tt.do {
					do(c)
				}
			})
			p.expect(tt.want...)
		})
	}
}

// TestJoinRandom: whatever is written, the payloads arrive in order, in messages of the right kind, none of them joined to more than joinMax.
func TestJoinRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := connect(t, newEngine(t, engine.Config{OwnedMax: 16 << 20, OutboundMax: 16 << 20}), nil, newReceiver(t))
		var want strings.Builder
		var kinds []bool
		total := 0
		type written struct {
			isBinary bool
			text     string
		}
		var iterations [][]written
		for range 1 + rnd.IntN(20) {
			var list []written
			for range 1 + rnd.IntN(30) {
				w := written{rnd.IntN(5) == 0, fmt.Sprintf("<%d>", total) + strings.Repeat("x", rnd.IntN(1<<rnd.IntN(13)))}
				total++
				kinds = append(kinds, w.isBinary)
				want.WriteString(w.text)
				list = append(list, w)
			}
			iterations = append(iterations, list)
		}
		for _, list := range iterations {
			p.loop(func(c *Conn) {
				for _, w := range list {
					c.Write(w.isBinary, []byte(w.text))
				}
			})
		}
		got, n := "", 0
		for n < total {
			kind, text, _ := strings.Cut(p.next(), " ")
			got += text
			parts := strings.Count(text, "<")
			if parts > 1 && len(text) > joinMax {
				t.Fatalf("seed %d: %d payloads of %d bytes together are one message", seed, parts, len(text))
			}
			for range parts {
				if want := map[bool]string{false: "text", true: "binary"}[kinds[n]]; kind != want {
					t.Fatalf("seed %d: payload %d came as %s, want %s", seed, n, kind, want)
				}
				n++
			}
		}
		if got != want.String() {
			t.Fatalf("seed %d: other bytes came than were written", seed)
		}
	}
}

// TestJoinAllocs: messages that are joined allocate nothing, nor do those that grow out of their buffer.
func TestJoinAllocs(t *testing.T) {
	recv := newReceiver(t)
	payload := []byte(strings.Repeat("a", 90))
	recv.payload = func(c *Conn, _ []byte) {
		for range 40 {
			c.Write(false, payload)
		}
	}
	_, s := steps(t, engine.Config{}, recv, text("go"))
	if n := testing.AllocsPerRun(200, s.run); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
