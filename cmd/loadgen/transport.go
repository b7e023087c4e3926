package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The transports.
const (
	webSockets       = "websockets"
	serverSentEvents = "sse"
	longPolling      = "polling"
)

// transportNames are those of negotiate.
var transportNames = map[string]string{webSockets: "WebSockets", serverSentEvents: "ServerSentEvents", longPolling: "LongPolling"}

// listenRequest is the request for an event stream, or a poll.
func (c *client) listenRequest() []byte { return c.request("GET", -1) }

// request is one of those that name the connection; length is that of a body, -1: there is none.
func (c *client) request(method string, length int) []byte {
	o := c.worker.opts
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, o.target.of(c.number).request("", "id="+url.QueryEscape(c.token)))
	writeHeaders(&b, o)
	switch {
	case length >= 0:
		fmt.Fprintf(&b, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", length)
	case method == "GET" && o.transport == serverSentEvents:
		b.WriteString("Accept: text/event-stream\r\n")
	}
	b.WriteString("X-Requested-With: XMLHttpRequest\r\n\r\n")
	return []byte(b.String())
}

// patience is how long a server may say nothing; 0: for ever. Between two messages there may be nothing but the end of a poll, after 90 s by default.
func (c *client) patience() time.Duration {
	s := c.worker.opts.silence
	if s > 0 && c.worker.opts.transport == longPolling {
		s += pollTime
	}
	return s
}

const pollTime = 90 * time.Second

// onPoll handles the answer to a poll; the next one follows at once.
func (c *client) onPoll(p []byte) int {
	a, n, err := c.shard.polls.parse(p)
	switch {
	case err != nil:
		c.fail("poll: not HTTP", err.Error())
		return 0
	case n == 0:
		return 0
	case a.status == 204:
		c.fail("the server closed the connection", "a poll was answered with status 204, which is the end of the connection")
		return n
	case a.status != 200:
		c.fail(fmt.Sprintf("poll: HTTP %d", a.status), statusText(a))
		return n
	case a.close:
		c.fail("poll: not kept alive", "the server ends the TCP connection of each poll, which is not supported")
		return n
	}
	if c.step == stepUpgrade { // the first has nothing to say (wire contract, section 6)
		c.shakeHands()
	} else {
		c.onMessage(a.body)
	}
	if c.step < stepLeaving {
		c.write(c.listenRequest())
	}
	return n
}

// onStreamHead handles the head of the answer to the request for an event stream.
func (c *client) onStreamHead(p []byte) int {
	n, err := headEnd(p)
	var h head
	if err == nil && n > 0 {
		h, err = parseHead(p[:n])
	}
	switch {
	case err != nil:
		c.fail("upgrade: not HTTP", err.Error())
		return 0
	case n == 0:
		return 0
	case h.answer.status != 200:
		return c.onHTTP(p)
	case h.kind != "text/event-stream" || !h.chunked:
		c.fail("upgrade: no event stream", fmt.Sprintf("the answer has the content type %q, chunks %t: text/event-stream in chunks is expected", h.kind, h.chunked))
		return n
	}
	c.shakeHands()
	return n
}

// onChunk handles a chunk of an event stream.
func (c *client) onChunk(p []byte) int {
	data, n, err := parseChunk(p, maxMessage)
	switch {
	case err != nil:
		c.fail("events: protocol error", err.Error())
		return 0
	case n == 0:
		return 0
	case len(data) == 0:
		c.fail("the server closed the connection", "the server ended the event stream")
		return n
	case len(c.fragment)+len(data) > maxMessage:
		c.fail("events: protocol error", fmt.Sprintf("an event has more than %d bytes", maxMessage))
		return n
	}
	if len(c.fragment) > 0 {
		data = append(c.fragment, data...)
		c.fragment = nil
	}
	for c.step < stepLeaving {
		event, rest, whole := cutEvent(data)
		if !whole {
			break
		}
		data = rest
		records, err := eventData(event)
		if err != nil {
			c.fail("events: protocol error", err.Error())
			return n
		}
		c.onMessage(records)
	}
	if len(data) > 0 {
		c.fragment = append([]byte(nil), data...)
	}
	return n
}

var eventEnd = []byte("\r\n\r\n")

// cutEvent takes an event off: lines and an empty one (wire contract, section 5).
func cutEvent(p []byte) (event, rest []byte, whole bool) {
	i := bytes.Index(p, eventEnd)
	if i < 0 {
		return nil, p, false
	}
	return p[:i+2], p[i+len(eventEnd):], true
}

// eventData are the lines of an event's data, joined by LF; a part of event when it is one line.
func eventData(event []byte) (data []byte, err error) {
	for first := true; len(event) > 0; {
		line, rest, _ := bytes.Cut(event, eventEnd[:2])
		event = rest
		if len(line) > 0 && line[0] == ':' {
			continue // a comment
		}
		text, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			return nil, fmt.Errorf("an event has the line %s, data is expected", excerpt(line))
		}
		if first {
			first = false
			data = text[:len(text):len(text)]
			continue
		}
		data = append(append(data, '\n'), text...)
	}
	return data, nil
}
