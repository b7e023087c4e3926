package http1

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// dechunk reads raw in pieces of the given size and returns the data, what lies behind the body and the fault.
func dechunk(raw string, piece int) (data, rest string, whole bool, f *fault) {
	var r chunkReader
	var out []byte
	p := []byte(raw)
	for from := 0; from < len(p); {
		part := p[from:min(from+piece, len(p))]
		for len(part) > 0 {
			n, d, f := r.next(part)
			if f != nil {
				return string(out), "", false, f
			}
			out = append(out, d...)
			from += n
			part = part[n:]
			if r.state == chunkDone {
				return string(out), string(p[from:]), true, nil
			}
		}
	}
	return string(out), "", false, nil
}

var chunkVerdicts = []struct {
	name, raw, data, rest string
	fault                 string // part of its text; "": none
	open                  bool   // more must come
}{
	{name: "empty", raw: "0\r\n\r\n"},
	{name: "one", raw: "5\r\nhello\r\n0\r\n\r\n", data: "hello"},
	{name: "two", raw: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", data: "hello world"},
	{name: "hex in both cases", raw: "a\r\n0123456789\r\nB\r\n0123456789A\r\n0\r\n\r\n", data: "01234567890123456789A"},
	{name: "leading zeros", raw: "0005\r\nhello\r\n000\r\n\r\n", data: "hello"},
	{name: "something behind", raw: "1\r\na\r\n0\r\n\r\nGET /", data: "a", rest: "GET /"},
	{name: "CR LF in the data", raw: "4\r\n\r\n\r\n\r\n0\r\n\r\n", data: "\r\n\r\n"},
	{name: "extension", raw: "1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", data: "x"},
	{name: "trailers", raw: "1\r\nx\r\n0\r\nA: b\r\nC:\td\r\n\r\n", data: "x"},
	{name: "size cut off", raw: "5", open: true},
	{name: "data cut off", raw: "5\r\nhel", data: "hel", open: true},
	{name: "end cut off", raw: "5\r\nhello\r\n0\r\n", data: "hello", open: true},
	{name: "the longest size", raw: "7fffffffffffffff\r\nabc", data: "abc", open: true},

	{name: "no size", raw: "\r\nhello", fault: "plain hexadecimal"},
	{name: "no size but an extension", raw: ";a\r\nhello", fault: "plain hexadecimal"},
	{name: "plus", raw: "+5\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "minus", raw: "-5\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "0x", raw: "0x5\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "underscore", raw: "1_0\r\n0123456789ABCDEF\r\n", fault: "plain hexadecimal"},
	{name: "a space before the size", raw: " 5\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "a space behind the size", raw: "5 \r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "a tab behind the size", raw: "5\t\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "a space before the extension", raw: "5 ;a\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "a letter", raw: "5g\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "NUL", raw: "5\x00\r\nhello\r\n", fault: "plain hexadecimal"},
	{name: "size over 63 bits", raw: "8000000000000000\r\n", fault: "below 2^63"},
	{name: "size over 64 bits", raw: "10000000000000005\r\n", fault: "below 2^63"},
	{name: "size wraps to five", raw: "100000000000000000000000000000005\r\n", fault: "below 2^63"},
	{name: "17 zeros", raw: "00000000000000000\r\n\r\n", fault: "16 digits"},
	{name: "bare LF behind the size", raw: "5\nhello\r\n", fault: "plain hexadecimal"},
	{name: "bare CR behind the size", raw: "5\rhello\r\n", fault: "CR that no LF follows"},
	{name: "bare LF in an extension", raw: "5;a\nhello\r\n", fault: "control character"},
	{name: "bare CR in an extension", raw: "5;a\rb\r\nhello\r\n", fault: "CR that no LF follows"},
	{name: "NUL in an extension", raw: "5;a\x00\r\nhello\r\n", fault: "control character"},
	{name: "data longer than its size", raw: "4\r\nhello\r\n0\r\n\r\n", data: "hell", fault: "longer than its size"},
	{name: "bare LF behind the data", raw: "5\r\nhello\n0\r\n\r\n", data: "hello", fault: "longer than its size"},
	{name: "bare CR behind the data", raw: "5\r\nhello\r0\r\n\r\n", data: "hello", fault: "does not end in CR LF"},
	{name: "bare LF at the end", raw: "0\r\n\n", fault: "trailer has a character"},
	{name: "bare CR at the end", raw: "0\r\n\rX", fault: "does not end in CR LF"},
	{name: "trailer with a space before the colon", raw: "0\r\nA : b\r\n\r\n", fault: "trailer has a character"},
	{name: "trailer without a colon", raw: "0\r\nA\r\n\r\n", fault: "trailer has a character"},
	{name: "trailer without a name", raw: "0\r\n: b\r\n\r\n", fault: "no name"},
	{name: "folded trailer", raw: "0\r\nA: b\r\n c\r\n\r\n", fault: "trailer has a character"},
	{name: "bare LF in a trailer", raw: "0\r\nA: b\nC: d\r\n\r\n", fault: "trailer has a character"},
	{name: "bare CR in a trailer", raw: "0\r\nA: b\rC: d\r\n\r\n", fault: "CR that no LF follows"},
	{name: "too long an extension", raw: "1;" + strings.Repeat("a", 5000), fault: "limit of 4096"},
	{name: "too many extensions", raw: strings.Repeat("1;abcdefgh\r\nx\r\n", 500), data: strings.Repeat("x", 455), fault: "limit of 4096"},
	{name: "too long a trailer", raw: "0\r\nA: " + strings.Repeat("a", 5000), fault: "limit of 4096"},
	{name: "too many trailers", raw: "0\r\n" + strings.Repeat("A: b\r\n", 5000), fault: "limit of 4096"},
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for _, tt := range chunkVerdicts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for piece := 1; piece <= min(len(tt.raw), 40); piece++ {
				for _, piece := range []int{piece, len(tt.raw)} {
					data, rest, whole, f := dechunk(tt.raw, piece)
					if tt.fault != "" {
						if f == nil || f.status != 400 || !strings.Contains(f.text, tt.fault) {
							t.Fatalf("pieces of %d: fault %v: want one with %q", piece, f, tt.fault)
						}
					} else if f != nil {
						t.Fatalf("pieces of %d: %v", piece, f)
					} else if whole == tt.open {
						t.Fatalf("pieces of %d: complete: %v", piece, whole)
					}
					if data != tt.data || rest != tt.rest {
						t.Fatalf("pieces of %d: data %q, rest %q: want %q, %q", piece, data, rest, tt.data, tt.rest)
					}
				}
			}
		})
	}
}

