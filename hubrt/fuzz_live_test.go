package hubrt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// FuzzUnderWay: whatever a client makes of streams in both directions, questions, cancelling and their ids, in either protocol and however it is cut, nothing breaks, and
// when it has gone nothing is left under way.
func FuzzUnderWay(f *testing.F) {
	up := func(record, ids string) string {
		return strings.Replace(record, `"arguments"`, `"streamIds":[`+ids+`],"arguments"`, 1)
	}
	for _, records := range [][]string{
		{stream4("1", "Count", "3"), stream4("1", "Count", "2"), cancelCall("1"), stream4("2", "Ticks"), cancelCall("2"), cancelCall("2")},
		{up(call1("1", "Sum"), `"u"`), item("u", "1"), item("u", `"x"`), item("v", "1"), end("u"), item("u", "2"), `{"type":6}`},
		{up(stream4("1", "Both", "2"), `"a","b"`), item("a", "1"), item("b", `"y"`), failure("a", "no"), end("b"), up(call1("3", "Sum"), `"a"`), item("a", "9")},
		{up(call1("1", "Sum"), `"u"`), up(call1("1", "Sum"), `"u"`), item("u", "1"), end("u"), cancelCall("1"), up(call1("2", "Sum"), `"u","v"`)},
		{call1("1", "Ask"), result("s1", "1"), result("s2", "1"), failure("s3", "x"), end("s4"), end("1"), call1("2", "Wait"), cancelCall("2")},
		{call1("1", "Ask"), up(stream4("2", "Both", "1"), `"s1","s1"`), item("s1", "1"), end("s1"), result("s1", "5"), `{"type":7}`},
	} {
		f.Add([]byte(shake+"\x1e"+strings.Join(records, "\x1e")+"\x1e"), uint8(7))
		packed := []byte(`{"protocol":"messagepack","version":1}` + "\x1e")
		for _, r := range records {
			packed = append(packed, packRecord(f, r)...)
		}
		f.Add(packed, uint8(5))
	}
	f.Add([]byte(`{"protocol":"messagepack","version":1}`+"\x1e\x0a\x95\x01\x80\xa11\xa3Sum\xdd\xff\xff\xff\xff"), uint8(1))
	r := newRig(&testing.T{}, rigConfig{loops: 1, workers: 4})
	f.Cleanup(r.close)
	h := r.hub(nil, Options{MaxMessage: 2048, MaxStreams: 5, InputBuffer: 4096, StreamBuffer: 2, DetailedErrors: true, Protocols: []codec.Protocol{codec.JSON, codec.MessagePack}})
	for name, fn := range map[string]any{
		"Count": func(n uint8) iter.Seq[int] { return streams{}.seq(int(n)) },
		"Ticks": func(ctx context.Context) <-chan int {
			ch := make(chan int)
			go func() {
				defer close(ch)
				<-ctx.Done()
			}()
			return ch
		},
		"Sum": func(items <-chan int) (sum int) {
			for n := range items {
				sum += n
			}
			return sum
		},
		"Both": func(n uint8, a iter.Seq2[json.RawMessage, error], b <-chan string) iter.Seq2[any, error] {
			return func(yield func(any, error) bool) {
				for v, err := range a {
					if !yield(v, err) || err != nil {
						return
					}
				}
				for v := range b {
					if !yield(v, nil) {
						return
					}
				}
			}
		},
		"Ask":  func(c *Context) (int, error) { return InvokeClient[int](c, c.Clients().Caller(), "ask", 1) },
		"Wait": func(ctx context.Context) error { <-ctx.Done(); return errors.New("ended") },
	} {
		if err := h.Handle(name, fn); err != nil {
			f.Fatal(err)
		}
	}
	ref := r.anchor()
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		l := &nullLink{ref: ref}
		var c *Conn
		newLoopTask(ref.Loop(), func() {
			c = h.Open(l, Peer{ID: ID{1}, Transport: WebSockets, Binary: true})
		}).run()
		for rest := bytes.Clone(data); len(rest) > 0; { // answers come between the pieces
			n := min(int(size)+1, len(rest))
			newLoopTask(ref.Loop(), func() { c.Receive(rest[:n]) }).run()
			clear(rest[:n])
			rest = rest[n:]
		}
		newLoopTask(ref.Loop(), func() { c.Closed(engine.PeerClosed, nil) }).run()
		deadline := time.Now().Add(10 * time.Second)
		for r.rt.Stats().Connections != 0 || r.rt.busy.Load() != 0 {
			select {
			case <-r.rt.idle:
			case <-time.After(time.Until(deadline)):
				t.Fatalf("left under way: %+v", r.rt.Stats())
			}
		}
		newLoopTask(ref.Loop(), func() {
			if c.box != nil {
				t.Errorf("the connection has a mailbox: %+v", *c.box)
			}
		}).run()
		if s := r.rt.Stats(); s.Questions != 0 || s.Streams != 0 || s.CallsRunning != 0 || s.CallsWaiting != 0 || s.Panics != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// packRecord is a JSON record in MessagePack.
func packRecord(f testing.TB, record string) []byte {
	f.Helper()
	var m struct {
		Type      int             `json:"type"`
		ID        string          `json:"invocationId"`
		Target    string          `json:"target"`
		Arguments []any           `json:"arguments"`
		StreamIDs []string        `json:"streamIds"`
		Item      any             `json:"item"`
		Result    json.RawMessage `json:"result"`
		Error     *string         `json:"error"`
	}
	if err := json.Unmarshal([]byte(record), &m); err != nil {
		f.Fatal(err)
	}
	for i, v := range m.Arguments {
		m.Arguments[i] = whole(v)
	}
	m.Item = whole(m.Item)
	var list []any
	switch headers := map[string]any{}; m.Type {
	case 1, 4:
		list = []any{m.Type, headers, m.ID, m.Target, append([]any{}, m.Arguments...), append([]string{}, m.StreamIDs...)}
	case 2:
		list = []any{m.Type, headers, m.ID, m.Item}
	case 3:
		switch {
		case m.Error != nil:
			list = []any{m.Type, headers, m.ID, 1, *m.Error}
		case m.Result != nil:
			list = []any{m.Type, headers, m.ID, 3, m.Result}
		default:
			list = []any{m.Type, headers, m.ID, 2}
		}
	case 5:
		list = []any{m.Type, headers, m.ID}
	case 7:
		list = []any{m.Type, nil}
	default:
		list = []any{m.Type}
	}
	value, err := codec.MessagePack.AppendValue(nil, list)
	if err != nil || len(value) > 127 {
		f.Fatal(len(value), err)
	}
	return append([]byte{byte(len(value))}, value...)
}

// whole makes an integer of a JSON number that is one.
func whole(v any) any {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return int64(f)
	}
	return v
}
