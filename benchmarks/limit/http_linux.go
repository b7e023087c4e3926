package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
)

const maxHead = 16 << 10

// request answers negotiate and the upgrade, which come once per connection: this is not the hot path.
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
		token := rand.Text()
		body := fmt.Sprintf(`{"negotiateVersion":1,"connectionId":%q,"connectionToken":%q,"availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}`, token, token)
		s.out = fmt.Appendf(s.out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		return end + 4
	}
	_, key, ok := bytes.Cut(head, []byte("\r\nSec-WebSocket-Key: "))
	if !ok {
		s.drop(fd, "an HTTP request that is neither negotiate nor an upgrade")
		return 0
	}
	key, _, _ = bytes.Cut(key, []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	s.out = append(s.out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	s.out = base64.StdEncoding.AppendEncode(s.out, sum[:])
	s.out = append(s.out, "\r\n\r\n"...)
	c.framed = true
	return end + 4
}
