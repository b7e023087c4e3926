package replay

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// event is one thing that came from the server.
type event struct {
	kind string // text, binary, close, ping, pong, eof; message, end; response
	text string // hub message, payload of a control frame, reason, or a description
	json bool   // text is a JSON hub message
	code int    // of close
	resp *response
}

// String describes the event for a report, MessagePack decoded.
func (e *event) String() string {
	switch e.kind {
	case "close":
		if e.code == 0 {
			return "a close frame without code"
		}
		return fmt.Sprintf("a close frame, code %d, reason %q", e.code, clip(e.text))
	case "ping", "pong":
		return fmt.Sprintf("a %s, payload %x", e.kind, e.text)
	case "eof", "end":
		return e.text
	case "response":
		return "a response: " + e.resp.String()
	}
	if e.json {
		return fmt.Sprintf("a %s hub message: %s", e.kind, clip(e.text))
	}
	return fmt.Sprintf("a %s hub message: %s", e.kind, describeRecord(e.text))
}

func describeRecord(rec string) string {
	raw := clip(hex.EncodeToString([]byte(rec)))
	v, err := parseRecord(rec)
	if err != nil {
		return fmt.Sprintf("%s (%s)", raw, err)
	}
	return fmt.Sprintf("%s = %s", raw, clip(v.String()))
}

// messageType is the type number of a hub message, 0 when it cannot be read.
func messageType(text string, isJSON bool) string {
	if isJSON {
		v, err := parseJSON(strings.TrimSuffix(text, "\x1e"))
		if err != nil {
			return ""
		}
		t, _ := v.member("type")
		return t.text
	}
	v, err := parseRecord(text)
	if err != nil || v.kind != '[' || len(v.items) == 0 {
		return ""
	}
	return v.items[0].String()
}

const ackType = "8"

// skip says what is passed over while something else is waited for.
type skip struct{ pings, pongs, acks bool }

// next returns the next event of a connection, whatever it carries. WebSocket pings that are passed over are answered.
func (c *conn) next(deadline time.Time, sk skip) (*event, error) {
	switch {
	case c.sse != nil:
		for {
			ev, err := c.nextEvent(deadline)
			if err == nil && sk.acks && ev.json && messageType(ev.text, true) == ackType {
				continue
			}
			return ev, err
		}
	case c.ws != nil && c.ws.open:
		for {
			ev, err := c.nextFrame(deadline)
			if err != nil {
				return nil, err
			}
			switch {
			case ev.kind == "ping" && sk.pings:
				c.send(appendFrame(nil, frame{fin: true, op: opcodes["pong"], payload: []byte(ev.text)}))
			case ev.kind == "pong" && sk.pongs:
			case sk.acks && (ev.kind == "text" || ev.kind == "binary") && messageType(ev.text, ev.json) == ackType:
			default:
				return ev, nil
			}
		}
	case c.method != "":
		resp, err := c.readResponse(deadline)
		if err == nil {
			return &event{kind: "response", resp: resp}, nil
		}
		if c.ended != nil && errors.Is(err, c.ended) {
			return &event{kind: "eof", text: c.endText()}, nil
		}
		return nil, err
	}
	// Nothing is under way: whatever comes is too much.
	if len(c.in) == 0 {
		if err := c.more(deadline); err != nil {
			if c.ended == nil {
				return nil, err
			}
			return &event{kind: "eof", text: c.endText()}, nil
		}
	}
	return nil, faultf("bytes that answer nothing: %q", clip(string(c.in)))
}

// back puts an event back, so that the next expect looks at it.
func (c *conn) back(ev *event) {
	switch {
	case c.sse != nil:
		c.sse.pending = append([]*event{ev}, c.sse.pending...)
	case c.ws != nil:
		c.ws.pending = append([]*event{ev}, c.ws.pending...)
	}
}
