package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packedLine is one line of testdata/messagepack (see its README).
type packedLine struct {
	file, mode, name string
	frame            []byte
	want             packedMeaning
}

// packedMeaning is the last column.
type packedMeaning struct {
	Kind           string   `json:"kind"`
	ID             string   `json:"id"`
	Target         string   `json:"target"`
	Arguments      []hexed  `json:"arguments"`
	ArgumentsError string   `json:"argumentsError"`
	StreamIDs      []string `json:"streamIds"`
	Headers        hexed    `json:"headers"`
	Item           hexed    `json:"item"`
	Result         hexed    `json:"result"`
	Error          *string  `json:"error"`
	AllowReconnect bool     `json:"allowReconnect"`
	SequenceID     int64    `json:"sequenceId"`
	Refuse         string   `json:"refuse"`
	Text           string   `json:"text"`
}

// hexed is raw MessagePack, in hex.
type hexed []byte

func (h hexed) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexed) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func (m packedMeaning) String() string {
	b, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func goldenPacked(t testing.TB) (lines []packedLine) {
	t.Helper()
	for _, file := range messageFiles {
		all, err := os.ReadFile(filepath.Join("testdata", "messagepack", file+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(string(all)) {
			if strings.HasPrefix(text, "#") {
				continue
			}
			columns := strings.Split(strings.TrimSuffix(text, "\n"), "\t")
			if len(columns) != 4 {
				t.Fatalf("%s: %d columns: %.80q", file, len(columns), text)
			}
			l := packedLine{file: file, mode: columns[0], name: columns[1]}
			if l.frame, err = hex.DecodeString(columns[2]); err != nil {
				t.Fatalf("%s, %s: %v", file, l.name, err)
			}
			if err := json.Unmarshal([]byte(columns[3]), &l.want); err != nil {
				t.Fatalf("%s, %s: %v", file, l.name, err)
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// packedMeaningOf is what a reader got out of a record.
func packedMeaningOf(m *Message, err error) packedMeaning {
	if err != nil {
		e := fault(err)
		return packedMeaning{Refuse: e.Name, Text: e.Text}
	}
	got := packedMeaning{Kind: kindNames[m.Kind], ID: string(m.ID), Target: string(m.Target), Headers: m.Headers, AllowReconnect: m.AllowReconnect, SequenceID: m.SequenceID}
	if got.Kind == "" {
		return packedMeaning{Kind: "unknown"}
	}
	if m.ArgsErr != nil {
		got.ArgumentsError = m.ArgsErr.Error()
	}
	for value, rest, ok := MessagePack.NextValue(m.Args); ok; value, rest, ok = MessagePack.NextValue(rest) {
		got.Arguments = append(got.Arguments, value)
	}
	for _, id := range m.StreamIDs {
		got.StreamIDs = append(got.StreamIDs, string(id))
	}
	if m.HasError {
		text := string(m.Error)
		got.Error = &text
	}
	switch {
	case m.Kind == StreamItem:
		got.Item = m.Payload
	case m.HasResult:
		got.Result = m.Payload
	}
	return got
}

func readPacked(t testing.TB, frame []byte, m *Message) packedMeaning {
	t.Helper()
	rec, n, err := MessagePack.Next(frame, 0)
	if err != nil || n != len(frame) {
		t.Fatalf("Next(% x) = %d, %v, want all %d bytes", frame, n, err, len(frame))
	}
	return packedMeaningOf(m, MessagePack.Decode(rec, m))
}

func TestGoldenPackedRead(t *testing.T) {
	t.Parallel()
	for _, l := range goldenPacked(t) {
		t.Run(l.file+"/"+l.name, func(t *testing.T) {
			t.Parallel()
			var m Message
			got := readPacked(t, l.frame, &m)
			if got.String() != l.want.String() {
				t.Errorf("% x\n got %v\nwant %v", l.frame, got, l.want)
			}
			if refused := l.mode == "refuse"; refused != (got.Refuse != "") {
				t.Errorf("mode %s, refused %t", l.mode, !refused)
			}
			if got.Refuse == "" && len(got.Arguments) != m.NArgs {
				t.Errorf("NArgs = %d, but there are %d", m.NArgs, len(got.Arguments))
			}
		})
	}
}

// One Message for all records: nothing of one may show in the next.
func TestGoldenPackedReadWithReusedMessage(t *testing.T) {
	t.Parallel()
	var m Message
	for _, l := range goldenPacked(t) {
		if got := readPacked(t, l.frame, &m); got.String() != l.want.String() {
			t.Errorf("%s, %s\n got %v\nwant %v", l.file, l.name, got, l.want)
		}
	}
}

// rawPacked is a value that stands for its bytes.
type rawPacked []byte

func (r rawPacked) MarshalMsgpack() ([]byte, error) { return r, nil }

// writePacked encodes a meaning.
func writePacked(dst []byte, m packedMeaning) ([]byte, error) {
	args := make([]any, len(m.Arguments))
	for i, a := range m.Arguments {
		args[i] = rawPacked(a)
	}
	p := MessagePack
	switch m.Kind {
	case "Invocation":
		return p.AppendInvocation(dst, m.ID, m.Target, args)
	case "StreamInvocation":
		return p.AppendStreamInvocation(dst, m.ID, m.Target, args, m.StreamIDs)
	case "StreamItem":
		return p.AppendStreamItem(dst, m.ID, rawPacked(m.Item))
	case "Completion":
		switch {
		case m.Error != nil:
			return p.AppendError(dst, m.ID, *m.Error), nil
		case m.Result != nil:
			return p.AppendResult(dst, m.ID, rawPacked(m.Result))
		}
		return p.AppendCompletion(dst, m.ID), nil
	case "CancelInvocation":
		return p.AppendCancel(dst, m.ID), nil
	case "Ping":
		return p.AppendPing(dst), nil
	case "Close":
		text := ""
		if m.Error != nil {
			text = *m.Error
		}
		return p.AppendClose(dst, text, m.AllowReconnect), nil
	case "Ack":
		return p.AppendAck(dst, m.SequenceID), nil
	case "Sequence":
		return p.AppendSequence(dst, m.SequenceID), nil
	}
	return dst, Malformed("no such kind: %q", m.Kind)
}

// writePackedInSteps encodes a meaning with Begin, values and End, where there are such.
func writePackedInSteps(dst []byte, m packedMeaning) []byte {
	start, p := len(dst), MessagePack
	switch {
	case m.Kind == "Invocation":
		dst = p.BeginInvocation(dst, m.ID, m.Target, len(m.Arguments))
		for i, a := range m.Arguments {
			if i > 0 {
				dst = p.Sep(dst)
			}
			dst = p.AppendRaw(dst, a)
		}
		dst = p.EndArgs(dst)
	case m.Kind == "StreamItem":
		dst = p.AppendRaw(p.BeginStreamItem(dst, m.ID), m.Item)
	case m.Kind == "Completion" && m.Result != nil:
		dst = p.AppendRaw(p.BeginResult(dst, m.ID), m.Result)
	default:
		return nil
	}
	return p.End(dst, start)
}

func TestGoldenPackedWrite(t *testing.T) {
	t.Parallel()
	written := map[string]bool{}
	for _, l := range goldenPacked(t) {
		if l.mode != "both" {
			continue
		}
		written[l.want.Kind] = true
		t.Run(l.file+"/"+l.name, func(t *testing.T) {
			t.Parallel()
			want := append([]byte("before"), l.frame...)
			got, err := writePacked([]byte("before"), l.want)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("wrote % x, %v\nwant  % x", got, err, want)
			}
			if got := writePackedInSteps([]byte("before"), l.want); got != nil && !bytes.Equal(got, want) {
				t.Errorf("wrote in steps % x\n         want  % x", got, want)
			}
		})
	}
	for _, kind := range kindNames {
		if !written[kind] {
			t.Errorf("no golden line writes kind %s", kind)
		}
	}
}

// Whatever is cut off the end of a record is missed, but for what nobody looks at.
func TestPackedRecordsCutShort(t *testing.T) {
	t.Parallel()
	for _, l := range goldenPacked(t) {
		if l.mode != "both" {
			continue
		}
		rec, _, err := MessagePack.Next(l.frame, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rec {
			var m Message
			if err := MessagePack.Decode(slices.Clone(rec[:i]), &m); err == nil && m.ArgsErr == nil && !(m.Kind == StreamItem && m.Payload == nil) {
				t.Errorf("%s, %s: cut to % x, it is still a message", l.file, l.name, rec[:i])
			}
		}
	}
}
