package spoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/internal/hubtest"
)

// Relay passes on what it does not look at, in every way there is.
type Relay struct {
	Inline func(x spoke.Raw) spoke.Raw `spoke:",inline"`
}

type note struct {
	Name    string    `json:"name"`
	Payload spoke.Raw `json:"payload"`
}

func (Relay) Echo(x spoke.Raw) spoke.Raw     { return x }
func (Relay) EchoAny(x *spoke.Raw) any       { return x }
func (Relay) EchoNote(x note) note           { return x }
func (Relay) List(x []spoke.Raw) []spoke.Raw { return x }

func (Relay) Broadcast(c *spoke.Context, x spoke.Raw) error {
	return c.Clients().All().Send("message", x, note{"all", x})
}

// Again answers with what a client of whatever encoding says when it is asked.
func (Relay) Again(c *spoke.Context, ctx context.Context, x spoke.Raw) (spoke.Raw, error) {
	return spoke.InvokeClient[spoke.Raw](ctx, c.Clients().Caller(), "again", x)
}

// Through streams what is streamed to it.
func (Relay) Through(items iter.Seq2[spoke.Raw, error]) iter.Seq2[spoke.Raw, error] { return items }

func (Relay) Time(x spoke.Raw) (int, error) {
	var at time.Time
	err := x.Bind(&at)
	return at.Year(), err
}

// relay runs the hub and connects a client of each encoding.
func relay(t *testing.T) (text, packed *hubtest.Client) {
	return relayOf(t, Relay{func(x spoke.Raw) spoke.Raw { return x }})
}

func relayOf(t *testing.T, hub any) (text, packed *hubtest.Client) {
	t.Helper()
	_, addr := start(t, spoke.Config{}, func(s *spoke.Server) {
		mapHub(t, s, "/relay", hub)
	})
	text = dial(t, addr, "/relay")
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	packed = hubtest.Bare(nc)
	packed.Protocol = spoke.MessagePack
	if err := errors.Join(packed.Upgrade("/relay"), packed.Handshake()); err != nil {
		t.Fatal(err)
	}
	return text, packed
}

