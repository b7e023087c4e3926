package codec_test

import (
	"fmt"

	"github.com/spokehub/spoke/codec"
)

// A call comes in and is answered.
func Example() {
	stream := []byte("{\"type\":1,\"invocationId\":\"7\",\"target\":\"Add\",\"arguments\":[40,2]}\x1e")
	p := codec.JSON

	rec, n, err := p.Next(stream, 32<<10)
	if err != nil || n == 0 {
		return // a fault, or more bytes are needed
	}
	var m codec.Message // to be used again
	if err := p.Decode(rec, &m); err != nil {
		return
	}
	sum := 0
	for value, rest, ok := p.NextValue(m.Args); ok; value, rest, ok = p.NextValue(rest) {
		var i int
		if err := p.Bind(value, &i); err != nil {
			return
		}
		sum += i
	}
	reply, err := p.AppendResult(nil, string(m.ID), sum)
	fmt.Printf("%s: %q %v\n", m.Target, reply, err)
	// Output: Add: "{\"type\":3,\"invocationId\":\"7\",\"result\":42}\x1e" <nil>
}

// A message in steps, without an any in between.
func ExampleProtocol_begin() {
	p := codec.JSON
	dst := []byte(nil)
	start := len(dst)
	dst = p.BeginInvocation(dst, "", "tick", 2)
	dst = p.AppendInt(dst, 1)
	dst = p.Sep(dst)
	dst = p.AppendString(dst, "é <3")
	dst = p.End(p.EndArgs(dst), start)
	fmt.Printf("%s\n", dst[:len(dst)-1])
	// Output: {"type":1,"target":"tick","arguments":[1,"é <3"]}
}

func ExampleReadHandshake() {
	src := []byte("{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":6}\x1e")
	h, n, err := codec.ReadHandshake(src, 32<<10)
	fmt.Println(h.Protocol, h.Version, string(src[n:len(src)-1]), err)
	_, _, err = codec.ReadHandshake([]byte("{\"protocol\":\"json\"}\x1e"), 32<<10)
	fmt.Println(err)
	// Output:
	// json 1 {"type":6} <nil>
	// Missing required property 'version'. Message content: {"protocol":"json"}
}

func ExampleAppendHandshakeResponse() {
	fmt.Printf("%q\n", codec.AppendHandshakeResponse(nil, ""))
	fmt.Printf("%q\n", codec.AppendHandshakeResponse(nil, "The protocol 'x' is not supported."))
	// Output:
	// "{}\x1e"
	// "{\"error\":\"The protocol 'x' is not supported.\"}\x1e"
}
