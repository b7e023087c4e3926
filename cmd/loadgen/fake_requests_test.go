package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// request serves a request that names a connection: for an event stream, a poll, a POST or a DELETE. c is the TCP connection's. false: it has ended.
func (s *fakeServer) request(c *fakeConn, q *http.Request, id string) bool {
	s.mu.Lock()
	c.carrier = true
	k := s.known[id]
	first := k == nil && q.Method == http.MethodGet
	if first {
		k = &fakeConn{server: s, nc: c.nc, w: c.w, groups: map[string]bool{}}
		k.ready = sync.NewCond(&k.mu)
		k.events = q.Header.Get("Accept") == "text/event-stream"
		k.polls = !k.events
		s.known[id] = k
		s.conns[k] = true
	}
	s.mu.Unlock()
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return false
	}
	answer := func(status, kind, text string) {
		fmt.Fprintf(c.nc, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(text), text)
	}
	switch {
	case k == nil:
		answer("404 Not Found", "text/plain", "No Connection with that ID")
	case q.Method == http.MethodPost:
		if s.post != "" {
			io.WriteString(c.nc, s.post)
			return false
		}
		if s.mute {
			return true
		}
		k.take(body)
		answer("200 OK", "text/plain", "")
	case q.Method == http.MethodDelete:
		k.mu.Lock()
		k.ended = true
		k.mu.Unlock()
		k.ready.Broadcast()
		answer("202 Accepted", "text/plain", "")
	case k.events && s.listen != "":
		io.WriteString(c.nc, s.listen)
		return false
	case k.events:
		io.WriteString(c.nc, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\r\n\r\n")
		io.Copy(io.Discard, c.nc) // until the client goes
		s.mu.Lock()
		delete(s.conns, k)
		s.mu.Unlock()
		return false
	case first:
		answer("200 OK", "application/octet-stream", "")
	case s.listen != "":
		io.WriteString(c.nc, s.listen)
		return false
	default:
		k.mu.Lock()
		for len(k.said) == 0 && !k.ended {
			k.ready.Wait()
		}
		text := string(k.said)
		k.said = nil
		k.mu.Unlock()
		if text == "" {
			fmt.Fprint(c.nc, "HTTP/1.1 204 No Content\r\n\r\n")
			return true
		}
		answer("200 OK", "application/octet-stream", text)
	}
	return true
}

// say sends records in an event, or keeps them for a poll.
func (c *fakeConn) say(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.polls {
		c.said = append(c.said, p...)
		c.ready.Signal()
		return
	}
	var event strings.Builder
	for line := range strings.SplitSeq(string(p), "\n") {
		if c.server.split {
			event.WriteString(": a comment\r\n")
		}
		event.WriteString("data: " + line + "\r\n")
	}
	event.WriteString("\r\n")
	text := event.String()
	if c.server.split {
		text = text[:7]
		fmt.Fprintf(c.w, "%x;x=y\r\n%s\r\n", len(text), text)
		text = event.String()[7:]
	}
	fmt.Fprintf(c.w, "%X\r\n%s\r\n", len(text), text)
	c.w.Flush()
}
