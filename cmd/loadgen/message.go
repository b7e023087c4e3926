package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// recordEnd ends every hub record in JSON (wire contract, section 10).
const recordEnd = 0x1e

// The kinds of hub records (wire contract, section 10).
const (
	kindInvocation = 1
	kindCompletion = 3
	kindPing       = 6
	kindClose      = 7
)

var (
	handshakeRecord = []byte(`{"protocol":"json","version":1}` + "\x1e")
	pingRecord      = []byte(`{"type":6}` + "\x1e")
	closeRecord     = []byte(`{"type":7}` + "\x1e")
)

// call is a prepared invocation of a hub method.
type call struct {
	head []byte // before the id
	mid  []byte // between the id and the text argument
	bare []byte // head and mid without an id; JSON only

	packed bool
	size   int // bytes of the text argument; MessagePack only
}

var callEnd = []byte("\"]}\x1e")

// newCall prepares a call of method with the text arguments before, and one more that appendTo gives.
func newCall(method string, before ...string) call {
	m, _ := json.Marshal(method) // a string always encodes
	tail := append([]byte(`"target":`), m...)
	tail = append(tail, `,"arguments":[`...)
	for _, a := range before {
		b, _ := json.Marshal(a)
		tail = append(append(tail, b...), ',')
	}
	tail = append(tail, '"')
	return call{
		head: []byte(`{"type":1,"invocationId":"`),
		mid:  append([]byte(`",`), tail...),
		bare: append([]byte(`{"type":1,`), tail...),
	}
}

// begin appends the call up to the text argument; a negative id asks for no completion.
func (c *call) begin(dst []byte, id int64) []byte {
	if c.packed {
		return c.beginPacked(dst, id)
	}
	if id < 0 {
		return append(dst, c.bare...)
	}
	dst = append(dst, c.head...)
	dst = strconv.AppendInt(dst, id, 10)
	return append(dst, c.mid...)
}

// end appends what comes behind the text argument.
func (c *call) end(dst []byte) []byte {
	if c.packed {
		return append(dst, 0x90) // no streams
	}
	return append(dst, callEnd...)
}

// protocol is what a worker says and reads in its hub protocol.
type protocol struct {
	handshake, ping, bye []byte
	op                   opcode // of messages after the handshake
}

// The names of the hub protocols.
const (
	jsonName    = "json"
	messagePack = "messagepack"
)

func newProtocol(name string) protocol {
	if name == messagePack {
		return protocol{packedHandshake, packedPing, packedClose, opBinary}
	}
	return protocol{handshakeRecord, pingRecord, closeRecord, opText}
}

// newCall prepares a call whose last argument has size bytes.
func (p *protocol) newCall(method string, size int, before ...string) call {
	if p.op == opBinary {
		return newPackedCall(method, size, before...)
	}
	return newCall(method, before...)
}

// cut takes the first record of a message off.
func (p *protocol) cut(message []byte) (rec, rest []byte, err error) {
	if p.op == opBinary {
		return cutPacked(message)
	}
	return cutText(message)
}

// cutText takes off what ends with 0x1E: a record in JSON, or the handshake's answer.
func cutText(message []byte) (rec, rest []byte, err error) {
	rec, rest, ok := bytes.Cut(message, []byte{recordEnd})
	if !ok {
		return nil, nil, errors.New("a message of the server ends inside a record: " + excerpt(message))
	}
	return rec, rest, nil
}

// read reads a record.
func (p *protocol) read(r *reader, rec []byte) (record, error) {
	if p.op == opBinary {
		return readPacked(rec)
	}
	return r.read(rec)
}

// record is a hub record of the server.
type record struct {
	kind   int
	id     int64  // of a completion; -1: not a number of ours
	target []byte // of an invocation
	text   []byte // the first argument or the result, when it is a string; nil otherwise
	failed bool   // a completion or close with an error
	reason string // its text
	retry  bool   // a close that allows to reconnect
}

