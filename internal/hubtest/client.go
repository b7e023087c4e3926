// Package hubtest has a small SignalR client for tests: one WebSocket, blocking, strict about what the server sends. It speaks JSON, and reads MessagePack if told to.
package hubtest

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spokehub/spoke/codec"
)

// Message is a hub message as it came.
type Message struct {
	Type           int               `json:"type"`
	InvocationID   string            `json:"invocationId"`
	Target         string            `json:"target"`
	Arguments      []json.RawMessage `json:"arguments"`
	Result         json.RawMessage   `json:"result"`
	Error          *string           `json:"error"`
	AllowReconnect bool              `json:"allowReconnect"`
	SequenceID     int64             `json:"sequenceId"`

	Packed [][]byte `json:"-"` // of a MessagePack message: its arguments, or its item or result, as they came; what has no form in JSON is only here
}

// Closed is the error after the server's close frame.
type Closed struct{ Code uint16 }

func (c *Closed) Error() string { return "closed by the server with code " + strconv.Itoa(int(c.Code)) }

// Client is one connection. Reading is for one goroutine, writing for any.
type Client struct {
	Conn net.Conn
	// Protocol is the hub protocol of what Next reads and Record writes; nil: JSON. Constant once the handshake has been sent.
	Protocol codec.Protocol

	r    *bufio.Reader
	mu   sync.Mutex // writes
	out  []byte     // under mu
	next int        // under mu: invocation ids
	in   []Message  // read, not yet returned
}

// Timeout bounds each blocking read of a client.
const Timeout = 20 * time.Second

// Dial connects to path at a TCP address without negotiate and does the handshake. header is name, value, …
func Dial(addr, path string, header ...string) (*Client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c, err := New(nc, path, header...)
	if err != nil {
		nc.Close()
	}
	return c, err
}

// Refused is the error of an upgrade that was not answered with 101.
type Refused struct {
	Status int
	Body   string
}

func (r *Refused) Error() string { return fmt.Sprintf("upgrade answered with %d %q", r.Status, r.Body) }

// Bare is a client on a connection on which nothing has been said yet.
func Bare(nc net.Conn) *Client { return &Client{Conn: nc, r: bufio.NewReaderSize(nc, 4096)} }

// New upgrades a connection and does the handshake.
func New(nc net.Conn, path string, header ...string) (*Client, error) {
	c := Bare(nc)
	if err := c.Upgrade(path, header...); err != nil {
		return nil, err
	}
	return c, c.Handshake()
}

// Upgrade opens the WebSocket.
func (c *Client) Upgrade(path string, header ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", path)
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(c.Conn, b.String()); err != nil {
		return err
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(Timeout))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(res.Body)
		return &Refused{res.StatusCode, string(body)}
	}
	if a := res.Header.Get("Sec-WebSocket-Accept"); a != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return fmt.Errorf("wrong Sec-WebSocket-Accept %q", a)
	}
	return nil
}

// Handshake sends the hub handshake and waits for a good answer.
func (c *Client) Handshake() error { return c.HandshakeOf(1) }

// HandshakeOf is Handshake with a version of the hub protocol. It is answered in a message of the protocol's kind.
func (c *Client) HandshakeOf(version int) error {
	name := codec.JSON.Name()
	if c.Protocol != nil {
		name = c.Protocol.Name()
	}
	if err := c.Write(fmt.Sprintf(`{"protocol":%q,"version":%d}`, name, version)); err != nil {
		return err
	}
	p, err := c.frame()
	if err != nil {
		return err
	}
	rest, ok := bytes.CutPrefix(p, []byte("{}\x1e"))
	if !ok {
		return fmt.Errorf("handshake answered with %q", p)
	}
	return c.parse(rest)
}

// Write sends one record; the separator is added.
func (c *Client) Write(record string) error { return c.Raw(1, []byte(record+"\x1e")) }

// Raw sends one masked frame with that opcode.
func (c *Client) Raw(op byte, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = AppendFrame(c.out[:0], op, payload)
	_, err := c.Conn.Write(c.out)
	return err
}

// AppendFrame appends a whole masked client frame.
func AppendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	_, _ = rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i, x := range payload {
		b = append(b, x^mask[i&3])
	}
	return b
}

// Call sends an invocation and returns its id; its completion comes with Next.
func (c *Client) Call(target string, args ...any) (id string, err error) {
	c.mu.Lock()
	id = strconv.Itoa(c.next)
	c.next++
	c.mu.Unlock()
	return id, c.invocation(id, target, args)
}

// Send sends an invocation that wants no answer.
func (c *Client) Send(target string, args ...any) error { return c.invocation("", target, args) }

