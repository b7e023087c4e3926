package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer is what the head of a response says besides the caller's headers.
type answer struct {
	status  int
	length  int // of the body, also of one that is not sent
	close   bool
	oldPeer bool // HTTP/1.0: keeping the connection must be said
	now     time.Time
	strict  string // Strict-Transport-Security; "": none
}

// appendHead appends a response head. The caller's Content-Length, Transfer-Encoding, Connection and Date give way to ours; its Strict-Transport-Security stands. A header whose name cannot be sent
// is left out, and ok is false.
func appendHead(dst []byte, a answer, header http.Header) (head []byte, dropped string, ok bool) {
	ok = true
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(a.status)...)
	dst = append(dst, "\r\n"...)

	var space [16]string
	names := space[:0]
	for name := range header {
		switch {
		case strings.EqualFold(name, "Content-Length"), strings.EqualFold(name, "Transfer-Encoding"),
			strings.EqualFold(name, "Connection"), strings.EqualFold(name, "Date"):
		case !isTokenString(name):
			dropped, ok = name, false
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names) // the same answer has the same bytes
	for _, name := range names {
		for _, value := range header[name] {
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = appendValue(dst, value)
			dst = append(dst, "\r\n"...)
		}
	}

	dst = append(dst, "Date: "...)
	dst = appendDate(dst, a.now)
	if a.strict != "" && header.Get("Strict-Transport-Security") == "" {
		dst = append(dst, "\r\nStrict-Transport-Security: "...)
		dst = append(dst, a.strict...)
	}
	if !bodiless(a.status) {
		dst = append(dst, "\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(a.length), 10)
	}
	switch {
	case a.close:
		dst = append(dst, "\r\nConnection: close"...)
	case a.oldPeer:
		dst = append(dst, "\r\nConnection: keep-alive"...)
	}
	return append(dst, "\r\n\r\n"...), dropped, ok
}

// bodiless reports whether a response of that status has no body (RFC 9110, sections 15.3.5 and 15.4.5).
func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// appendValue appends a header value; a control character, which could begin a header or a response of its own, becomes a space.
func appendValue(dst []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		b := value[i]
		if b < ' ' && b != '\t' || b == 0x7f {
			b = ' '
		}
		dst = append(dst, b)
	}
	return dst
}

func isTokenString(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// wantsClose reports whether the caller's headers ask for the end of the connection.
func wantsClose(header http.Header) bool {
	for name, values := range header {
		if !strings.EqualFold(name, "Connection") {
			continue
		}
		for _, v := range values {
			for option := range strings.SplitSeq(v, ",") {
				if strings.EqualFold(strings.Trim(option, " \t"), "close") {
					return true
				}
			}
		}
	}
	return false
}

// dateLine is a formatted second.
type dateLine struct {
	unix int64
	text string
}

var lastDate atomic.Pointer[dateLine] // any goroutine (atomic): the loops share it

func appendDate(dst []byte, now time.Time) []byte {
	unix := now.Unix()
	d := lastDate.Load()
	if d == nil || d.unix != unix {
		d = &dateLine{unix, now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return append(dst, d.text...)
}

// appendFault appends the whole answer to f, with a body unless noBody (the answer to HEAD).
func appendFault(dst []byte, f *fault, noBody bool, now time.Time) []byte {
	text := f.text + "\n"
	dst, _, _ = appendHead(dst, answer{status: f.status, length: len(text), close: true, now: now}, faultHeader)
	if !noBody {
		dst = append(dst, text...)
	}
	return dst
}

var faultHeader = http.Header{ // read only
	"Content-Type":           {"text/plain; charset=utf-8"},
	"X-Content-Type-Options": {"nosniff"},
}