// reader reads records; it knows the text of the usual ones and has encoding/json read the others.
type reader struct {
	delivery []byte // what a delivery begins with
	target   []byte
}

func newReader(clientMethod string) reader {
	m, _ := json.Marshal(clientMethod)
	return reader{delivery: fmt.Appendf(nil, `{"type":1,"target":%s,"arguments":["`, m), target: []byte(clientMethod)}
}

var (
	completionHead   = []byte(`{"type":3,"invocationId":"`)
	completionResult = []byte(`","result":"`)
	deliveryEnd      = []byte(`"]}`)
	resultEnd        = []byte(`"}`)
	pingText         = []byte(`{"type":6}`)
)

// read reads one record without its 0x1e. What it returns points into p.
func (r *reader) read(p []byte) (record, error) {
	if text, ok := bytes.CutPrefix(p, r.delivery); ok {
		if text, ok = bytes.CutSuffix(text, deliveryEnd); ok && plain(text) {
			return record{kind: kindInvocation, target: r.target, text: text}, nil
		}
	}
	if rest, ok := bytes.CutPrefix(p, completionHead); ok {
		if id, n := leadingInt(rest); n > 0 {
			if text, ok := bytes.CutPrefix(rest[n:], completionResult); ok {
				if text, ok = bytes.CutSuffix(text, resultEnd); ok && plain(text) {
					return record{kind: kindCompletion, id: id, text: text}, nil
				}
			}
		}
	}
	if bytes.Equal(p, pingText) {
		return record{kind: kindPing}, nil
	}
	return readAny(p)
}

// plain says that text is the whole inside of a JSON string: no quote and no escape.
func plain(text []byte) bool {
	return bytes.IndexByte(text, '"') < 0 && bytes.IndexByte(text, '\\') < 0
}

func leadingInt(p []byte) (v int64, n int) {
	for n < len(p) && n < 18 && p[n]-'0' <= 9 {
		v = v*10 + int64(p[n]-'0')
		n++
	}
	return v, n
}

func readAny(p []byte) (record, error) {
	var m struct {
		Type           int               `json:"type"`
		InvocationID   *string           `json:"invocationId"`
		Target         string            `json:"target"`
		Arguments      []json.RawMessage `json:"arguments"`
		Result         json.RawMessage   `json:"result"`
		Error          *string           `json:"error"`
		AllowReconnect bool              `json:"allowReconnect"`
	}
	if err := json.Unmarshal(p, &m); err != nil {
		return record{}, fmt.Errorf("a record of the server is no JSON object that the protocol knows: %w: %s", err, excerpt(p))
	}
	r := record{kind: m.Type, id: -1, target: []byte(m.Target), retry: m.AllowReconnect}
	if m.InvocationID != nil {
		if id, err := strconv.ParseInt(*m.InvocationID, 10, 64); err == nil {
			r.id = id
		}
	}
	if m.Error != nil {
		r.failed, r.reason = true, *m.Error
	}
	if len(m.Arguments) > 0 {
		r.text = textOf(m.Arguments[0])
	} else {
		r.text = textOf(m.Result)
	}
	return r, nil
}

// textOf is the text of a JSON string; nil for another value.
func textOf(raw json.RawMessage) []byte {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return []byte(s)
}

// readHandshake reads the answer to the handshake (wire contract, section 9).
func readHandshake(p []byte) error {
	var m struct {
		Error *string `json:"error"`
	}
	if err := json.Unmarshal(p, &m); err != nil {
		return fmt.Errorf("the answer to the handshake is no JSON object: %w: %s", err, excerpt(p))
	}
	if m.Error != nil {
		return fmt.Errorf("%s", *m.Error)
	}
	return nil
}

// excerpt quotes the beginning of what a server has said.
func excerpt(p []byte) string {
	const most = 80
	if len(p) > most {
		return strconv.Quote(string(p[:most])) + "…"
	}
	return strconv.Quote(string(p))
}
