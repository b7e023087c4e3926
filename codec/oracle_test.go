package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// oracle reads a record by the rules of the wire contract, section 10, slowly, on top of encoding/json. ok is false when the record is no JSON object: then there is
// no telling which fault comes first.
func oracle(rec []byte) (m meaning, ok bool) {
	if !json.Valid(rec) || !utf8.Valid(rec) || depthOf(rec) > maxDepth || bytes.TrimSpace(rec)[0] != '{' {
		return meaning{}, false
	}
	m, err := oracleObject(rec)
	if err != nil {
		e := fault(err)
		return meaning{Refuse: e.Name, Text: e.Text}, true
	}
	return m, true
}

func oracleObject(rec []byte) (m meaning, err error) {
	d := json.NewDecoder(bytes.NewReader(rec))
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	seen := map[string]bool{}
	kind := int64(0)
	var early, late []json.RawMessage
	hasEarly := false
	for d.More() {
		start := int(d.InputOffset())
		name, err := d.Token()
		if err != nil {
			panic(err)
		}
		lone := !isText(rec[start:d.InputOffset()])
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			panic(err)
		}
		if lone {
			continue // encoding/json repairs such names
		}
		text := func() (s string, err error) {
			if v[0] != '"' {
				return "", Malformed("Expected '%s' to be of type String.", name)
			}
			if !isText(v) {
				return "", &Error{"InvalidOperationException", fmt.Sprintf("'%s' holds half of a surrogate pair.", name)}
			}
			return s, json.Unmarshal(v, &s)
		}
		integer := func(bits int) (int64, error) {
			if c := v[0]; c != '-' && (c < '0' || c > '9') {
				return 0, Malformed("Expected '%s' to be of type Number.", name)
			}
			n, err := strconv.ParseInt(string(v), 10, bits)
			if err != nil {
				return 0, &Error{"FormatException", fmt.Sprintf("Expected '%s' to be an integer of %d bits.", name, bits)}
			}
			return n, nil
		}
		switch name {
		case "type":
			kind, err = integer(32)
		case "invocationId":
			m.ID, err = text()
		case "target":
			m.Target, err = text()
		case "error":
			var s string
			s, err = text()
			m.Error = &s
		case "sequenceId":
			m.SequenceID, err = integer(64)
		case "allowReconnect":
			if string(v) != "true" && string(v) != "false" {
				err = Malformed("Expected 'allowReconnect' to be true or false.")
			}
			m.AllowReconnect = string(v) == "true"
		case "item":
			m.Item = v
		case "result":
			m.Result = v
		case "arguments":
			if v[0] != '[' {
				return m, Malformed("Expected 'arguments' to be of type Array.")
			}
			var list []json.RawMessage
			if err := json.Unmarshal(v, &list); err != nil {
				panic(err)
			}
			if late = list; m.Target == "" {
				early, hasEarly = list, true
			}
		case "headers":
			m.Headers = v
			err = oracleHeaders(v)
		case "streamIds":
			m.StreamIDs, err = oracleStreamIDs(v)
		}
		if err != nil {
			return m, err
		}
		seen[name.(string)] = true
	}
	if m.Arguments = late; hasEarly {
		m.Arguments = early
	}
	need := func(properties ...string) error {
		for _, p := range properties {
			nonEmpty := strings.TrimSuffix(p, "!")
			if !seen[nonEmpty] || nonEmpty != p && m.ID == "" {
				return Malformed("Missing required property '%s'.", nonEmpty)
			}
		}
		return nil
	}
	if err := need("type"); err != nil {
		return m, err
	}
	if m.Kind = "unknown"; kind > 0 && kind <= 9 {
		m.Kind = kindNames[Kind(kind)]
	}
	switch m.Kind {
	case "Invocation":
		err = need("target", "arguments")
	case "StreamItem":
		err = need("invocationId", "item")
	case "Completion":
		if err = need("invocationId"); err == nil && seen["error"] && seen["result"] {
			err = Malformed("The 'error' and 'result' properties are mutually exclusive.")
		}
	case "StreamInvocation":
		err = need("target", "invocationId!", "arguments")
	case "CancelInvocation":
		err = need("invocationId!")
	case "Ack", "Sequence":
		err = need("sequenceId")
	case "unknown":
		m = meaning{Kind: "unknown"}
	}
	return m, err
}

func oracleHeaders(v json.RawMessage) error {
	if v[0] != '{' {
		return Malformed("Expected 'headers' to be of type StartObject.")
	}
	d := json.NewDecoder(bytes.NewReader(v))
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			panic(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		if value[0] != '"' {
			return Malformed("Expected header '%s' to be of type String.", name)
		}
		if !isText(value) {
			return &Error{"InvalidOperationException", "'headers' holds half of a surrogate pair."}
		}
	}
	return nil
}

