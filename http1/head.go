package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"sync"
)

// headScan looks for the end of a head in bytes that may arrive one by one. Each byte is looked at once, each line when it is complete. The zero value is ready.
type headScan struct {
	next  int32 // all before it has been looked at
	line  int32 // where the line begins that next is in
	lines int32 // complete lines so far
}

// look returns the length of the head with its empty line, or 0 when more must come. p holds the head from its start at every call.
func (s *headScan) look(p []byte, maxHead, maxHeaders int) (end int, f *fault) {
	whole := p
	if len(p) > maxHead {
		p = p[:maxHead]
	}
	if s.next == 0 && len(p) > 0 && !tokenByte[p[0]] {
		// Said at once, because a peer that speaks another protocol (TLS, say) would otherwise wait for the end of the head timeout.
		return 0, badRequest("the first byte is not that of a method: is this plain HTTP?")
	}
	for int(s.next) < len(p) {
		i := bytes.IndexByte(p[s.next:], '\n')
		if i < 0 {
			s.next = int32(len(p))
			break
		}
		i += int(s.next)
		line := p[s.line:i]
		s.next, s.line = int32(i+1), int32(i+1)
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return 0, badRequest("a line of the head ends in LF without CR")
		}
		line = line[:len(line)-1]
		if bytes.IndexByte(line, '\r') >= 0 {
			return 0, badRequest("the head has a CR that no LF follows")
		}
		if len(line) == 0 && s.lines > 0 {
			return i + 1, nil
		}
		if s.lines++; int(s.lines)-1 > maxHeaders {
			return 0, tooManyHeaders(maxHeaders)
		}
	}
	if len(whole) >= maxHead {
		return 0, headTooLarge(maxHead)
	}
	return 0, nil
}

// framing is what the head says about the rest of the message.
type framing struct {
	length  int64 // Content-Length; 0 if there is none
	chunked bool
	expect  bool // Expect: 100-continue
}

// The digits of a Content-Length: 18 nines fit into an int64.
const maxLengthDigits = 18

// check is the strictness check of a complete head: line ends are sound already (headScan). Sources: RFC 9112, sections 2.2, 3, 5 and 6; RFC 9110,
// sections 5.5, 5.6.2, 7.2 and 10.1.1.
func check(head []byte) (fr framing, f *fault) {
	line, rest, _ := bytes.Cut(head, crlf)
	method, target, minor, f := checkRequestLine(line)
	if f != nil {
		return fr, f
	}
	var hosts, lengths, codings, expects int
	var host []byte
	for {
		line, rest, _ = bytes.Cut(rest, crlf)
		if len(line) == 0 {
			break
		}
		name, value, f := checkHeader(line)
		if f != nil {
			return fr, f
		}
		switch {
		case equalFold(name, "host"):
			hosts++
			host = value
		case equalFold(name, "content-length"):
			lengths++
			if fr.length, f = parseLength(value); f != nil {
				return fr, f
			}
		case equalFold(name, "transfer-encoding"):
			codings++
			if string(value) != "chunked" {
				return fr, badRequest("the only Transfer-Encoding served is exactly chunked")
			}
			fr.chunked = true
		case equalFold(name, "expect"):
			expects++
			fr.expect = equalFold(value, "100-continue")
		}
	}
	switch {
	case hosts > 1:
		return fr, badRequest("there are several Host headers")
	case hosts == 0 && minor > 0:
		return fr, badRequest("an HTTP/1.1 request needs a Host header")
	case hosts == 1 && !validHost(host):
		return fr, badRequest("the Host header is empty or has a character that no host has")
	case lengths > 1:
		return fr, badRequest("there are several Content-Length headers")
	case codings > 1:
		return fr, badRequest("there are several Transfer-Encoding headers")
	case codings > 0 && lengths > 0:
		return fr, badRequest("there are both Content-Length and Transfer-Encoding")
	case codings > 0 && minor == 0:
		return fr, badRequest("HTTP/1.0 has no Transfer-Encoding")
	}
	if minor == 0 {
		fr.expect = false // RFC 9110, section 10.1.1: a 1.0 client's expectation is ignored
	} else if expects > 1 || expects == 1 && !fr.expect {
		return fr, badExpectation()
	}
	return fr, checkTarget(method, target, host)
}

var crlf = []byte("\r\n")

