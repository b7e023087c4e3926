package method

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"unsafe"

	"github.com/spokehub/spoke/codec"
)

type message struct{ Text string }

func BenchmarkCall(b *testing.B) {
	f := &forms{}
	var tab table
	if err := tab.AddValue(f, nil); err != nil {
		b.Fatal(err)
	}
	adder := &tally{}
	if err := tab.AddValue(adder, nil); err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name string
		m    *Method[*hubContext]
		args string
		n    int
	}{
		{"function", register(b, func(_ *hubContext, a, b int) (int, error) { return a + b, nil }), "1|2", 2},
		{"method", tab.Lookup([]byte("Add")), "1", 1},
		{"reflected function", register(b, func(_ *hubContext, _ context.Context, a int) (int, error) { return a, nil }), "1", 1},
		{"reflected struct", register(b, func(_ *hubContext, t message) error { return nil }), `{"Text":"x"}`, 1},
	} {
		var a Args
		if err := bb.m.Bind(fake{}, []byte(bb.args), bb.n, &a); err != nil {
			b.Fatal(err)
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bb.m.Call(testHub, testCall, &a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPassOn is a hub that gives back what it does not look at, in both ways of holding it.
func BenchmarkPassOn(b *testing.B) {
	for _, p := range []codec.Protocol{codec.JSON, codec.MessagePack} {
		record, err := p.AppendInvocation(nil, "", "m", []any{map[string]any{"text": "hello, world", "list": []any{1, 2, 3}, "at": 1.5}})
		if err != nil {
			b.Fatal(err)
		}
		rec, _, err := p.Next(record, 0)
		var msg codec.Message
		if err == nil {
			err = p.Decode(rec, &msg)
		}
		if err != nil {
			b.Fatal(err)
		}
		for name, m := range map[string]*Method[*hubContext]{
			"Raw":        register(b, func(x codec.Raw) codec.Raw { return x }),
			"RawMessage": register(b, func(x json.RawMessage) json.RawMessage { return x }),
		} {
			b.Run(p.Name()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				var a Args
				out := make([]byte, 0, 256)
				for b.Loop() {
					if err := m.Bind(p, msg.Args, msg.NArgs, &a); err != nil {
						b.Fatal(err)
					}
					r, err := m.Call(testHub, testCall, &a)
					if err == nil {
						_, err = r.Append(out, p)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkBind(b *testing.B) {
	for _, bb := range []struct {
		name string
		m    *Method[*hubContext]
		args string
		n    int
	}{
		{"string", register(b, func(string) {}), "hello", 1},
		{"two ints", register(b, func(a, b int) {}), "1|2", 2},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			var a Args
			raw := []byte(bb.args)
			for b.Loop() {
				if err := bb.m.Bind(fake{}, raw, bb.n, &a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReceiver compares the ways to call a method that is known by reflection only.
func BenchmarkReceiver(b *testing.B) {
	v := reflect.ValueOf(&tally{})
	m := v.Type().Method(0)
	c := receiverOf(v).function(m)
	direct := c.fn.(func(unsafe.Pointer, *hubContext, int) (int, error))
	value := v.Method(0).Interface().(func(*hubContext, int) (int, error))
	b.Run("unsafe.Pointer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = direct(c.recv, testHub, 1)
		}
	})
	b.Run("method value of reflect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = value(testHub, 1)
		}
	})
}
