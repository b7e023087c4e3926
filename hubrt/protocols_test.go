package hubrt

import (
	"sync/atomic"
	"testing"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// binaryJSON is JSON that calls itself binary, with a mark in front of each message that it sends.
type binaryJSON struct {
	codec.Protocol
	encoded *atomic.Int32
}

func (binaryJSON) Name() string { return "messagepack" }
func (binaryJSON) Binary() bool { return true }

func (p binaryJSON) AppendInvocation(dst []byte, id, target string, args []any) ([]byte, error) {
	p.encoded.Add(1)
	return p.Protocol.AppendInvocation(append(dst, "binary:"...), id, target, args)
}

// TestProtocols: each connection gets what it speaks, from the same broadcast.
func TestProtocols(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		encoded := new(atomic.Int32)
		h := r.hub(probe{}, Options{Protocols: []codec.Protocol{codec.JSON, binaryJSON{codec.JSON, encoded}}})
		shakeBinary := `{"protocol":"MessagePack","version":1}`

		refused := r.dial(h, func(p *Peer) { p.Binary = false })
		refused.send(shakeBinary)
		refused.expect(`{"error":"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."}`)
		refused.expectEnd(engine.HandshakeRefused)

		text := r.connect(h)
		if err := h.Clients().All().Send("m"); err != nil {
			t.Fatal(err)
		}
		text.expect(message("m"))
		if encoded.Load() != 0 {
			t.Error("a protocol that nobody uses was encoded")
		}
		binary := r.dial(h)
		binary.send(shakeBinary)
		binary.expect(`{}`)
		binary.on(func(*Conn) {
			if len(binary.link.binary) != 1 || !binary.link.binary[0] {
				t.Errorf("Format was called with %v, want once true", binary.link.binary)
			}
		})
		for range 3 {
			text.on(func(*Conn) { // so that they are merged
				for range 2 {
					if err := h.Clients().All().Send("m"); err != nil {
						t.Error(err)
					}
				}
			})
			text.expect(message("m"), message("m"))
			binary.expect("binary:"+message("m"), "binary:"+message("m"))
		}
		if err := h.Clients().Client(binary.id.String()).Send("m"); err != nil {
			t.Fatal(err)
		}
		binary.expect("binary:" + message("m"))
		binary.leave()
		text.leave()
		checkEmpty(t, h)
	})
}
