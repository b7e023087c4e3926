package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// The fake server thinks in JSON. To a client of MessagePack it translates at the door, by a library that the client under test does not use.

// unpackRecords is the records of a client's message, in JSON.
func unpackRecords(p []byte) (records []string) {
	for len(p) > 0 {
		n, k := binary.Uvarint(p)
		if k <= 0 || n > uint64(len(p)-k) {
			panic(fmt.Sprintf("the client sent % x, which ends inside a record", p))
		}
		var a []any
		if err := msgpack.Unmarshal(p[k:k+int(n)], &a); err != nil || len(a) == 0 {
			panic(fmt.Sprintf("the client sent % x: %v", p, err))
		}
		p = p[k+int(n):]
		m := map[string]any{"type": a[0]}
		if fmt.Sprint(a[0]) == "1" {
			if len(a) != 6 || len(a[5].([]any)) > 0 {
				panic(fmt.Sprintf("the client sent the invocation %v", a))
			}
			m["target"], m["arguments"] = a[3], a[4]
			if a[2] != nil {
				m["invocationId"] = a[2]
			}
		}
		b, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		records = append(records, string(b))
	}
	return records
}

// packRecord is a record of the server as MessagePack. pretty: lengths in longer forms than needed, and headers.
func packRecord(record string, pretty bool) []byte {
	var m struct {
		Type         int             `json:"type"`
		InvocationID string          `json:"invocationId"`
		Target       string          `json:"target"`
		Arguments    []any           `json:"arguments"`
		Result       json.RawMessage `json:"result"`
		Error        *string         `json:"error"`
		Retry        bool            `json:"allowReconnect"`
	}
	if err := json.Unmarshal([]byte(record), &m); err != nil {
		panic(err)
	}
	headers := map[string]string{}
	if pretty {
		headers["a"] = "b"
	}
	var a []any
	switch m.Type {
	case 1:
		a = []any{1, headers, nil, m.Target, m.Arguments, []any{}}
	case 3:
		a = []any{3, headers, m.InvocationID, 2}
		var result any
		if m.Error != nil {
			a = []any{3, headers, m.InvocationID, 1, *m.Error}
		} else if m.Result != nil {
			if err := json.Unmarshal(m.Result, &result); err != nil {
				panic(err)
			}
			a = []any{3, headers, m.InvocationID, 3, result}
		}
	case 6:
		a = []any{6}
	case 7:
		a = []any{7, m.Error, m.Retry}
	}
	b, err := msgpack.Marshal(a)
	if err != nil {
		panic(err)
	}
	if pretty {
		b = append([]byte{0xdc, 0, b[0] & 15}, b[1:]...)
	}
	return append(binary.AppendUvarint(nil, uint64(len(b))), b...)
}
