package http1

import (
	"strings"

	"github.com/spokehub/spoke/engine"
)

// A verdict on a request: what a client sees, and with which reason the connection ends.
type verdict struct {
	name   string
	raw    string
	status int    // 200: served
	text   string // part of the refusal's body
	reason engine.CloseReason
}

// head builds a request from lines.
func head(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

func refused(name, text, raw string) verdict {
	return verdict{name, raw, 400, text, engine.BadRequest}
}

func served(name, raw string) verdict { return verdict{name: name, raw: raw, status: 200} }

// headVerdicts has every rule for heads, at the default limits.
var headVerdicts = []verdict{
	// What must pass.
	served("plain GET", head("GET / HTTP/1.1", "Host: a")),
	served("HTTP/1.0 without Host", head("GET / HTTP/1.0")),
	served("HTTP/1.0 with Host", head("GET / HTTP/1.0", "Host: a")),
	served("an empty line in front", "\r\n"+head("GET / HTTP/1.1", "Host: a")),
	served("white space around a value", head("GET / HTTP/1.1", "Host: \t a \t ")),
	served("no white space before a value", head("GET / HTTP/1.1", "Host:a")),
	served("an empty value", head("GET / HTTP/1.1", "Host: a", "X:")),
	served("bytes above ASCII in a value", head("GET / HTTP/1.1", "Host: a", "X: \xe9\xff")),
	served("lower-case names", head("GET / HTTP/1.1", "host: a")),
	served("host with port", head("GET / HTTP/1.1", "Host: a.example:8080")),
	served("IPv6 host", head("GET / HTTP/1.1", "Host: [::1]:8080")),
	served("a method of its own", head("BREW-IT / HTTP/1.1", "Host: a")),
	served("Content-Length 0", head("POST / HTTP/1.1", "Host: a", "Content-Length: 0")),
	served("Expect in HTTP/1.0 is ignored", head("GET / HTTP/1.0", "Expect: miracles")),
	served("absolute form", head("GET http://a.example/x?y HTTP/1.1", "Host: a.example")),
	served("absolute form, host in capitals", head("GET HTTP://A.example HTTP/1.1", "Host: a.EXAMPLE")),
	served("absolute form in HTTP/1.0 without Host", head("GET http://a/x HTTP/1.0")),
	served("* for OPTIONS", head("OPTIONS * HTTP/1.1", "Host: a")),
	served("escapes in the target", head("GET /a%20b?c=%C3%A9 HTTP/1.1", "Host: a")),
	served("two slashes", head("GET //a HTTP/1.1", "Host: a")),
	served("CONNECT with a path", head("CONNECT /x HTTP/1.1", "Host: a")),

	// Line ends.
	refused("bare LF after the request line", "LF without CR", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
	refused("bare LF after a header", "LF without CR", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
	refused("bare LF in the empty line", "LF without CR", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
	refused("bare LF in front", "first byte", "\n"+head("GET / HTTP/1.1", "Host: a")),
	refused("bare LF hides a header", "LF without CR", head("GET / HTTP/1.1", "Host: a", "X: y\nContent-Length: 5")),
	refused("bare CR in a value", "CR that no LF follows", head("GET / HTTP/1.1", "Host: a", "X: y\rContent-Length: 5")),
	refused("bare CR in the request line", "CR that no LF follows", head("GET /\r HTTP/1.1", "Host: a")),
	refused("CR CR LF", "CR that no LF follows", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
	refused("two empty lines in front", "first byte", "\r\n\r\n"+head("GET / HTTP/1.1", "Host: a")),
	refused("obs-fold with a space", "folded", head("GET / HTTP/1.1", "Host: a", "X: y", " z")),
	refused("obs-fold with a tab", "folded", head("GET / HTTP/1.1", "Host: a", "X: y", "\tz")),
	refused("white space before the first header", "folded", head("GET / HTTP/1.1", " Host: a")),

	// The request line.
	refused("TLS", "is this plain HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
	refused("a space in front", "first byte", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	refused("no version (HTTP/0.9)", "METHOD TARGET VERSION", head("GET /")),
	refused("method alone", "METHOD TARGET VERSION", head("GET")),
	refused("two spaces before the target", "METHOD TARGET VERSION", head("GET  / HTTP/1.1", "Host: a")),
	refused("two spaces before the version", "version", head("GET /  HTTP/1.1", "Host: a")),
	refused("a space behind the version", "version", head("GET / HTTP/1.1 ", "Host: a")),
	refused("a space in the target", "version", head("GET /a b HTTP/1.1", "Host: a")),
	refused("a tab between", "METHOD TARGET VERSION", head("GET\t/\tHTTP/1.1", "Host: a")),
	refused("a character in the method", "method", head("GE(T / HTTP/1.1", "Host: a")),
	refused("NUL in the method", "method", head("GE\x00T / HTTP/1.1", "Host: a")),
	refused("NUL in the target", "percent-encoded", head("GET /\x00 HTTP/1.1", "Host: a")),
	refused("a control character in the target", "percent-encoded", head("GET /\x7f HTTP/1.1", "Host: a")),
	refused("a byte above ASCII in the target", "percent-encoded", head("GET /\xc3\xa9 HTTP/1.1", "Host: a")),
	refused("a fragment", "fragment", head("GET /#x HTTP/1.1", "Host: a")),
	refused("a broken escape", "malformed", head("GET /%zz HTTP/1.1", "Host: a")),
	refused("a relative target", "neither a path nor", head("GET x HTTP/1.1", "Host: a")),
	refused("authority form", "neither a path nor", head("CONNECT a.example:443 HTTP/1.1", "Host: a.example:443")),
	refused("absolute form, another scheme", "neither a path nor", head("GET ftp://a/ HTTP/1.1", "Host: a")),
	refused("absolute form, another host", "different hosts", head("GET http://b/ HTTP/1.1", "Host: a")),
	refused("absolute form, another port", "different hosts", head("GET http://a:81/ HTTP/1.1", "Host: a")),
	refused("absolute form with a user", "target's host", head("GET http://u@a/ HTTP/1.1", "Host: a")),
	refused("absolute form without a host", "target's host", head("GET http:///x HTTP/1.1", "Host: a")),
	refused("* for GET", "OPTIONS alone", head("GET * HTTP/1.1", "Host: a")),
	refused("version in lower case", "version", head("GET / http/1.1", "Host: a")),
	refused("version with more digits", "version", head("GET / HTTP/1.10", "Host: a")),
	refused("version with a letter", "version", head("GET / HTTP/1.x", "Host: a")),
	{"HTTP/1.2", head("GET / HTTP/1.2", "Host: a"), 505, "HTTP/1.1", engine.BadRequest},
	{"HTTP/2.0", head("GET / HTTP/2.0", "Host: a"), 505, "HTTP/1.1", engine.BadRequest},
	{"HTTP/0.9 as a version", head("GET / HTTP/0.9"), 505, "HTTP/1.1", engine.BadRequest},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1", engine.BadRequest},

	// Header lines.
	refused("no colon", "no colon", head("GET / HTTP/1.1", "Host: a", "X")),
	refused("no name", "no name", head("GET / HTTP/1.1", "Host: a", ": x")),
	refused("space before the colon", "between a header's name", head("GET / HTTP/1.1", "Host: a", "X : y")),
	refused("tab before the colon", "between a header's name", head("GET / HTTP/1.1", "Host: a", "X\t: y")),
	refused("space within a name", "name has a character", head("GET / HTTP/1.1", "Host: a", "X Y: z")),
	refused("NUL in a name", "name has a character", head("GET / HTTP/1.1", "Host: a", "X\x00: y")),
	refused("a byte above ASCII in a name", "name has a character", head("GET / HTTP/1.1", "Host: a", "X\xe9: y")),
	refused("NUL in a value", "control character", head("GET / HTTP/1.1", "Host: a", "X: y\x00z")),
	refused("a control character in a value", "control character", head("GET / HTTP/1.1", "Host: a", "X: \x0b")),
	refused("DEL in a value", "control character", head("GET / HTTP/1.1", "Host: a", "X: \x7f")),

	// Host.
	refused("no Host", "needs a Host", head("GET / HTTP/1.1")),
	refused("two Hosts", "several Host", head("GET / HTTP/1.1", "Host: a", "Host: b")),
	refused("two equal Hosts", "several Host", head("GET / HTTP/1.1", "Host: a", "host: a")),
	refused("two Hosts in HTTP/1.0", "several Host", head("GET / HTTP/1.0", "Host: a", "Host: a")),
	refused("an empty Host", "Host header is empty", head("GET / HTTP/1.1", "Host:")),
	refused("a path in Host", "Host header is empty or", head("GET / HTTP/1.1", "Host: a/b")),
	refused("a user in Host", "Host header is empty or", head("GET / HTTP/1.1", "Host: u@a")),
	refused("a list in Host", "Host header is empty or", head("GET / HTTP/1.1", "Host: a,b")),
	refused("a space in Host", "Host header is empty or", head("GET / HTTP/1.1", "Host: a b")),

	// Lengths, and the classics of request smuggling.
	refused("CL.TE", "both Content-Length and Transfer-Encoding", head("POST / HTTP/1.1", "Host: a", "Content-Length: 6", "Transfer-Encoding: chunked")+"0\r\n\r\nG"),
	refused("TE.CL", "both Content-Length and Transfer-Encoding", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 4")+"5c\r\nGPOST"),
	refused("CL.0 with TE", "both Content-Length and Transfer-Encoding", head("POST / HTTP/1.1", "Host: a", "Content-Length: 0", "Transfer-Encoding: chunked")),
	refused("CL.CL, different", "several Content-Length", head("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 6")),
	refused("CL.CL, equal", "several Content-Length", head("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "content-length: 5")),
	refused("a list of lengths", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 5, 5")),
	refused("length with plus", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: +5")),
	refused("length with minus", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: -5")),
	refused("length in hex", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 0x5")),
	refused("length with a point", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 5.0")),
	refused("length with a space within", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 5 5")),
	refused("length with an underscore", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 1_0")),
	refused("length with leading zeros", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 005")),
	refused("length empty", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length:")),
	refused("length of 19 digits", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 1000000000000000000")),
	refused("length over 64 bits", "plain decimal", head("POST / HTTP/1.1", "Host: a", "Content-Length: 18446744073709551617")),
	refused("length before a space and colon", "between a header's name", head("POST / HTTP/1.1", "Host: a", "Content-Length : 5")),
	refused("TE.TE, two headers", "several Transfer-Encoding", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
	refused("TE.TE, the second unknown", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-encoding: x")),
	refused("TE.TE, a list", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, chunked")),
	refused("TE identity", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: identity")),
	refused("TE chunked, identity", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, identity")),
	refused("TE gzip, chunked", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked")),
	refused("TE xchunked", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked")),
	refused("TE in capitals", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: Chunked")),
	refused("TE quoted", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \"chunked\"")),
	refused("TE with a parameter", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked;x=y")),
	refused("TE with a vertical tab", "control character", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \x0bchunked")),
	refused("TE empty", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding:")),
	refused("TE before a space and colon", "between a header's name", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked")),
	refused("TE folded", "exactly chunked", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding:", " chunked")),
	refused("TE behind a bare LF", "LF without CR", head("POST / HTTP/1.1", "Host: a", "X: y\nTransfer-Encoding: chunked")),
	refused("TE in HTTP/1.0", "HTTP/1.0 has no", head("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked")),
	refused("a trailer that may be none", "malformed", head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Trailer: Content-Length")),

	// Expect.
	{"an unknown expectation", head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Expect: 200-ok"), 417, "100-continue", engine.BadRequest},
	{"two expectations", head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Expect: 100-continue", "Expect: 100-continue"), 417, "100-continue", engine.BadRequest},

	// Sizes.
	served("100 header lines", head(append([]string{"GET / HTTP/1.1", "Host: a"}, repeat("X: y", 99)...)...)),
	{"101 header lines", head(append([]string{"GET / HTTP/1.1", "Host: a"}, repeat("X: y", 100)...)...), 431, "more than 100 header lines", engine.HeadTooLarge},
	served("a head of 16 KiB", fill(16<<10)),
	{"a head of 16 KiB and one", fill(16<<10 + 1), 431, "limit of 16384 bytes", engine.HeadTooLarge},
	{"a head without end", "GET /" + strings.Repeat("a", 20<<10), 431, "limit of 16384 bytes", engine.HeadTooLarge},
	{"many headers without end", "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 200), 431, "more than 100", engine.HeadTooLarge},
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

// fill is a request of n bytes.
func fill(n int) string {
	const frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
	return "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", n-len(frame)) + "\r\n\r\n"
}
