package hubrt

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// TestBacklog holds it against a list of single records.
func TestBacklog(t *testing.T) {
	t.Parallel()
	for _, p := range []codec.Protocol{codec.JSON, codec.MessagePack} {
		for seed := range uint64(20) {
			t.Run(p.Name()+" "+strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, 2))
				var l ledger
				var b backlog
				b.begin(&l, p, 1<<20)
				var all [][]byte // all records, by number from 1
				acked, sent := 0, 0
				made := func(n int) (out []byte) {
					for range n {
						rec, err := p.AppendInvocation(nil, "", "m", []any{len(all), string(make([]byte, r.IntN(200)))})
						if err != nil {
							t.Fatal(err)
						}
						all = append(all, rec)
						out = append(out, rec...)
					}
					return out
				}
				for range 2000 {
					switch r.IntN(7) {
					case 0:
						head := []byte("header")
						b.addFrame(engine.NewFrame(append(head, made(1+r.IntN(3))...), len(head)))
					case 1:
						b.addRecords(made(1+r.IntN(3)), r.IntN(2) == 0)
					case 2:
						if !b.pending() {
							b.addSent(made(1 + r.IntN(3)))
							sent = len(all)
						}
					case 3, 4:
						if b.pending() {
							piece := b.forward()
							got, n := piece.bytes(), int(piece.n)
							if want := bytes.Join(all[sent:sent+n], nil); !bytes.Equal(got, want) {
								t.Fatalf("forwarded %q, want %q", got, want)
							}
							sent += n
						}
					case 5:
						n := acked + r.IntN(len(all)-acked+3) - 1 // also too high and too low
						b.acknowledge(int64(n))
						acked = max(acked, min(n, sent))
					case 6:
						if r.IntN(10) == 0 {
							b.rewind()
							sent = acked
						}
					}
					if b.first != int64(acked+1) || b.unsent != int64(sent+1) {
						t.Fatalf("it begins with %d and %d is to be sent, want %d and %d", b.first, b.unsent, acked+1, sent+1)
					}
					if got, want := b.bytes, len(bytes.Join(all[acked:], nil)); got != want {
						t.Fatalf("%d bytes, want %d", got, want)
					}
					if got, want := b.sent, len(bytes.Join(all[acked:sent], nil)); got != want {
						t.Fatalf("%d bytes are sent, want %d", got, want)
					}
				}
				if r.IntN(2) == 0 {
					for b.pending() {
						b.forward()
					}
					b.acknowledge(int64(len(all)))
				} else {
					b.drop()
				}
				if b.bytes != 0 || b.sent != 0 || b.owned != 0 || b.shared != 0 || b.len() != 0 || l.bytes != 0 || l.last != nil || b.tail != nil {
					t.Errorf("left behind: %+v, %d bytes", b, l.bytes)
				}
			})
		}
	}
}

// TestBacklogSharesBuffers: small replies between broadcasts do not take a buffer each.
func TestBacklogSharesBuffers(t *testing.T) {
	t.Parallel()
	var l ledger
	var b backlog
	b.begin(&l, codec.JSON, 1<<20)
	reply := codec.JSON.AppendCompletion(nil, "1234")
	frame := engine.NewFrame(codec.JSON.AppendCompletion(nil, "all"), 0)
	for range 1000 {
		b.addSent(reply)
		b.addFrame(frame)
		b.forward()
	}
	if most := 2 * 1000 * len(reply); b.owned > most {
		t.Errorf("%d bytes are kept in %d, want at most %d", 1000*len(reply), b.owned, most)
	}
	b.drop()
}
