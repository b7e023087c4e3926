package replay

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	maxHead = 64 << 10 // bytes of a response's head
	maxBody = 16 << 20 // bytes of a response's body
)

// appendRequest writes a request; values of own go over those of base, names compare ignoring case, a nil value leaves the header out.
func (vs vars) appendRequest(dst []byte, method, path, host string, base [][2]string, own map[string]*string, body []byte, withBody bool) ([]byte, error) {
	target, err := vs.fill(path, url.QueryEscape)
	if err != nil {
		return dst, err
	}
	headers := append([][2]string{{"Host", host}}, base...)
	if withBody || method == "POST" || method == "PUT" || method == "PATCH" {
		headers = append(headers, [2]string{"Content-Length", strconv.Itoa(len(body))})
	}
	names := make([]string, 0, len(own))
	for name := range own {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		kept := headers[:0:0]
		for _, h := range headers {
			if !strings.EqualFold(h[0], name) {
				kept = append(kept, h)
			}
		}
		headers = kept
		if own[name] == nil {
			continue
		}
		value, err := vs.fill(*own[name], nil)
		if err != nil {
			return dst, err
		}
		headers = append(headers, [2]string{name, value})
	}
	dst = fmt.Appendf(dst, "%s %s HTTP/1.1\r\n", method, target)
	for _, h := range headers {
		dst = fmt.Appendf(dst, "%s: %s\r\n", h[0], h[1])
	}
	dst = append(dst, "\r\n"...)
	return append(dst, body...), nil
}

// response is an HTTP response; body is empty for a stream and for 101.
type response struct {
	status int
	header http.Header
	body   string
}

func (r *response) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "status %d", r.status)
	names := make([]string, 0, len(r.header))
	for name := range r.header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&b, ", %s: %q", strings.ToLower(name), strings.Join(r.header[name], ", "))
	}
	fmt.Fprintf(&b, ", body %q", clip(r.body))
	return b.String()
}

// readHead reads the head of the response that is under way, and says how its body is read; interim responses are passed over.
func (c *conn) readHead(deadline time.Time) (*response, *bodyReader, error) {
	for {
		end := bytes.Index(c.in, []byte("\r\n\r\n"))
		if end > maxHead || end < 0 && len(c.in) > maxHead {
			return nil, nil, faultf("a response head of more than %d bytes", maxHead)
		}
		if end < 0 {
			if err := c.more(deadline); err != nil {
				if len(c.in) > 0 {
					return nil, nil, faultf("%s inside a response head: %q", err, clip(string(c.in)))
				}
				return nil, nil, err
			}
			continue
		}
		head := c.in[:end+4]
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: c.method})
		if err != nil {
			return nil, nil, faultf("not a response: %s: %q", err, clip(string(head)))
		}
		_ = resp.Body.Close() // the head alone was given to it
		c.in = c.in[end+4:]
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return &response{status: resp.StatusCode, header: resp.Header}, bodyOf(resp, c.method), nil
		}
	}
}

// readResponse reads the whole response that is under way.
func (c *conn) readResponse(deadline time.Time) (*response, error) {
	r, b, err := c.readHead(deadline)
	if err != nil {
		return nil, err
	}
	if r.status == http.StatusSwitchingProtocols {
		c.method = ""
		return r, nil
	}
	if strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
		c.sse = &sseState{body: b}
		c.method = ""
		return r, nil
	}
	var body []byte
	for !b.done {
		data, n, err := b.take(c.in)
		if err != nil {
			return nil, err
		}
		body = append(body, data...)
		c.in = c.in[n:]
		if len(body) > maxBody {
			return nil, faultf("a response body of more than %d bytes", maxBody)
		}
		if b.done || n > 0 {
			continue
		}
		if err := c.more(deadline); err != nil {
			if errors.Is(err, io.EOF) && b.mode == bodyToEnd {
				break
			}
			return nil, faultf("%s inside a response body, after %d bytes", err, len(body))
		}
	}
	r.body = string(body)
	c.method = ""
	if len(c.in) > 0 {
		return nil, faultf("%d bytes behind the response: %q", len(c.in), clip(string(c.in)))
	}
	return r, nil
}

type bodyMode byte

const (
	bodySized bodyMode = iota
	bodyChunked
	bodyToEnd // until TCP ends
)

// bodyReader takes a response's body out of a stream that may be cut anywhere.
type bodyReader struct {
	mode bodyMode
	left int64 // of the body or the chunk
	part byte  // chunked: s(ize line) d(ata) e(nd of the data) t(railer)
	done bool
}

// bodyOf follows RFC 9112, section 6.3.
func bodyOf(r *http.Response, method string) *bodyReader {
	switch {
	case method == http.MethodHead, r.StatusCode == http.StatusNoContent, r.StatusCode == http.StatusNotModified:
		return &bodyReader{done: true}
	case len(r.TransferEncoding) > 0:
		return &bodyReader{mode: bodyChunked, part: 's'}
	case r.ContentLength >= 0:
		return &bodyReader{left: r.ContentLength, done: r.ContentLength == 0}
	}
	return &bodyReader{mode: bodyToEnd}
}

