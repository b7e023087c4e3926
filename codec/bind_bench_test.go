package codec

import (
	"encoding/json"
	"testing"

	"github.com/valyala/fastjson"
)

// anyValue is a chat message of a page, as a hub would take it without a type.
const anyValue = `{"id":12345,"user":{"name":"Zoé","roles":["admin","user"],"age":42.5,"active":true},"text":"Hello, \"world\"! How are you today?","tags":["a","b","c"],"reply":null,"values":[1,2,3,4,5,6,7,8]}`

func BenchmarkBindAny(b *testing.B) {
	src := []byte(anyValue)
	b.Run("bind", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x any
			if err := JSON.Bind(src, &x); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fastjson tree, then values", func(b *testing.B) {
		b.ReportAllocs()
		var pool fastjson.ParserPool
		for b.Loop() {
			p := pool.Get()
			v, err := p.ParseBytes(src)
			if err != nil {
				b.Fatal(err)
			}
			_ = treeValues(v)
			pool.Put(p)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x any
			if err := json.Unmarshal(src, &x); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// treeValues is what a way through fastjson would have to do.
func treeValues(v *fastjson.Value) any {
	switch v.Type() {
	case fastjson.TypeNumber:
		return v.GetFloat64()
	case fastjson.TypeString:
		return string(v.GetStringBytes())
	case fastjson.TypeTrue:
		return true
	case fastjson.TypeFalse:
		return false
	case fastjson.TypeArray:
		list := make([]any, 0, len(v.GetArray()))
		for _, x := range v.GetArray() {
			list = append(list, treeValues(x))
		}
		return list
	case fastjson.TypeObject:
		o := v.GetObject()
		members := make(map[string]any, o.Len())
		o.Visit(func(name []byte, x *fastjson.Value) { members[string(name)] = treeValues(x) })
		return members
	}
	return nil
}

func BenchmarkBind(b *testing.B) {
	var (
		text   string
		number int
		list   []int
	)
	for name, c := range map[string]struct {
		src string
		dst any
	}{"string": {`"hello, world"`, &text}, "int": {`12345`, &number}, "ints": {`[1,2,3,4,5]`, &list}} {
		b.Run(name, func(b *testing.B) {
			src := []byte(c.src)
			b.ReportAllocs()
			for b.Loop() {
				if err := JSON.Bind(src, c.dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
