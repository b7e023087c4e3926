package replay

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// matcher compares events with expects.
type matcher struct {
	vars  vars
	bytes bool // byte for byte instead of by value
}

// match compares ev with one plain expect; "" when it is that. Placeholders stay captured only then.
func (m *matcher) match(st *Step, ev *event) (diff string) {
	before := maps.Clone(m.vars)
	defer func() {
		if diff != "" {
			m.vars = before
		}
	}()
	switch {
	case st.HTTP != nil:
		if ev.kind != "response" {
			return "not a response"
		}
		return m.response(st.HTTP, ev.resp)
	case st.WS == "open":
		if ev.kind != "response" {
			return "not a response"
		}
		return m.upgrade(st, ev.resp)
	case st.EOF:
		if ev.kind != "eof" {
			return "TCP did not end"
		}
	case st.SSE == "message":
		if ev.kind != "message" {
			return "not a message"
		}
		return m.jsonMessage(*st.Data, ev.text)
	case st.SSE == "end":
		if ev.kind != "end" {
			return "the response did not end"
		}
	case st.WS == "close":
		return m.close(st, ev)
	case st.WS == "ping", st.WS == "pong":
		if ev.kind != st.WS {
			return "not a " + st.WS
		}
		if st.Hex != nil && *st.Hex != hex.EncodeToString([]byte(ev.text)) {
			return "another payload"
		}
	default:
		if ev.kind != st.WS {
			return "not a " + st.WS + " message"
		}
		return m.payload(st, ev.text)
	}
	return ""
}

func (m *matcher) close(st *Step, ev *event) string {
	if ev.kind != "close" {
		return "not a close frame"
	}
	if ev.code != *st.Code {
		return fmt.Sprintf("code %d instead of %d", ev.code, *st.Code)
	}
	if st.Reason != nil && !m.vars.match(*st.Reason, ev.text) {
		return "another reason"
	}
	return ""
}

// payload compares one hub message.
func (m *matcher) payload(st *Step, got string) string {
	switch {
	case st.Data != nil:
		return m.jsonMessage(*st.Data, got)
	case st.Hex != nil:
		want, err := hex.DecodeString(*st.Hex)
		if err != nil {
			return err.Error()
		}
		return m.record(string(want), got)
	}
	want, err := packNotation(st.MsgPack)
	if err != nil {
		return err.Error()
	}
	v, err := parseRecord(got)
	if err != nil {
		return err.Error()
	}
	return m.vars.equalPack("", &want, &v)
}

// jsonMessage compares two JSON hub messages, separators included.
func (m *matcher) jsonMessage(want, got string) string {
	if m.bytes {
		if !m.vars.match(want, got) {
			return "other bytes"
		}
		return ""
	}
	wantText, isMessage := strings.CutSuffix(want, "\x1e")
	gotText, ended := strings.CutSuffix(got, "\x1e")
	if isMessage != ended {
		return "the separator 0x1e is on one side only"
	}
	return m.json(wantText, gotText)
}

func (m *matcher) json(want, got string) string {
	w, err := parseJSON(want)
	if err != nil {
		return "the expected value is " + err.Error()
	}
	g, err := parseJSON(got)
	if err != nil {
		return err.Error()
	}
	return m.vars.equalJSON("", &w, &g)
}

// record compares two MessagePack records, length prefixes included.
func (m *matcher) record(want, got string) string {
	if m.bytes {
		if want != got {
			return "other bytes"
		}
		return ""
	}
	w, err := parseRecord(want)
	if err != nil {
		return "the expected record: " + err.Error()
	}
	g, err := parseRecord(got)
	if err != nil {
		return err.Error()
	}
	return m.vars.equalPack("", &w, &g)
}

// upgrade compares a 101.
func (m *matcher) upgrade(st *Step, r *response) string {
	if r.status != http.StatusSwitchingProtocols {
		return fmt.Sprintf("status %d instead of 101", r.status)
	}
	if !strings.EqualFold(r.header.Get("Upgrade"), "websocket") || !strings.EqualFold(r.header.Get("Connection"), "upgrade") {
		return "a 101 without Upgrade: websocket and Connection: Upgrade"
	}
	return m.headers(st.Headers, r.header)
}

func (m *matcher) response(want *HTTP, got *response) string {
	if want.Status != got.status {
		return fmt.Sprintf("status %d instead of %d", got.status, want.Status)
	}
	if d := m.headers(want.Headers, got.header); d != "" {
		return d
	}
	if want.Stream != strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream") {
		return "an event stream on one side only"
	}
	switch {
	case want.Stream:
		return ""
	case want.Hex != nil:
		if *want.Hex != hex.EncodeToString([]byte(got.body)) {
			return "another body"
		}
		return ""
	}
	return m.body(*want.Body, got)
}

func (m *matcher) body(want string, got *response) string {
	switch {
	case m.bytes:
	case strings.HasSuffix(want, "\x1e"):
		return m.messages(strings.SplitAfter(want, "\x1e"), got.body)
	case strings.HasPrefix(got.header.Get("Content-Type"), "application/json"):
		return m.json(want, got.body)
	}
	if !m.vars.match(want, got.body) {
		return fmt.Sprintf("body %q instead of %q", clip(got.body), clip(want))
	}
	return ""
}

// messages compares a body that holds JSON hub messages; wants has an empty string at its end, as got has.
func (m *matcher) messages(wants []string, body string) string {
	got := strings.SplitAfter(body, "\x1e")
	if len(got) != len(wants) {
		return fmt.Sprintf("%d hub messages instead of %d", len(got)-1, len(wants)-1)
	}
	for i := range wants {
		if wants[i] == "" || got[i] == "" {
			if wants[i] != got[i] {
				return "a hub message that is cut"
			}
			continue
		}
		if d := m.jsonMessage(wants[i], got[i]); d != "" {
			return fmt.Sprintf("message %d: %s", i+1, d)
		}
	}
	return ""
}

// headers compares those that are named; null must be absent.
func (m *matcher) headers(want map[string]*string, got http.Header) string {
	for name, value := range want {
		values := got.Values(name)
		switch {
		case value == nil:
			if len(values) > 0 {
				return fmt.Sprintf("header %s: %q must be absent", name, strings.Join(values, ", "))
			}
		case len(values) != 1:
			return fmt.Sprintf("header %s: %d times instead of once", name, len(values))
		case !m.vars.match(*value, values[0]):
			return fmt.Sprintf("header %s: %q instead of %q", name, values[0], *value)
		}
	}
	return ""
}
