package replay

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// opcodes of RFC 6455, section 5.2.
var opcodes = map[string]byte{"continuation": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}

var opcodeNames = map[byte]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}

// maxFrame bounds the payload of one frame, and of one message, from the server.
const maxFrame = 16 << 20

// frame is a WebSocket frame.
type frame struct {
	fin     bool
	op      byte
	payload []byte
}

// appendFrame writes a client's frame, masked (RFC 6455, section 5.3). The mask is not random here: it protects proxies from
// browsers' scripts, and a fixed one makes runs repeatable.
func appendFrame(dst []byte, f frame) []byte {
	b0 := f.op
	if f.fin {
		b0 |= 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		dst = append(dst, b0, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, b0, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, b0, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	dst = append(dst, mask[:]...)
	for i, c := range f.payload {
		dst = append(dst, c^mask[i&3])
	}
	return dst
}

// parseFrame reads a server's frame from the beginning of p: n is its length, 0 when more bytes are needed. Anything that RFC 6455
// does not allow a server is a fault.
func parseFrame(p []byte) (f frame, n int, err error) {
	if len(p) < 2 {
		return f, 0, nil
	}
	f.fin, f.op = p[0]&0x80 != 0, p[0]&15
	name, known := opcodeNames[f.op]
	switch {
	case p[0]&0x70 != 0:
		return f, 0, faultf("a frame with a reserved bit: 0x%02x", p[0])
	case !known:
		return f, 0, faultf("a frame with the reserved opcode %d", f.op)
	case p[1]&0x80 != 0:
		return f, 0, faultf("a masked %s frame from the server", name)
	}
	head, size := 2, uint64(p[1])
	switch size {
	case 126:
		head = 4
		if len(p) < head {
			return f, 0, nil
		}
		if size = uint64(binary.BigEndian.Uint16(p[2:])); size < 126 {
			return f, 0, faultf("a length of %d in the 16-bit form", size)
		}
	case 127:
		head = 10
		if len(p) < head {
			return f, 0, nil
		}
		if size = binary.BigEndian.Uint64(p[2:]); size < 1<<16 {
			return f, 0, faultf("a length of %d in the 64-bit form", size)
		}
	}
	if f.op >= 8 && (size > 125 || !f.fin) {
		return f, 0, faultf("a %s frame of %d bytes, fin %v: control frames have at most 125 and are not fragmented", name, size, f.fin)
	}
	if size > maxFrame {
		return f, 0, faultf("a frame of %d bytes; this replayer reads %d at most", size, maxFrame)
	}
	if uint64(len(p)-head) < size {
		return f, 0, nil
	}
	n = head + int(size)
	f.payload = p[head:n:n]
	return f, n, nil
}

// closeBody reads a close frame's payload; code 0: there is none.
func closeBody(p []byte) (code int, reason string, err error) {
	if len(p) == 0 {
		return 0, "", nil
	}
	if len(p) == 1 {
		return 0, "", faultf("a close frame of one byte")
	}
	code = int(binary.BigEndian.Uint16(p))
	reason = string(p[2:])
	if code < 1000 || code > 4999 || code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 {
		return code, reason, faultf("a close frame with the code %d, which no endpoint may send", code)
	}
	if !utf8.ValidString(reason) {
		return code, reason, faultf("a close reason that is not UTF-8")
	}
	return code, reason, nil
}

// wsState is what a WebSocket keeps between two steps.
type wsState struct {
	open    bool   // the 101 has come
	msgpack bool   // the hub protocol
	shaken  bool   // the handshake response has come, so hub messages follow
	op      byte   // of the message under way, 0: none
	partial []byte // its payload so far
	closed  bool   // the server's close frame has come
	pending []*event
}

// nextFrame returns the next event of a WebSocket; hub messages come one by one.
func (c *conn) nextFrame(deadline time.Time) (*event, error) {
	w := c.ws
	for {
		if len(w.pending) > 0 {
			ev := w.pending[0]
			w.pending = w.pending[1:]
			return ev, nil
		}
		f, n, err := parseFrame(c.in)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			err := c.more(deadline)
			switch {
			case err == nil:
				continue
			case errors.Is(err, errTimeout):
				return nil, err
			case c.ended == nil:
				return nil, err
			}
			if len(c.in) > 0 || w.op != 0 {
				return nil, faultf("%s inside a message: %s", c.endText(), clip(hex.EncodeToString(append(w.partial, c.in...))))
			}
			return &event{kind: "eof", text: c.endText()}, nil
		}
		if w.closed {
			return nil, faultf("a %s frame behind the close frame", opcodeNames[f.op])
		}
		ev, err := w.take(f)
		c.in = c.in[n:]
		if err != nil {
			return nil, err
		}
		if ev != nil {
			return ev, nil
		}
	}
}

// take turns a frame into an event, or into pending ones.
func (w *wsState) take(f frame) (*event, error) {
	switch f.op {
	case 8:
		code, reason, err := closeBody(f.payload)
		if err != nil {
			return nil, err
		}
		w.closed = true
		return &event{kind: "close", code: code, text: reason}, nil
	case 9, 10:
		return &event{kind: opcodeNames[f.op], text: string(f.payload)}, nil
	case 0:
		if w.op == 0 {
			return nil, faultf("a continuation frame without a beginning")
		}
	default:
		if w.op != 0 {
			return nil, faultf("a %s frame inside a fragmented message", opcodeNames[f.op])
		}
		w.op = f.op
	}
	if len(w.partial)+len(f.payload) > maxFrame {
		return nil, faultf("a message of more than %d bytes", maxFrame)
	}
	w.partial = append(w.partial, f.payload...)
	if !f.fin {
		return nil, nil
	}
	kind, message := opcodeNames[w.op], w.partial
	w.op, w.partial = 0, nil
	if kind == "text" && !utf8.Valid(message) {
		return nil, faultf("a text message that is not UTF-8: %s", clip(hex.EncodeToString(message)))
	}
	if len(message) == 0 {
		return nil, faultf("an empty %s message", kind)
	}
	// The handshake response is JSON in both protocols.
	if !w.shaken {
		end := strings.IndexByte(string(message), 0x1e)
		if end < 0 {
			return nil, faultf("a handshake response that is cut: %q", clip(string(message)))
		}
		w.shaken = true
		w.pending = append(w.pending, &event{kind: kind, text: string(message[:end+1]), json: true})
		message = message[end+1:]
	}
	messages, err := splitHub(message, w.msgpack)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		w.pending = append(w.pending, &event{kind: kind, text: m, json: !w.msgpack})
	}
	return nil, nil
}

// splitHub cuts a chunk into hub messages, each with its separator or length prefix; a chunk that ends inside one is a fault, as
// official clients throw on it (wire contract, section 25).
func splitHub(chunk []byte, msgpack bool) ([]string, error) {
	if msgpack {
		messages, err := splitPack(chunk)
		if err != nil {
			return nil, faultf("%s", err)
		}
		return messages, nil
	}
	messages := strings.SplitAfter(string(chunk), "\x1e")
	if last := messages[len(messages)-1]; last != "" {
		return nil, faultf("a hub message that is cut: %q", clip(last))
	}
	return messages[:len(messages)-1], nil
}
