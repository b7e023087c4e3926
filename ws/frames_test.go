package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"
)

// clientFrame is a frame as a client sends it, with every bit at the caller's will. It is made without the package's own code.
func clientFrame(op byte, fin bool, rsv byte, payload string) string {
	return clientFrameMask(op, fin, rsv, [4]byte{byte(len(payload)) ^ 0x5a, 0xfa, 0x21, op + 1}, payload)
}

func clientFrameMask(op byte, fin bool, rsv byte, mask [4]byte, payload string) string {
	head := []byte{rsv<<4 | op, 0x80}
	if fin {
		head[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		head[1] |= byte(n)
	case n < 1<<16:
		head[1] |= 126
		head = binary.BigEndian.AppendUint16(head, uint16(n))
	default:
		head[1] |= 127
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	body := []byte(payload)
	for i := range body {
		body[i] ^= mask[i%4]
	}
	return string(head) + string(mask[:]) + string(body)
}

func text(p string) string    { return clientFrame(1, true, 0, p) }
func binaryF(p string) string { return clientFrame(2, true, 0, p) }
func ping(p string) string    { return clientFrame(9, true, 0, p) }
func pongF(p string) string   { return clientFrame(10, true, 0, p) }

// first, more and last are the fragments of a text message.
func first(p string) string { return clientFrame(1, false, 0, p) }
func more(p string) string  { return clientFrame(0, false, 0, p) }
func last(p string) string  { return clientFrame(0, true, 0, p) }

// closing is a close frame with a code and a reason.
func closing(code uint16, reason string) string {
	return clientFrame(8, true, 0, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// readServer takes the next frame off what a server sent, by gobwas's reader; ok is false when it is not complete.
func readServer(p []byte) (h ws.Header, payload, rest []byte, ok bool) {
	r := bytes.NewReader(p)
	h, err := ws.ReadHeader(r)
	if err != nil || int64(r.Len()) < h.Length {
		return h, nil, p, false
	}
	p = p[len(p)-r.Len():]
	return h, p[:h.Length], p[h.Length:], true
}

// describe puts a reply in words, as the tables of the tests have it.
func describe(op byte, payload []byte) string {
	switch op {
	case 1:
		return "text " + string(payload)
	case 2:
		return "binary " + string(payload)
	case 9:
		return "ping " + string(payload)
	case 10:
		return "pong " + string(payload)
	case 8:
		if len(payload) == 0 {
			return "close"
		}
		if len(payload) == 2 {
			return fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload))
		}
	}
	return fmt.Sprintf("opcode %d: %q", op, payload)
}

// shorten cuts long payloads for messages.
func shorten(replies []string) string {
	var b bytes.Buffer
	for _, r := range replies {
		if len(r) > 60 {
			r = fmt.Sprintf("%s… (%d bytes)", r[:50], len(r))
		}
		fmt.Fprintf(&b, " [%q]", r)
	}
	return b.String()
}
