package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goldenLine is one line of testdata/json (see its README).
type goldenLine struct {
	file, mode, name string
	rec              []byte
	meaning          string
}

// messageFiles are the golden files that hold hub messages.
var messageFiles = []string{"invocation", "stream_invocation", "stream_item", "completion", "cancel", "ping", "close", "ack", "sequence", "envelope"}

func readGolden(t testing.TB, file string) []goldenLine {
	t.Helper()
	all, err := os.ReadFile(filepath.Join("testdata", "json", file+".golden"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []goldenLine
	for line := range strings.Lines(string(all)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != 4 {
			t.Fatalf("%s.golden: %d columns, want 4: %.80q", file, len(columns), line)
		}
		rec := []byte(columns[2])
		if digits, ok := strings.CutPrefix(columns[2], "hex:"); ok {
			if rec, err = hex.DecodeString(digits); err != nil {
				t.Fatalf("%s.golden, %s: %v", file, columns[1], err)
			}
		}
		lines = append(lines, goldenLine{file, columns[0], columns[1], rec, columns[3]})
	}
	if len(lines) == 0 {
		t.Fatalf("%s.golden is empty", file)
	}
	return lines
}

func goldenMessages(t testing.TB) (lines []goldenLine) {
	for _, file := range messageFiles {
		lines = append(lines, readGolden(t, file)...)
	}
	return lines
}

// meaning is the last column of a message's line. A refusal has Refuse and Text alone.
type meaning struct {
	Kind           string            `json:"kind"`
	ID             string            `json:"id"`
	Target         string            `json:"target"`
	Arguments      []json.RawMessage `json:"arguments"`
	StreamIDs      []string          `json:"streamIds"`
	Headers        json.RawMessage   `json:"headers"`
	Item           json.RawMessage   `json:"item"`
	Result         json.RawMessage   `json:"result"`
	Error          *string           `json:"error"`
	AllowReconnect bool              `json:"allowReconnect"`
	SequenceID     int64             `json:"sequenceId"`
	Refuse         string            `json:"refuse"`
	Text           string            `json:"text"`
}

func (l goldenLine) read(t testing.TB) (m meaning) {
	t.Helper()
	if err := unmarshalVerbatim(l.meaning, &m); err != nil {
		t.Fatalf("%s.golden, %s: %v", l.file, l.name, err)
	}
	return m
}

// unmarshalVerbatim keeps the bytes of null in raw members, which encoding/json takes for absent.
func unmarshalVerbatim(text string, m *meaning) error {
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return err
	}
	m.Item, m.Result, m.Headers = members["item"], members["result"], members["headers"]
	return nil
}

var kindNames = map[Kind]string{
	Invocation: "Invocation", StreamItem: "StreamItem", Completion: "Completion", StreamInvocation: "StreamInvocation",
	CancelInvocation: "CancelInvocation", Ping: "Ping", Close: "Close", Ack: "Ack", Sequence: "Sequence",
}

// fault is the *Error in err; an empty one when there is none.
func fault(err error) Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return *e
	}
	return Error{}
}

