// Package replay plays the client's side of recorded exchanges against a server and says where the server's answers differ
// from the recording. The format is described in testdata/README.md of the folder above.
//
// It shares no code with the server: its WebSocket frames, HTTP bodies, JSON and MessagePack values are read by readers of its own, so a
// fault of the server's cannot hide behind the same fault here.
package replay

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// maxLine bounds one line of a scenario file, in bytes; the longest recorded one has about 200 KiB.
const maxLine = 4 << 20

// Scenario is one recorded exchange.
type Scenario struct {
	Name      string          `json:"scenario"`
	About     string          `json:"about"`
	Hub       string          `json:"hub"`
	Encoding  string          `json:"encoding"`
	Server    json.RawMessage `json:"server"`
	May       string          `json:"may"`        // not empty: another server may differ, and why
	OwnServer bool            `json:"own_server"` // stops the server, so needs one of its own
	Reference string          `json:"reference"`

	Steps []Step `json:"-"` // step n of a report is Steps[n-1], line n+1 of the file
}

// Step is one line after the header, or one alternative inside AnyOf and AnyOrder.
type Step struct {
	At     string `json:"at"`
	Do     string `json:"do"`
	MS     int    `json:"ms"`     // wait
	Action string `json:"action"` // server

	HTTP     *HTTP              `json:"http"`
	WS       string             `json:"ws"`
	TCP      string             `json:"tcp"`
	SSE      string             `json:"sse"`
	Poll     string             `json:"poll"`
	Messages []string           `json:"messages"`
	Path     string             `json:"path"`
	Headers  map[string]*string `json:"headers"`
	Encoding string             `json:"encoding"`
	Resumed  bool               `json:"resumed"`
	Data     *string            `json:"data"`
	Hex      *string            `json:"hex"`
	MsgPack  json.RawMessage    `json:"msgpack"`
	Fin      *bool              `json:"fin"`
	Code     *int               `json:"code"`
	Reason   *string            `json:"reason"`

	EOF       bool   `json:"eof"`
	Silence   int    `json:"silence_ms"`
	AnyOf     []Step `json:"any_of"`
	AnyOrder  []Step `json:"any_order"`
	Within    int    `json:"within_ms"`
	After     int    `json:"after_ms"`
	Optional  bool   `json:"optional"`
	Handshake bool   `json:"handshake"`

	// For readers of the file alone.
	Means        json.RawMessage `json:"means"`
	ReferenceHas json.RawMessage `json:"reference"`

	line string // as recorded
}

// HTTP is a request or a response.
type HTTP struct {
	Method  string             `json:"method"`
	Path    string             `json:"path"`
	Headers map[string]*string `json:"headers"`
	Body    *string            `json:"body"`
	Hex     *string            `json:"hex"`
	Status  int                `json:"status"`
	Stream  bool               `json:"stream"`
}

// Parse reads a scenario file. A member that the format does not have, and a step that could not be played, are errors: a replayer that
// overlooks a part of an expectation passes what should fail.
func Parse(data []byte) (*Scenario, error) {
	sc := &Scenario{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if err := unmarshalStrict(lines.Bytes(), sc); err != nil {
				return nil, fmt.Errorf("line 1: %w", err)
			}
			if sc.Name == "" || sc.Encoding != "json" && sc.Encoding != "messagepack" {
				return nil, fmt.Errorf("line 1: a header needs a scenario name and the encoding json or messagepack, not %q and %q", sc.Name, sc.Encoding)
			}
			continue
		}
		var st Step
		if err := unmarshalStrict(lines.Bytes(), &st); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if err := st.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		st.line = lines.Text()
		sc.Steps = append(sc.Steps, st)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(sc.Steps) == 0 {
		return nil, errors.New("no steps")
	}
	return sc, nil
}

