package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strconv"
)

const maxHead = 16 << 10

// request answers negotiate and the upgrade, which come once per connection: this is not the hot path, but nothing is allocated, so that the
// memory of an idle connection is that of its conn.
func (s *server) request(fd int32, c *conn, p []byte) int {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		if len(p) > maxHead {
			s.drop(fd, fmt.Sprintf("an HTTP head of more than %d bytes", maxHead))
		}
		return 0
	}
	head := p[:end]
	if bytes.HasPrefix(head, []byte("POST ")) && bytes.Contains(head, []byte("/negotiate")) {
		s.tokens++ // nobody is kept out by it
		body := append(s.msg[:0], `{"negotiateVersion":1,"connectionId":"`...)
		body = strconv.AppendInt(body, s.tokens, 10)
		body = append(body, `","connectionToken":"`...)
		body = strconv.AppendInt(body, s.tokens, 10)
		body = append(body, `","availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}`...)
		s.msg = body
		s.out = append(s.out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "...)
		s.out = strconv.AppendInt(s.out, int64(len(body)), 10)
		s.out = append(s.out, "\r\n\r\n"...)
		s.out = append(s.out, body...)
		return end + 4
	}
	_, key, ok := bytes.Cut(head, []byte("\r\nSec-WebSocket-Key: "))
	if !ok {
		s.drop(fd, "an HTTP request that is neither negotiate nor an upgrade")
		return 0
	}
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	s.msg = append(append(s.msg[:0], key...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...) // RFC 6455, section 4.2.2
	sum := sha1.Sum(s.msg)
	s.out = append(s.out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	s.out = base64.StdEncoding.AppendEncode(s.out, sum[:])
	s.out = append(s.out, "\r\n\r\n"...)
	c.framed = true
	return end + 4
}