func checkRequestLine(line []byte) (method, target []byte, minor int, f *fault) {
	method, rest, _ := bytes.Cut(line, space)
	target, version, ok := bytes.Cut(rest, space)
	if !ok || len(target) == 0 {
		return nil, nil, 0, badRequest("the request line is not METHOD TARGET VERSION with a single space between them")
	}
	if !isToken(method) {
		return nil, nil, 0, badRequest("the method has a character that no method has")
	}
	if len(version) != len("HTTP/1.1") || string(version[:5]) != "HTTP/" || !digit(version[5]) || version[6] != '.' || !digit(version[7]) {
		return nil, nil, 0, badRequest("the request line does not end in a version such as HTTP/1.1")
	}
	if version[5] != '1' || version[7] > '1' {
		return nil, nil, 0, badVersion()
	}
	return method, target, int(version[7] - '0'), nil
}

var space = []byte(" ")

// checkHeader splits a header line. value is without white space around it.
func checkHeader(line []byte) (name, value []byte, f *fault) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, badRequest("a header is folded over several lines")
	}
	name, value, ok := bytes.Cut(line, colon)
	switch {
	case !ok:
		return nil, nil, badRequest("a header line has no colon")
	case len(name) == 0:
		return nil, nil, badRequest("a header has no name")
	case name[len(name)-1] == ' ' || name[len(name)-1] == '\t':
		return nil, nil, badRequest("there is white space between a header's name and its colon")
	case !isToken(name):
		return nil, nil, badRequest("a header's name has a character that no name has")
	}
	for _, b := range value {
		if b < ' ' && b != '\t' || b == 0x7f {
			return nil, nil, badRequest("a header's value has a control character")
		}
	}
	return name, bytes.Trim(value, " \t"), nil
}

var colon = []byte(":")

func parseLength(value []byte) (int64, *fault) {
	if len(value) == 0 || len(value) > maxLengthDigits || len(value) > 1 && value[0] == '0' {
		return 0, badRequest("Content-Length is not a plain decimal number of at most 18 digits")
	}
	var n int64
	for _, b := range value {
		if !digit(b) {
			return 0, badRequest("Content-Length is not a plain decimal number of at most 18 digits")
		}
		n = n*10 + int64(b-'0')
	}
	return n, nil
}

// checkTarget allows the origin form, the absolute form if it agrees with the Host header, and * for OPTIONS.
func checkTarget(method, target, host []byte) *fault {
	for _, b := range target {
		if b <= ' ' || b >= 0x7f || b == '#' {
			return badRequest("the request target has a character that must be percent-encoded, or a fragment")
		}
	}
	if target[0] == '/' {
		return nil
	}
	if string(target) == "*" {
		if string(method) != "OPTIONS" {
			return badRequest("the request target * is for OPTIONS alone")
		}
		return nil
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return badRequest("the request target is neither a path nor an http URL")
	}
	authority := rest
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		authority = rest[:i]
	}
	if !validHost(authority) {
		return badRequest("the request target's host is empty or has a character that no host has")
	}
	if host != nil && !strings.EqualFold(string(authority), string(host)) {
		return badRequest("the request target and the Host header name different hosts")
	}
	return nil
}

// parse reads a head that has passed the check.
func parse(head []byte) (*http.Request, *fault) {
	r := readers.Get().(*headReader)
	defer func() {
		r.src.Reset(nil)
		r.buf.Reset(nil)
		readers.Put(r)
	}()
	r.src.Reset(head)
	r.buf.Reset(&r.src)
	req, err := http.ReadRequest(r.buf)
	if err != nil {
		// What is left to go wrong: percent-encoding, the form of a host or port, a Trailer header that names what no trailer may be.
		return nil, badRequest("the request target or a header is malformed")
	}
	req.Body = http.NoBody
	return req, nil
}

type headReader struct {
	src bytes.Reader
	buf *bufio.Reader
}

var readers = sync.Pool{New: func() any { return &headReader{buf: bufio.NewReader(nil)} }}

// tokenByte has the characters of methods and header names (RFC 9110, section 5.6.2).
var tokenByte = charset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// hostByte has the characters of a host and port (RFC 3986, section 3.2), but not the comma, at which lists are split.
var hostByte = charset("!$&'()*+;=%-._~:[]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func charset(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

func isToken(p []byte) bool { return consistsOf(p, &tokenByte) }

func validHost(p []byte) bool { return consistsOf(p, &hostByte) }

// consistsOf reports whether p is not empty and has characters of set alone.
func consistsOf(p []byte, set *[256]bool) bool {
	for _, b := range p {
		if !set[b] {
			return false
		}
	}
	return len(p) > 0
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// equalFold compares without regard to ASCII case; lower is in lower case.
func equalFold(p []byte, lower string) bool {
	if len(p) != len(lower) {
		return false
	}
	for i, b := range p {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}
