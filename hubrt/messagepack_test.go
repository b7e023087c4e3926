package hubrt

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokehub/spoke/codec"
)

// connectPacked opens a connection that speaks MessagePack.
func (r *rig) connectPacked(h *Hub) *client {
	r.t.Helper()
	c := r.dial(h)
	c.send(`{"protocol":"messagepack","version":1}`)
	c.expect(`{}`)
	return c
}

// expectPacked wants exactly this record next, pings left out.
func (c *client) expectPacked(want []byte, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	ping := codec.MessagePack.AppendPing(nil)
	for {
		_, n, err := codec.MessagePack.Next(c.got, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		if n > 0 {
			got := slices.Clone(c.got[:n])
			if c.got = c.got[n:]; slices.Equal(got, ping) {
				continue
			}
			if !slices.Equal(got, want) {
				c.t.Fatalf("got  % x (%q)\nwant % x", got, got, want)
			}
			return
		}
		_ = c.nc.SetReadDeadline(time.Now().Add(time.Hour))
		buf := make([]byte, 4096)
		n, err = c.nc.Read(buf)
		if c.got = append(c.got, buf[:n]...); err != nil && n == 0 {
			c.t.Fatalf("%v, and % x is left; want % x", err, c.got, want)
		}
	}
}

// callPacked sends an invocation.
func (c *client) callPacked(id, target string, args ...any) {
	c.t.Helper()
	frame, err := codec.MessagePack.AppendInvocation(nil, id, target, args)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(string(frame))
}

type order struct {
	Item  string    `json:"item"`
	Count int16     `json:"count"`
	Bytes []byte    `json:"bytes"`
	When  time.Time `json:"when"`
}

// TestBothProtocols: the same methods, of the same types, serve clients of both.
func TestBothProtocols(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(nil, Options{})
		handle(t, h, "Order", func(o order) order { o.Count++; return o })
		handle(t, h, "Raw", func(raw json.RawMessage) json.RawMessage { return raw })
		handle(t, h, "AsItCame", func(raw codec.Raw) codec.Raw { return raw })
		handle(t, h, "RawList", func(list []json.RawMessage) []json.RawMessage { return list })
		handle(t, h, "Tree", func(v codec.Tree) (codec.Tree, error) {
			if v.GetInt("a", "0") != 1 {
				return v, errors.New("no 1")
			}
			return v, nil
		})
		handle(t, h, "Any", func(v any) string { return fmt.Sprintf("%T", v) })
		handle(t, h, "Sum", func(a int32, b float64, c bool, s string, raw []byte) string {
			return fmt.Sprintf("%v %v %v %v %v", a, b, c, s, raw)
		})
		text, packed := r.connect(h), r.connectPacked(h)
		p := codec.MessagePack

		when := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		text.send(call1("1", "Order", `{"item":"é","count":1,"bytes":"AQI=","when":"2000-01-01T00:00:00Z"}`))
		text.expect(result("1", `{"item":"é","count":2,"bytes":"AQI=","when":"2000-01-01T00:00:00Z"}`))
		packed.callPacked("1", "Order", order{"é", 1, []byte{1, 2}, when})
		packed.expectPacked(p.AppendResult(nil, "1", order{"é", 2, []byte{1, 2}, when}))
		packed.callPacked("2", "Order", map[string]any{"item": "x", "count": 40000})
		packed.expectPacked(p.AppendError(nil, "2", "Failed to invoke 'Order' due to an error on the server."), nil)

		for _, target := range []string{"Raw", "Tree"} {
			text.send(call1("2", target, `{"a":[1,"x",null]}`))
			text.expect(result("2", `{"a":[1,"x",null]}`))
			packed.callPacked("3", target, map[string]any{"a": []any{1, "x", nil}})
			packed.expectPacked(p.AppendResult(nil, "3", map[string]any{"a": []any{1, "x", nil}}))
		}
		packed.callPacked("4", "Raw", []any{[]byte{1}, when, codec.Ext{Type: 5, Data: []byte{1}}})
		packed.expectPacked(p.AppendResult(nil, "4", []any{"AQ==", "2000-01-01T00:00:00Z", json.RawMessage(`{"type":5,"data":"AQ=="}`)}))
		mixed := []any{[]byte{1}, when, codec.Ext{Type: 5, Data: []byte{1}}, math.NaN(), uint64(math.MaxUint64)}
		packed.callPacked("4", "AsItCame", mixed)
		packed.expectPacked(p.AppendResult(nil, "4", mixed))
		text.send(call1("2", "AsItCame", `{"a": [1,"\u0078", 1.0]}`))
		text.expect(result("2", `{"a": [1,"\u0078", 1.0]}`))
		packed.callPacked("5", "RawList", []any{1, []any{}})
		packed.expectPacked(p.AppendResult(nil, "5", []any{1, []any{}}))

		text.send(call1("3", "Any", `1`))
		text.expect(result("3", `"float64"`))
		packed.callPacked("6", "Any", 1)
		packed.expectPacked(p.AppendResult(nil, "6", "int64"))
		packed.callPacked("7", "Sum", -70000, 2, true, "s", []byte{7})
		packed.expectPacked(p.AppendResult(nil, "7", "-70000 2 true s [7]"))
		text.leave()
		packed.leave()
	})
}