// meaningOf is what a reader got out of a record.
func meaningOf(m *Message, err error) meaning {
	if err != nil {
		e := fault(err)
		return meaning{Refuse: e.Name, Text: e.Text}
	}
	got := meaning{Kind: kindNames[m.Kind], ID: string(m.ID), Target: string(m.Target), Headers: m.Headers, AllowReconnect: m.AllowReconnect, SequenceID: m.SequenceID}
	if got.Kind == "" {
		return meaning{Kind: "unknown"}
	}
	for value, rest, ok := JSON.NextValue(m.Args); ok; value, rest, ok = JSON.NextValue(rest) {
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

func (m meaning) String() string {
	b, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// same compares byte for byte: raw values must not have been touched.
func (m meaning) same(o meaning) bool {
	raws := func(m meaning) [][]byte {
		all := [][]byte{m.Headers, m.Item, m.Result}
		for _, a := range m.Arguments {
			all = append(all, a)
		}
		return all
	}
	if !slices.EqualFunc(raws(m), raws(o), bytes.Equal) || (m.Error == nil) != (o.Error == nil) || m.Error != nil && *m.Error != *o.Error {
		return false
	}
	return m.Kind == o.Kind && m.ID == o.ID && m.Target == o.Target && slices.Equal(m.StreamIDs, o.StreamIDs) && m.AllowReconnect == o.AllowReconnect &&
		m.SequenceID == o.SequenceID && m.Refuse == o.Refuse && m.Text == o.Text
}

func TestGoldenRead(t *testing.T) {
	t.Parallel()
	for _, l := range goldenMessages(t) {
		t.Run(l.file+"/"+l.name, func(t *testing.T) {
			t.Parallel()
			var m Message
			got := meaningOf(&m, JSON.Decode(l.rec, &m))
			if want := l.read(t); !got.same(want) {
				t.Errorf("Decode(%q)\n got %v\nwant %v", l.rec, got, want)
			}
			if m.ArgsErr != nil {
				t.Errorf("ArgsErr = %v; JSON leaves arguments to Bind", m.ArgsErr)
			}
			if n := len(got.Arguments); got.Refuse == "" && n != m.NArgs {
				t.Errorf("NArgs = %d, but there are %d", m.NArgs, n)
			}
		})
	}
}

// One Message for all records: nothing of one may show in the next.
func TestGoldenReadWithReusedMessage(t *testing.T) {
	t.Parallel()
	var m Message
	for _, l := range goldenMessages(t) {
		if got, want := meaningOf(&m, JSON.Decode(l.rec, &m)), l.read(t); !got.same(want) {
			t.Errorf("%s, %s\n got %v\nwant %v", l.file, l.name, got, want)
		}
	}
}

// write encodes a meaning.
func write(dst []byte, m meaning) ([]byte, error) {
	args := make([]any, len(m.Arguments))
	for i, a := range m.Arguments {
		args[i] = a
	}
	switch m.Kind {
	case "Invocation":
		return JSON.AppendInvocation(dst, m.ID, m.Target, args)
	case "StreamInvocation":
		return JSON.AppendStreamInvocation(dst, m.ID, m.Target, args, m.StreamIDs)
	case "StreamItem":
		return JSON.AppendStreamItem(dst, m.ID, m.Item)
	case "Completion":
		switch {
		case m.Error != nil:
			return JSON.AppendError(dst, m.ID, *m.Error), nil
		case m.Result != nil:
			return JSON.AppendResult(dst, m.ID, m.Result)
		}
		return JSON.AppendCompletion(dst, m.ID), nil
	case "CancelInvocation":
		return JSON.AppendCancel(dst, m.ID), nil
	case "Ping":
		return JSON.AppendPing(dst), nil
	case "Close":
		text := ""
		if m.Error != nil {
			text = *m.Error
		}
		return JSON.AppendClose(dst, text, m.AllowReconnect), nil
	case "Ack":
		return JSON.AppendAck(dst, m.SequenceID), nil
	case "Sequence":
		return JSON.AppendSequence(dst, m.SequenceID), nil
	}
	return dst, Malformed("no such kind: %q", m.Kind)
}

// writeInSteps encodes a meaning with Begin, values and End, where there are such.
func writeInSteps(dst []byte, m meaning) []byte {
	start := len(dst)
	switch {
	case m.Kind == "Invocation":
		dst = JSON.BeginInvocation(dst, m.ID, m.Target, len(m.Arguments))
		for i, a := range m.Arguments {
			if i > 0 {
				dst = JSON.Sep(dst)
			}
			dst = JSON.AppendRaw(dst, a)
		}
		dst = JSON.EndArgs(dst)
	case m.Kind == "StreamItem":
		dst = JSON.AppendRaw(JSON.BeginStreamItem(dst, m.ID), m.Item)
	case m.Kind == "Completion" && m.Result != nil:
		dst = JSON.AppendRaw(JSON.BeginResult(dst, m.ID), m.Result)
	default:
		return nil
	}
	return JSON.End(dst, start)
}

func TestGoldenWrite(t *testing.T) {
	t.Parallel()
	written := map[string]bool{}
	for _, l := range goldenMessages(t) {
		if l.mode != "both" {
			continue
		}
		m := l.read(t)
		written[m.Kind] = true
		t.Run(l.file+"/"+l.name, func(t *testing.T) {
			t.Parallel()
			want := "before" + string(l.rec) + "\x1e"
			got, err := write([]byte("before"), m)
			if err != nil || string(got) != want {
				t.Errorf("wrote %q, %v\nwant  %q", got, err, want)
			}
			if got := writeInSteps([]byte("before"), m); got != nil && string(got) != want {
				t.Errorf("wrote in steps %q\n         want  %q", got, want)
			}
		})
	}
	for _, kind := range kindNames {
		if !written[kind] {
			t.Errorf("no golden line writes kind %s", kind)
		}
	}
}

func TestGoldenStrings(t *testing.T) {
	t.Parallel()
	for _, l := range readGolden(t, "string") {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			var want struct{ Text string }
			if err := json.Unmarshal([]byte(l.meaning), &want); err != nil {
				t.Fatal(err)
			}
			var got string
			err := JSON.Bind(l.rec, &got)
			if refuse := l.mode == "refuse"; (err != nil) != refuse || !refuse && got != want.Text {
				t.Errorf("Bind(%s) = %q, %v; want %q, refused: %t", l.rec, got, err, want.Text, refuse)
			}
			if l.mode != "both" {
				return
			}
			if got := JSON.AppendString(nil, want.Text); !bytes.Equal(got, l.rec) {
				t.Errorf("AppendString(%q) = %s, want %s", want.Text, got, l.rec)
			}
			// The way through encoding/json must escape alike.
			type named string
			if got, err := JSON.AppendValue(nil, named(want.Text)); err != nil || !bytes.Equal(got, l.rec) {
				t.Errorf("AppendValue(named %q) = %s, %v; want %s", want.Text, got, err, l.rec)
			}
		})
	}
}

func TestGoldenHandshake(t *testing.T) {
	t.Parallel()
	for _, l := range readGolden(t, "handshake_request") {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			var want struct {
				Protocol, Refuse, Text string
				Version                int
			}
			if err := json.Unmarshal([]byte(l.meaning), &want); err != nil {
				t.Fatal(err)
			}
			src := append(slices.Clone(l.rec), separator)
			h, n, err := ReadHandshake(append(src, "{\"type\":6}\x1e"...), 0)
			if l.mode == "refuse" {
				if fault(err) != (Error{want.Refuse, want.Text}) || n != 0 {
					t.Errorf("ReadHandshake(%q): %d, %#v; want %s: %s", src, n, err, want.Refuse, want.Text)
				}
				return
			}
			if err != nil || n != len(src) || h.Protocol != want.Protocol || h.Version != want.Version {
				t.Errorf("ReadHandshake(%q) = %+v, %d, %v; want %s, %d", src, h, n, err, want.Protocol, want.Version)
			}
		})
	}
	for _, l := range readGolden(t, "handshake_response") {
		t.Run("response/"+l.name, func(t *testing.T) {
			t.Parallel()
			var m struct{ Error string }
			if err := json.Unmarshal([]byte(l.meaning), &m); err != nil {
				t.Fatal(err)
			}
			if got, want := AppendHandshakeResponse([]byte("x"), m.Error), "x"+string(l.rec)+"\x1e"; string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