// say sends a record that was encoded without an error.
func say(t *testing.T, c *hubtest.Client, record []byte, err error) {
	t.Helper()
	if err == nil {
		err = c.Record(record)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// packedValue is v in MessagePack.
func packedValue(t *testing.T, v any) []byte {
	t.Helper()
	b, err := spoke.MessagePack.AppendValue(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lossy is what JSON has no form for, or another one.
var lossy = []any{[]byte{0, 1, 255}, time.Date(2000, 1, 1, 0, 0, 0, 5, time.UTC), codec.Ext{Type: 5, Data: []byte{1}}, uint64(math.MaxUint64), float32(0.1), map[string]any{"": nil}}

const lossyAsJSON = `["AAH/","2000-01-01T00:00:00.000000005Z",{"type":5,"data":"AQ=="},18446744073709551615,0.1,{"":null}]`

// A call comes back in the encoding of the client byte for byte, by a worker and on the loop, and as a part of something.
func TestRawCalls(t *testing.T) {
	t.Parallel()
	text, packed := relay(t)
	const spaced = `{"a": [1.0, "\u0078", 18446744073709551616]}`
	for _, target := range []string{"Echo", "Inline"} {
		if err := text.Write(`{"type":1,"invocationId":"x","target":"` + target + `","arguments":[ ` + spaced + ` ]}`); err != nil {
			t.Fatal(err)
		}
		if m := next(t, text); string(m.Result) != spaced {
			t.Errorf("%s: %s, want %s", target, m.Result, spaced)
		}
	}
	for _, target := range []string{"EchoAny", "EchoNote", "List"} {
		value := map[string]string{"EchoAny": `{"a":[1]}`, "EchoNote": `{"name":"n","payload":{"a":[1]}}`, "List": `[{"a":[1]},null]`}[target]
		if r := invoke(t, text, target, json.RawMessage(value)); r != value {
			t.Errorf("%s: %s, want %s", target, r, value)
		}
	}
	// 1 in nine bytes, and a text in the long form: bytes that our encoder would not write. NaN has no form in JSON at all.
	unusual := append(packedValue(t, append(slices.Clone(lossy), math.NaN())), "\xd3\x00\x00\x00\x00\x00\x00\x00\x01\xd9\x01x"...)
	unusual[0] += 2 // the elements of the array
	for target, value := range map[string][]byte{
		"Echo": unusual, "Inline": unusual, "EchoAny": unusual, "EchoNote": slices.Concat([]byte("\x82\xa4name\xa1n\xa7payload"), unusual), "List": slices.Concat([]byte("\x93"), unusual, []byte("\xc0"), unusual),
	} {
		p := spoke.MessagePack
		say(t, packed, p.End(p.EndArgs(p.AppendRaw(p.BeginInvocation(nil, "x", target, 1), value)), 0), nil)
		if m := next(t, packed); len(m.Packed) != 1 || !bytes.Equal(m.Packed[0], value) {
			t.Errorf("%s: %+v, want % x", target, m, value)
		}
	}
	record, err := spoke.MessagePack.AppendInvocation(nil, "x", "Time", []any{lossy[1]})
	say(t, packed, record, err)
	if m := next(t, packed); string(m.Result) != "2000" {
		t.Errorf("got %+v", m)
	}
}

// What a MessagePack client publishes is still binary for clients like it, and readable for those of JSON; and the other way round.
func TestRawBroadcast(t *testing.T) {
	t.Parallel()
	text, packed := relay(t)
	value := packedValue(t, lossy)
	record, err := spoke.MessagePack.AppendInvocation(nil, "", "Broadcast", []any{lossy})
	say(t, packed, record, err)
	m := next(t, packed)
	if want := [][]byte{value, packedValue(t, map[string]any{"name": "all", "payload": lossy})}; m.Target != "message" || !reflect.DeepEqual(m.Packed, want) {
		t.Errorf("MessagePack: % x, want % x", m.Packed, want)
	}
	m = next(t, text)
	if want := `{"name":"all","payload":` + lossyAsJSON + `}`; m.Target != "message" || string(m.Arguments[0]) != lossyAsJSON || string(m.Arguments[1]) != want {
		t.Errorf("JSON: %s, want %s", m.Arguments, lossyAsJSON)
	}
	if err := text.Send("Broadcast", json.RawMessage(`{"a":[1,1.5,"é"]}`)); err != nil {
		t.Fatal(err)
	}
	if m = next(t, text); string(m.Arguments[0]) != `{"a":[1,1.5,"é"]}` {
		t.Errorf("JSON: %s", m.Arguments)
	}
	if m = next(t, packed); !bytes.Equal(m.Packed[0], packedValue(t, map[string]any{"a": []any{1, 1.5, "é"}})) {
		t.Errorf("MessagePack: % x", m.Packed)
	}
	// What has no form in JSON cannot be sent to clients of JSON: the call fails, nobody gets anything, and all goes on.
	record, err = spoke.MessagePack.AppendInvocation(nil, "1", "Broadcast", []any{math.NaN()})
	say(t, packed, record, err)
	if m = next(t, packed); m.Type != 3 || m.Error == nil {
		t.Errorf("got %+v, want an error", m)
	}
	if r := invoke(t, text, "Echo", 1); r != "1" {
		t.Errorf("got %s", r)
	}
}

// What one keeps for the others is refused when not all can read it.
func TestRawKept(t *testing.T) {
	t.Parallel()
	text, packed := relayOf(t, &Board{})
	record, err := spoke.MessagePack.AppendInvocation(nil, "1", "Draw", []any{math.Inf(1)})
	say(t, packed, record, err)
	if m := next(t, packed); m.Error == nil {
		t.Errorf("got %+v, want an error", m)
	}
	record, err = spoke.MessagePack.AppendInvocation(nil, "", "Draw", []any{lossy})
	say(t, packed, record, err)
	if m := next(t, text); m.Target != "stroke" || string(m.Arguments[0]) != lossyAsJSON {
		t.Errorf("got %+v", m)
	}
	if m := next(t, packed); m.Target != "stroke" || !bytes.Equal(m.Packed[0], packedValue(t, lossy)) {
		t.Errorf("got %+v", m)
	}
	if r := invoke(t, text, "Strokes"); r != "["+lossyAsJSON+"]" {
		t.Errorf("got %s", r)
	}
}

// A client's answer and the items of its streams are values like any other.
func TestRawAnswersAndStreams(t *testing.T) {
	t.Parallel()
	text, packed := relay(t)
	p := spoke.MessagePack
	value := packedValue(t, lossy)
	record, err := p.AppendInvocation(nil, "1", "Again", []any{lossy})
	say(t, packed, record, err)
	question := next(t, packed)
	if question.Target != "again" || !bytes.Equal(question.Packed[0], value) {
		t.Fatalf("got %+v", question)
	}
	record, err = p.AppendResult(nil, question.InvocationID, lossy)
	say(t, packed, record, err)
	if m := next(t, packed); m.InvocationID != "1" || !bytes.Equal(m.Packed[0], value) {
		t.Errorf("got %+v", m)
	}
	record, err = p.AppendStreamInvocation(nil, "2", "Through", nil, []string{"up"})
	say(t, packed, record, err)
	for range 3 {
		record, err = p.AppendStreamItem(nil, "up", lossy)
		say(t, packed, record, err)
	}
	say(t, packed, p.AppendCompletion(nil, "up"), nil)
	for range 3 {
		if m := next(t, packed); m.Type != 2 || !bytes.Equal(m.Packed[0], value) {
			t.Errorf("got %+v", m)
		}
	}
	if m := next(t, packed); m.Type != 3 || m.Error != nil {
		t.Errorf("got %+v", m)
	}
	// An item one level deeper than what may be sent fails its stream, not the connection.
	deep := append(bytes.Repeat([]byte{0x91}, 63), packedValue(t, strings.Repeat("x", 200))...)
	record, err = p.AppendStreamInvocation(nil, "3", "Through", nil, []string{"deep"})
	say(t, packed, record, err)
	say(t, packed, p.End(p.AppendRaw(p.BeginStreamItem(nil, "deep"), deep), 0), nil)
	if m := next(t, packed); m.Type != 3 || m.Error == nil {
		t.Errorf("got %+v, want an error", m)
	}
	if r := invoke(t, text, "Echo", 1); r != "1" {
		t.Errorf("got %s", r)
	}
}
