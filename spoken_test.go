package spoke_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/spokehub/spoke/internal/hubtest"
)

// said is a hub message of a client, to be sent in either encoding (wire contract, sections 10 and 11).
type said struct {
	kind    int
	id      string
	target  string
	args    []any
	streams []string
	item    any    // of a stream item
	fault   string // of a completion: the client's stream failed
	number  int64  // of Ack and Sequence
}

// The kinds of hub messages.
const (
	invocation       = 1
	streamItem       = 2
	completion       = 3
	streamInvocation = 4
	ping             = 6
	closing          = 7
	ack              = 8
	sequence         = 9
)

// record is the message as it goes out.
func (m said) record(packed bool) ([]byte, error) {
	args, streams := m.args, m.streams
	if args == nil {
		args = []any{}
	}
	if streams == nil {
		streams = []string{}
	}
	if packed {
		headers := map[string]string{}
		var array []any
		switch m.kind {
		case invocation, streamInvocation:
			array = []any{m.kind, headers, m.id, m.target, args, streams}
		case streamItem:
			array = []any{m.kind, headers, m.id, m.item}
		case completion:
			array = []any{m.kind, headers, m.id, 2}
			if m.fault != "" {
				array = []any{m.kind, headers, m.id, 1, m.fault}
			}
		case ack, sequence:
			array = []any{m.kind, m.number}
		default:
			array = []any{m.kind}
		}
		b, err := msgpack.Marshal(array)
		return append(binary.AppendUvarint(nil, uint64(len(b))), b...), err
	}
	object := map[string]any{"type": m.kind}
	switch m.kind {
	case invocation, streamInvocation:
		object["target"], object["arguments"] = m.target, args
		if len(streams) > 0 {
			object["streamIds"] = streams
		}
		if m.id != "" {
			object["invocationId"] = m.id
		}
	case streamItem:
		object["invocationId"], object["item"] = m.id, m.item
	case completion:
		object["invocationId"] = m.id
		if m.fault != "" {
			object["error"] = m.fault
		}
	case ack, sequence:
		object["sequenceId"] = m.number
	}
	b, err := json.Marshal(object)
	return append(b, 0x1e), err
}

// speaker is a client of either encoding on one WebSocket.
type speaker struct {
	nc     net.Conn
	packed bool
	heard  [][]byte // records that have come and wait for next
}

// handshake is the client's, for that encoding.
func handshake(packed bool, version int) string {
	name := "json"
	if packed {
		name = "messagepack"
	}
	return fmt.Sprintf(`{"protocol":%q,"version":%d}`, name, version)
}

// speak opens a WebSocket. With a hub handshake the answer to it is the first that is heard.
func speak(t testing.TB, addr, path string, packed bool) *speaker {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	// Nothing comes behind the answer to the upgrade before the handshake is sent, so nothing is left behind in the buffer that reads the answer.
	if err := hubtest.Bare(nc).Upgrade(path); err != nil {
		t.Fatal(err)
	}
	return &speaker{nc: nc, packed: packed}
}