func oracleStreamIDs(v json.RawMessage) (ids []string, err error) {
	if v[0] != '[' {
		return nil, Malformed("Expected 'streamIds' to be of type Array.")
	}
	var list []json.RawMessage
	if err := json.Unmarshal(v, &list); err != nil {
		panic(err)
	}
	for _, v := range list {
		var id string
		switch {
		case string(v) == "null":
			return nil, Malformed("Null value for 'streamIds' is not valid.")
		case v[0] != '"':
			return nil, Malformed("Expected 'streamIds' to be of type String.")
		case !isText(v):
			return nil, &Error{"InvalidOperationException", "'streamIds' holds half of a surrogate pair."}
		case len(ids) == MaxStreamIDs:
			return nil, Malformed("There are more than %d 'streamIds'.", MaxStreamIDs)
		}
		if err := json.Unmarshal(v, &id); err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// checkDecode compares Decode with the oracle.
func checkDecode(t *testing.T, rec []byte) {
	t.Helper()
	var m Message
	err := JSON.Decode(rec, &m)
	want, ok := oracle(rec)
	if !ok {
		if err == nil {
			t.Errorf("Decode took %q, which is no JSON object", rec)
		}
		return
	}
	got := meaningOf(&m, err)
	// The oracle keeps what does not belong to the kind, as Message does; but payloads are those of the kind.
	if want.Kind != "StreamItem" {
		want.Item = nil
	}
	if want.Kind != "Completion" {
		want.Result, got.Result = nil, nil
	}
	// Names of headers in error texts: encoding/json repairs them, and ours are cut.
	if strings.HasPrefix(want.Text, "Expected header '") && strings.HasPrefix(got.Text, "Expected header '") {
		want.Text, got.Text = "", ""
	}
	if !got.same(want) {
		t.Errorf("Decode(%q)\n got %v\nwant %v", rec, got, want)
	}
}

func TestDecodeAgainstOracle(t *testing.T) {
	t.Parallel()
	for _, l := range goldenMessages(t) {
		checkDecode(t, l.rec)
	}
	// All kinds with all properties, absent, right, empty and wrong, in two orders.
	values := map[string][]string{
		"invocationId": {"", `"7"`, `""`, `null`}, "target": {"", `"T"`, `""`}, "arguments": {"", `[1]`, `{}`}, "item": {"", `null`}, "result": {"", `[2]`},
		"error": {"", `"e"`}, "sequenceId": {"", `5`, `5.5`},
	}
	names := []string{"invocationId", "target", "arguments", "item", "result", "error", "sequenceId"}
	for kind := range 11 {
		for choice := range 4 * 3 * 3 * 2 * 2 * 2 * 3 {
			var properties []string
			for _, name := range names {
				v := values[name][choice%len(values[name])]
				if choice /= len(values[name]); v != "" {
					properties = append(properties, fmt.Sprintf("%q:%s", name, v))
				}
			}
			head := fmt.Sprintf(`{"type":%d`, kind)
			checkDecode(t, []byte(strings.Join(append([]string{head}, properties...), ",")+"}"))
			for i, j := 0, len(properties)-1; i < j; i, j = i+1, j-1 {
				properties[i], properties[j] = properties[j], properties[i]
			}
			checkDecode(t, []byte("{"+strings.Join(append(properties, head[1:]), ",")+"}"))
		}
	}
}

func TestParseInt(t *testing.T) {
	t.Parallel()
	texts := []string{"", "-", "0", "-0", "00", "01", "-01", "1", "-1", "1.0", "1e2", "+1", " 1", "1 ", "a", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "-32768", "-32769", "65535", "65536",
		"2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"18446744073709551615", "18446744073709551616", "99999999999999999999999999"}
	for _, s := range texts {
		// strconv takes leading zeros and a plus, which JSON has not.
		valid := json.Valid([]byte(s)) && strings.TrimSpace(s) == s
		for _, bits := range []int{8, 16, 32, 64} {
			want, err := strconv.ParseInt(s, 10, bits)
			if n, ok := parseInt([]byte(s), bits); ok != (valid && err == nil) || ok && n != want {
				t.Errorf("parseInt(%q, %d) = %d, %t; want %d, %v", s, bits, n, ok, want, err)
			}
			wantU, err := strconv.ParseUint(s, 10, bits)
			if n, ok := parseUint([]byte(s), bits); ok != (valid && err == nil) || ok && n != wantU {
				t.Errorf("parseUint(%q, %d) = %d, %t; want %d, %v", s, bits, n, ok, wantU, err)
			}
		}
	}
	if n, ok := parseInt([]byte("-9223372036854775808"), 64); !ok || n != math.MinInt64 {
		t.Errorf("the least integer: %d, %t", n, ok)
	}
}