func TestChunkAllocations(t *testing.T) {
	p := []byte("5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		var r chunkReader
		for q := p; r.state != chunkDone; {
			n, _, f := r.next(q)
			if f != nil {
				t.Fatal(f)
			}
			q = q[n:]
		}
	}); n != 0 {
		t.Errorf("%v allocations a body", n)
	}
}

// Whatever this reader takes, net/http's reads to the same data: being stricter is the only difference.
func FuzzChunks(f *testing.F) {
	for _, v := range chunkVerdicts {
		f.Add([]byte(v.raw), 3)
	}
	f.Fuzz(func(t *testing.T, raw []byte, piece int) {
		if len(raw) > 16<<10 {
			return
		}
		data, rest, whole, fault := dechunk(string(raw), max(len(raw), 1))
		data2, rest2, whole2, fault2 := dechunk(string(raw), 1+int(uint(piece)%20))
		if data != data2 || rest != rest2 || whole != whole2 || (fault == nil) != (fault2 == nil) || fault != nil && *fault != *fault2 {
			t.Fatalf("at once: %q %q %v %v; in pieces: %q %q %v %v", data, rest, whole, fault, data2, rest2, whole2, fault2)
		}
		if !whole {
			return
		}
		resp, err := http.ReadResponse(newReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+string(raw)), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(resp.Body)
		if err := resp.Body.Close(); err != nil {
			t.Logf("net/http's close: %v", err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "malformed MIME header") || strings.Contains(err.Error(), "too many chunk") || strings.Contains(err.Error(), "too much") {
				return // its bound on overhead and its reading of trailers are other than ours
			}
			t.Fatalf("net/http: %v; we took %q", err, data)
		}
		if !bytes.Equal(want, []byte(data)) {
			t.Fatalf("net/http reads %q, we %q", want, data)
		}
	})
}