func (c *Client) invocation(id, target string, args []any) error {
	if args == nil {
		args = []any{}
	}
	m := map[string]any{"type": 1, "target": target, "arguments": args}
	if id != "" {
		m["invocationId"] = id
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.Write(string(b))
}

// Invoke calls a method and waits for its completion; other messages are kept for Next. An error completion is an error with that text.
func (c *Client) Invoke(target string, args ...any) (json.RawMessage, error) {
	id, err := c.Call(target, args...)
	if err != nil {
		return nil, err
	}
	var kept []Message
	defer func() { c.in = append(kept, c.in...) }()
	for {
		m, err := c.Next()
		if err != nil {
			return nil, err
		}
		if m.Type != 3 || m.InvocationID != id {
			kept = append(kept, m)
			continue
		}
		if m.Error != nil {
			return nil, errors.New(*m.Error)
		}
		return m.Result, nil
	}
}

// Next returns the next hub message other than a ping.
func (c *Client) Next() (Message, error) {
	for len(c.in) == 0 {
		p, err := c.frame()
		if err != nil {
			return Message{}, err
		}
		if err := c.parse(p); err != nil {
			return Message{}, err
		}
	}
	m := c.in[0]
	c.in = c.in[1:]
	return m, nil
}

// parse takes a payload apart; as official clients do, it refuses one that does not hold whole records.
func (c *Client) parse(p []byte) error {
	if c.binary() {
		return c.unpack(p)
	}
	for len(p) > 0 {
		rec, rest, ok := bytes.Cut(p, []byte{0x1e})
		if !ok {
			return fmt.Errorf("a message holds a part of a record: %q", p)
		}
		var m Message
		if err := json.Unmarshal(rec, &m); err != nil {
			return fmt.Errorf("record %q: %w", rec, err)
		}
		if m.Type != 6 {
			c.in = append(c.in, m)
		}
		p = rest
	}
	return nil
}

// asJSON is a value as JSON, nil when it has no form there.
func asJSON(p codec.Protocol, value []byte) (raw json.RawMessage) {
	if p.Bind(value, &raw) != nil {
		return nil
	}
	return raw
}

// unpack is parse for MessagePack; values become JSON.
func (c *Client) unpack(p []byte) error {
	for len(p) > 0 {
		rec, n, err := c.Protocol.Next(p, 0)
		if err == nil && n == 0 {
			err = errors.New("a message holds a part of a record")
		}
		var r codec.Message
		if err == nil {
			err = c.Protocol.Decode(rec, &r)
		}
		if err != nil {
			return fmt.Errorf("%x: %w", p, err)
		}
		p = p[n:]
		m := Message{
			Type: int(r.Kind), InvocationID: string(r.ID), Target: string(r.Target), AllowReconnect: r.AllowReconnect, SequenceID: r.SequenceID,
		}
		if r.HasError {
			text := string(r.Error)
			m.Error = &text
		}
		if len(r.Payload) > 0 {
			m.Packed = append(m.Packed, bytes.Clone(r.Payload))
		}
		if r.HasResult {
			m.Result = asJSON(c.Protocol, r.Payload)
		}
		for value, rest, ok := c.Protocol.NextValue(r.Args); ok && err == nil; value, rest, ok = c.Protocol.NextValue(rest) {
			m.Arguments = append(m.Arguments, asJSON(c.Protocol, value))
			m.Packed = append(m.Packed, bytes.Clone(value))
		}
		if err != nil {
			return fmt.Errorf("%x: %w", rec, err)
		}
		if r.Kind != codec.Ping {
			c.in = append(c.in, m)
		}
	}
	return nil
}

func (c *Client) binary() bool { return c.Protocol != nil && c.Protocol.Binary() }

// Record sends one encoded record of the protocol, its framing included.
func (c *Client) Record(record []byte) error {
	op := byte(1)
	if c.binary() {
		op = 2
	}
	return c.Raw(op, record)
}

// frame reads the next message; pings are answered.
func (c *Client) frame() ([]byte, error) {
	for {
		_ = c.Conn.SetReadDeadline(time.Now().Add(Timeout))
		op, p, err := ReadFrame(c.r, nil)
		if err != nil {
			return nil, err
		}
		switch op {
		case 1:
			if c.binary() {
				return nil, fmt.Errorf("an unexpected text message: %q", p)
			}
			if !utf8.Valid(p) {
				return nil, fmt.Errorf("a text message is not UTF-8: %q", p)
			}
			return p, nil
		case 2:
			if !c.binary() {
				return nil, fmt.Errorf("an unexpected binary message: %x", p)
			}
			return p, nil
		case 8:
			e := &Closed{1005}
			if len(p) >= 2 {
				e.Code = binary.BigEndian.Uint16(p)
			}
			return nil, e
		case 9:
			if err := c.Raw(10, p); err != nil {
				return nil, err
			}
		case 10:
		default:
			return nil, fmt.Errorf("unexpected opcode %d", op)
		}
	}
}

// ReadFrame reads one whole server frame; its payload is in buf if that is large enough.
func ReadFrame(r io.Reader, buf []byte) (op byte, payload []byte, err error) {
	var h [8]byte
	if _, err = io.ReadFull(r, h[:2]); err != nil {
		return 0, nil, err
	}
	if h[0]&0xf0 != 0x80 || h[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame header % x: want a final, unmasked frame without reserved bits", h[:2])
	}
	op = h[0] & 15
	n := uint64(h[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r, h[:2])
		n = uint64(binary.BigEndian.Uint16(h[:]))
	case 127:
		_, err = io.ReadFull(r, h[:8])
		n = binary.BigEndian.Uint64(h[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > 64<<20 {
		return 0, nil, fmt.Errorf("frame of %d bytes", n)
	}
	if payload = buf; uint64(cap(payload)) < n {
		payload = make([]byte, n)
	}
	payload = payload[:n]
	_, err = io.ReadFull(r, payload)
	return op, payload, err
}

// Close ends TCP.
func (c *Client) Close() error { return c.Conn.Close() }