// Load reads all *.jsonl files of dir, ordered by name.
func Load(fsys fs.FS, dir string) ([]*Scenario, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	all := make([]*Scenario, 0, len(names))
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		sc, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if want := strings.TrimSuffix(path.Base(name), ".jsonl"); sc.Name != want {
			return nil, fmt.Errorf("%s: the scenario inside is called %q", name, sc.Name)
		}
		all = append(all, sc)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no *.jsonl files in %s", dir)
	}
	return all, nil
}

func unmarshalStrict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value in the line")
	}
	return nil
}

func (s *Step) check() error {
	switch s.Do {
	case "wait":
		if s.MS <= 0 {
			return errors.New("wait without ms")
		}
		return nil
	case "server":
		if s.Action != "shutdown" {
			return fmt.Errorf("unknown server action %q", s.Action)
		}
		return nil
	case "send":
		return s.checkSend()
	case "expect":
		if s.At == "" {
			return errors.New("expect without at")
		}
		return s.checkExpect()
	}
	return fmt.Errorf("unknown step %q", s.Do)
}

func (s *Step) checkSend() error {
	if s.At == "" {
		return errors.New("send without at")
	}
	switch {
	case s.HTTP != nil:
		if s.HTTP.Method == "" || s.HTTP.Path == "" {
			return errors.New("a request needs method and path")
		}
		if s.HTTP.Body != nil && s.HTTP.Hex != nil {
			return errors.New("both body and hex")
		}
		return checkHex(s.HTTP.Hex)
	case s.TCP == "raw":
		if s.Hex == nil {
			return errors.New("raw without hex")
		}
		return checkHex(s.Hex)
	case s.TCP == "fin", s.TCP == "reset":
		return nil
	case s.WS == "open":
		if s.Path == "" {
			return errors.New("open without path")
		}
		return nil
	case s.WS == "close":
		return nil
	}
	if _, ok := opcodes[s.WS]; !ok {
		return fmt.Errorf("a send of no known kind (ws %q, tcp %q)", s.WS, s.TCP)
	}
	return s.checkPayload()
}

func (s *Step) checkExpect() error {
	switch {
	case len(s.AnyOf) > 0, len(s.AnyOrder) > 0:
		for _, list := range [][]Step{s.AnyOf, s.AnyOrder} {
			for i := range list {
				if err := list[i].checkExpect(); err != nil {
					return err
				}
			}
		}
		return nil
	case s.HTTP != nil:
		if s.HTTP.Status == 0 {
			return errors.New("a response needs a status")
		}
		if s.HTTP.Body == nil && s.HTTP.Hex == nil && !s.HTTP.Stream {
			return errors.New("a response needs a body, hex or stream")
		}
		return checkHex(s.HTTP.Hex)
	case s.EOF, s.Silence > 0, s.SSE == "end", s.WS == "open":
		return nil
	case s.SSE == "message", s.SSE == "raw":
		if s.Data == nil {
			return errors.New("an event without data")
		}
		return nil
	case s.Poll != "":
		if len(s.Messages) == 0 {
			return errors.New("a poll without messages")
		}
		return nil
	case s.WS == "close":
		if s.Code == nil {
			return errors.New("close without code")
		}
		return nil
	case s.WS == "ping", s.WS == "pong":
		return checkHex(s.Hex)
	case s.WS == "text", s.WS == "binary":
		return s.checkPayload()
	}
	return fmt.Errorf("an expect of no known kind (ws %q, sse %q)", s.WS, s.SSE)
}

func (s *Step) checkPayload() error {
	n := 0
	if s.Data != nil {
		n++
	}
	if s.Hex != nil {
		n++
	}
	if s.MsgPack != nil {
		n++
	}
	if n != 1 {
		return fmt.Errorf("%s needs one of data, hex and msgpack", s.WS)
	}
	return checkHex(s.Hex)
}

func checkHex(h *string) error {
	if h == nil {
		return nil
	}
	_, err := hex.DecodeString(*h)
	return err
}