// take uses n bytes of p, of which data are body.
func (b *bodyReader) take(p []byte) (data []byte, n int, err error) {
	if b.mode == bodyToEnd {
		return p, len(p), nil
	}
	for !b.done && n < len(p) {
		if b.mode == bodySized || b.part == 'd' {
			m := int(min(b.left, int64(len(p)-n)))
			data = append(data, p[n:n+m]...)
			n += m
			if b.left -= int64(m); b.left == 0 {
				b.part = 'e'
				b.done = b.mode == bodySized
			}
			continue
		}
		end := bytes.Index(p[n:], []byte("\r\n"))
		if end < 0 {
			if len(p)-n > maxHead {
				return data, n, faultf("a chunk line of more than %d bytes", maxHead)
			}
			break
		}
		line := string(p[n : n+end])
		n += end + 2
		switch b.part {
		case 'e':
			if line != "" {
				return data, n, faultf("a chunk that is longer than it says: %q", clip(line))
			}
			b.part = 's'
		case 's':
			size, _, _ := strings.Cut(line, ";")
			b.left, err = strconv.ParseInt(strings.TrimSpace(size), 16, 64)
			if err != nil || b.left < 0 {
				return data, n, faultf("a bad chunk size: %q", clip(line))
			}
			if b.part = 'd'; b.left == 0 {
				b.part = 't'
			}
		case 't':
			b.done = line == ""
		}
	}
	return data, n, nil
}

// sseState is what an event stream keeps between two steps.
type sseState struct {
	body    *bodyReader
	in      []byte // decoded, not yet used
	pending []*event
	ended   bool
}

// nextEvent returns the next hub message or the end of an event stream.
func (c *conn) nextEvent(deadline time.Time) (*event, error) {
	s := c.sse
	for {
		if len(s.pending) > 0 {
			ev := s.pending[0]
			s.pending = s.pending[1:]
			return ev, nil
		}
		done, err := s.event()
		if err != nil {
			return nil, err
		}
		if done {
			continue
		}
		if err := c.moreEvents(deadline); err != nil {
			return nil, err
		}
		if s.ended {
			if len(s.in) > 0 {
				return nil, faultf("the response ended inside an event: %q", clip(string(s.in)))
			}
			return &event{kind: "end", text: "the response ended"}, nil
		}
	}
}

// moreEvents decodes some more of the body, or sets ended.
func (c *conn) moreEvents(deadline time.Time) error {
	s := c.sse
	for !s.body.done {
		data, n, err := s.body.take(c.in)
		if err != nil {
			return err
		}
		c.in = c.in[n:]
		s.in = append(s.in, data...)
		if len(data) > 0 {
			return nil
		}
		if s.body.done {
			break
		}
		if err := c.more(deadline); err != nil {
			if errors.Is(err, io.EOF) && s.body.mode == bodyToEnd {
				break
			}
			if errors.Is(err, errTimeout) {
				return err
			}
			return faultf("%s inside a response body", c.endText())
		}
	}
	s.ended = true
	if len(c.in) > 0 {
		return faultf("%d bytes behind the response: %s", len(c.in), clip(hex.EncodeToString(c.in)))
	}
	return nil
}

// event takes one whole event, or one comment line, from s.in; false: there is none yet.
func (s *sseState) event() (bool, error) {
	var data []string
	at := 0
	for {
		end := bytes.IndexByte(s.in[at:], '\n')
		if end < 0 {
			if len(s.in) > maxBody {
				return false, faultf("an event of more than %d bytes", maxBody)
			}
			return false, nil
		}
		line := strings.TrimSuffix(string(s.in[at:at+end]), "\r")
		at += end + 1
		value, isData := strings.CutPrefix(line, "data:")
		switch {
		case isData:
			data = append(data, strings.TrimPrefix(value, " "))
			continue
		case strings.HasPrefix(line, ":") && data == nil:
			s.in = s.in[at:]
			return true, nil
		case line != "":
			return false, faultf("a line that is neither data nor a comment: %q", clip(line))
		}
		s.in = s.in[at:]
		if data == nil {
			return true, nil
		}
		messages, err := splitHub([]byte(strings.Join(data, "\n")), false)
		if err != nil {
			return false, err
		}
		for _, m := range messages {
			s.pending = append(s.pending, &event{kind: "message", text: m, json: true})
		}
		return true, nil
	}
}

// rawEvents reads exactly n bytes of the event stream.
func (c *conn) rawEvents(n int, deadline time.Time) (string, error) {
	s := c.sse
	if len(s.pending) > 0 {
		return "", faultf("a message came before: %q", clip(s.pending[0].text))
	}
	for len(s.in) < n {
		if err := c.moreEvents(deadline); err != nil {
			return string(s.in), err
		}
		if s.ended {
			break
		}
	}
	n = min(n, len(s.in))
	got := string(s.in[:n])
	s.in = s.in[n:]
	return got, nil
}