// greet does the handshake.
func (s *speaker) greet(t testing.TB) *speaker {
	t.Helper()
	if err := s.write([]byte(handshake(s.packed, 1) + "\x1e")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.answer(); err != nil || got != "{}" {
		t.Fatalf("the handshake is answered with %q, %v", got, err)
	}
	return s
}

func (s *speaker) write(p []byte) error {
	op := byte(1)
	if s.packed {
		op = 2
	}
	_, err := s.nc.Write(hubtest.AppendFrame(nil, op, p))
	return err
}

func (s *speaker) say(messages ...said) error {
	for _, m := range messages {
		p, err := m.record(s.packed)
		if err == nil {
			err = s.write(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answer is the answer to the handshake, which is JSON in both encodings.
func (s *speaker) answer() (string, error) {
	p, err := s.message()
	if err != nil {
		return "", err
	}
	first, rest, ok := bytes.Cut(p, []byte{0x1e})
	if !ok {
		return "", fmt.Errorf("%q does not end like a handshake", p)
	}
	return string(first), s.split(rest)
}

// message reads a WebSocket message.
func (s *speaker) message() ([]byte, error) {
	_ = s.nc.SetReadDeadline(time.Now().Add(hubtest.Timeout))
	op, p, err := hubtest.ReadFrame(s.nc, nil)
	if err != nil {
		return nil, err
	}
	if op == 8 {
		e := &hubtest.Closed{Code: 1005}
		if len(p) >= 2 {
			e.Code = binary.BigEndian.Uint16(p)
		}
		return nil, e
	}
	return p, nil
}

// split takes whole records apart; official clients refuse a part of one.
func (s *speaker) split(p []byte) error {
	for len(p) > 0 {
		if s.packed {
			n, k := binary.Uvarint(p)
			if k <= 0 || n > uint64(len(p)-k) {
				return fmt.Errorf("a message ends inside a record: % x", p)
			}
			s.heard = append(s.heard, p[k:k+int(n)])
			p = p[k+int(n):]
			continue
		}
		rec, rest, ok := bytes.Cut(p, []byte{0x1e})
		if !ok {
			return fmt.Errorf("a message ends inside a record: %q", p)
		}
		s.heard, p = append(s.heard, rec), rest
	}
	return nil
}

// next is the next message but pings and Acks, in words: the same for both encodings.
func (s *speaker) next() (string, error) {
	for {
		for len(s.heard) == 0 {
			p, err := s.message()
			var closed *hubtest.Closed
			if errors.As(err, &closed) {
				return fmt.Sprintf("close frame %d", closed.Code), nil
			}
			if err == nil {
				err = s.split(p)
			}
			if err != nil {
				return "", err
			}
		}
		rec := s.heard[0]
		s.heard = s.heard[1:]
		words, err := inWords(rec, s.packed)
		if err != nil || words != "" {
			return words, err
		}
	}
}

// inWords describes a message; a ping and an Ack by nothing.
func inWords(rec []byte, packed bool) (string, error) {
	if packed {
		var a []any
		if err := msgpack.Unmarshal(rec, &a); err != nil {
			return "", fmt.Errorf("% x: %w", rec, err)
		}
		return arrayInWords(a)
	}
	var m struct {
		Type         int              `json:"type"`
		InvocationID string           `json:"invocationId"`
		Target       string           `json:"target"`
		Arguments    []any            `json:"arguments"`
		Item         any              `json:"item"`
		Result       *json.RawMessage `json:"result"`
		Error        *string          `json:"error"`
		Retry        bool             `json:"allowReconnect"`
		Number       int64            `json:"sequenceId"`
	}
	if err := json.Unmarshal(rec, &m); err != nil {
		return "", fmt.Errorf("%q: %w", rec, err)
	}
	switch m.Type {
	case invocation:
		return fmt.Sprintf("call %s%v", m.Target, m.Arguments), nil
	case streamItem:
		return fmt.Sprintf("item %s: %v", m.InvocationID, m.Item), nil
	case completion:
		switch {
		case m.Error != nil:
			return fmt.Sprintf("error %s: %s", m.InvocationID, *m.Error), nil
		case bytes.Contains(rec, []byte(`"result":`)):
			var v any
			if m.Result != nil {
				if err := json.Unmarshal(*m.Result, &v); err != nil {
					return "", err
				}
			}
			return fmt.Sprintf("result %s: %v", m.InvocationID, v), nil
		}
		return "end " + m.InvocationID, nil
	case closing:
		return closeInWords(m.Error, m.Retry), nil
	case sequence:
		return fmt.Sprintf("sequence %d", m.Number), nil
	case ping, ack:
		return "", nil
	}
	return "", fmt.Errorf("%q has an unknown type", rec)
}

func arrayInWords(a []any) (string, error) {
	wrong := fmt.Errorf("%v is no message", a)
	if len(a) == 0 {
		return "", wrong
	}
	kind := fmt.Sprint(a[0])
	want := map[string]int{"1": 6, "2": 4, "6": 1, "7": 3, "8": 2, "9": 2}[kind]
	if kind == "3" {
		want = 5
		if len(a) > 3 && fmt.Sprint(a[3]) == "2" {
			want = 4
		}
	}
	if len(a) != want {
		return "", wrong
	}
	switch kind {
	case "1":
		return fmt.Sprintf("call %v%v", a[3], a[4]), nil
	case "2":
		return fmt.Sprintf("item %v: %v", a[2], a[3]), nil
	case "3":
		switch fmt.Sprint(a[3]) {
		case "1":
			return fmt.Sprintf("error %v: %v", a[2], a[4]), nil
		case "2":
			return fmt.Sprintf("end %v", a[2]), nil
		case "3":
			return fmt.Sprintf("result %v: %v", a[2], a[4]), nil
		}
		return "", wrong
	case "7":
		retry, ok := a[2].(bool)
		text, isText := a[1].(string)
		if !ok || !isText && a[1] != nil {
			return "", wrong
		}
		if isText {
			return closeInWords(&text, retry), nil
		}
		return closeInWords(nil, retry), nil
	case "9":
		return fmt.Sprintf("sequence %v", a[1]), nil
	}
	return "", nil // a ping or an Ack
}

func closeInWords(text *string, retry bool) string {
	words := "close"
	if retry {
		words = "close, reconnect"
	}
	if text != nil {
		words += ": " + *text
	}
	return words
}