// countedPack counts how often it encodes a message.
type countedPack struct {
	codec.Protocol
	encoded *atomic.Int32
}

func (p countedPack) AppendInvocation(dst []byte, id, target string, args []any) ([]byte, error) {
	p.encoded.Add(1)
	return p.Protocol.AppendInvocation(dst, id, target, args)
}

// TestBroadcastInBothProtocols: a broadcast is encoded once for each protocol in use, however many clients there are, and a value that came in one goes out in the other.
func TestBroadcastInBothProtocols(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		texts, packs := new(atomic.Int32), new(atomic.Int32)
		h := r.hub(nil, Options{Protocols: []codec.Protocol{countedPack{codec.JSON, texts}, countedPack{codec.MessagePack, packs}}})
		handle(t, h, "Publish", func(c *Context, x json.RawMessage) error {
			return c.Clients().All().Send("message", x, c.ConnectionID() == "")
		})
		var text, packed []*client
		for range 5 {
			text, packed = append(text, r.connect(h)), append(packed, r.connectPacked(h))
		}
		if err := h.Clients().All().Send("m", "é", 1.5, []byte{1}, nil); err != nil {
			t.Fatal(err)
		}
		for i := range text {
			text[i].expect(message("m", `"é"`, `1.5`, `"AQ=="`, `null`))
			packed[i].expectPacked(codec.MessagePack.AppendInvocation(nil, "", "m", []any{"é", 1.5, []byte{1}, nil}))
		}
		if texts.Load() != 1 || packs.Load() != 1 {
			t.Errorf("encoded %d times as JSON and %d times as MessagePack, want once each", texts.Load(), packs.Load())
		}
		packed[0].callPacked("", "Publish", []any{"from", map[string]any{"Msg": "pack"}})
		for i := range text {
			text[i].expect(message("message", `["from",{"Msg":"pack"}]`, `false`))
			packed[i].expectPacked(codec.MessagePack.AppendInvocation(nil, "", "message", []any{[]any{"from", map[string]any{"Msg": "pack"}}, false}))
		}
		text[0].send(call1("", "Publish", `{"b":[1,1.0]}`))
		for i := range text {
			text[i].expect(message("message", `{"b":[1,1.0]}`, `false`))
			packed[i].expectPacked(codec.MessagePack.AppendInvocation(nil, "", "message", []any{map[string]any{"b": []any{1, 1.0}}, false}))
		}
		for i := range text {
			text[i].leave()
			packed[i].leave()
		}
		checkEmpty(t, h)
	})
}

// TestPackedFaults: what is no MessagePack ends the connection, and what is wrong with arguments alone fails the call.
func TestPackedFaults(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		h := r.hub(nil, Options{DetailedErrors: true})
		handle(t, h, "Echo", func(s string) string { return s })
		p := codec.MessagePack
		for _, c := range []struct{ name, send, text string }{
			{"no array", "\x01\x06", "MessagePackSerializationException: Unexpected msgpack code 6 encountered."},
			{"over 2 GiB", "\xff\xff\xff\xff\x0f", "FormatException: Messages over 2GB in size are not supported."},
			{"over the cap, before it is there", "\x80\x80\x04", "InvalidDataException: The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions."},
			{"2^32-1 items", "\x05\xdd\xff\xff\xff\xff", "EndOfStreamException: Attempted to read past the end of the stream."},
		} {
			bad := r.connectPacked(h)
			bad.raw(c.send)
			bad.expectPacked(p.AppendClose(nil, "Connection closed with an error. "+c.text, true), nil)
			bad.leave()
		}
		c := r.connectPacked(h)
		c.raw("\x0f\x96\x01\x80\xa11\xa4Echo\xdd\xff\xff\xff\xff")
		c.expectPacked(p.AppendError(nil, "1", "Failed to invoke 'Echo' due to an error on the server. InvalidDataException: Reading array length for 'arguments' failed."), nil)
		c.callPacked("2", "Echo", "x")
		c.expectPacked(p.AppendResult(nil, "2", "x"))
		c.leave()
	})
}
