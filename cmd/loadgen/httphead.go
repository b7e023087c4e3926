package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxHead and maxBody bound what a server may answer to negotiate and upgrade.
const (
	maxHead = 16 << 10
	maxBody = 64 << 10
)

// answer is an HTTP response.
type answer struct {
	status int
	accept string // Sec-WebSocket-Accept
	body   []byte
	close  bool // the server ends the connection after it
}

// head is what the head of a response says.
type head struct {
	answer  answer // without the body
	length  int    // of the body; -1: not said
	chunked bool
}

// headEnd is the length of the head at the beginning of p with its blank line; 0: more is needed.
func headEnd(p []byte) (int, error) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end >= 0 {
		return end + 4, nil
	}
	if len(p) > maxHead {
		return 0, fmt.Errorf("the head of the answer has more than %d bytes", maxHead)
	}
	return 0, nil
}

// parseAnswer reads a whole response at the beginning of p; n 0: more is needed.
func parseAnswer(p []byte) (a answer, n int, err error) {
	n, err = headEnd(p)
	if err != nil || n == 0 {
		return a, 0, err
	}
	h, err := parseHead(p[:n])
	if err != nil {
		return a, 0, err
	}
	return h.take(p, n)
}

// alike reads responses whose heads are mostly the same but for the time: it knows the last one. The zero value knows none.
type alike struct {
	text []byte // with the blank line
	head head
}

// parse is parseAnswer.
func (k *alike) parse(p []byte) (a answer, n int, err error) {
	if len(k.text) > 0 && bytes.HasPrefix(p, k.text) {
		return k.head.take(p, len(k.text))
	}
	n, err = headEnd(p)
	if err != nil || n == 0 {
		return a, 0, err
	}
	h, err := parseHead(p[:n])
	if err != nil {
		return a, 0, err
	}
	k.text, k.head = append(k.text[:0], p[:n]...), h
	return h.take(p, n)
}

// parseHead reads a head with its blank line.
func parseHead(p []byte) (h head, err error) {
	a := &h.answer
	lines := strings.Split(string(p[:len(p)-4]), "\r\n")
	proto, rest, _ := strings.Cut(lines[0], " ")
	code, _, _ := strings.Cut(rest, " ")
	a.status, err = strconv.Atoi(code)
	if !strings.HasPrefix(proto, "HTTP/1.") || err != nil || a.status < 100 || a.status > 999 {
		return h, fmt.Errorf("the answer is not HTTP/1.1: %s", excerpt(p[:len(p)-4]))
	}
	a.close = proto == "HTTP/1.0"
	h.length = -1
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if h.length, err = strconv.Atoi(value); err != nil || h.length < 0 {
				return h, fmt.Errorf("the answer's Content-Length is %q", value)
			}
		case "transfer-encoding":
			h.chunked = strings.EqualFold(value, "chunked")
		case "connection":
			for t := range strings.SplitSeq(value, ",") {
				if strings.EqualFold(strings.TrimSpace(t), "close") {
					a.close = true
				}
			}
		case "sec-websocket-accept":
			a.accept = value
		}
	}
	return h, nil
}

// take reads the body of a response whose head is the first n bytes of p.
func (h *head) take(p []byte, n int) (answer, int, error) {
	a := h.answer
	if a.status < 200 || a.status == 204 || a.status == 304 {
		return a, n, nil
	}
	body := p[n:]
	switch {
	case h.chunked:
		b, k, err := parseChunks(body)
		if err != nil || k == 0 {
			return a, 0, err
		}
		a.body = b
		return a, n + k, nil
	case h.length >= 0:
		if h.length > maxBody {
			return a, 0, fmt.Errorf("the body of the answer has %d bytes, at most %d are read", h.length, maxBody)
		}
		if len(body) < h.length {
			return a, 0, nil
		}
		a.body = body[:h.length]
		return a, n + h.length, nil
	case a.status == 200:
		return a, 0, errors.New("the answer has neither Content-Length nor chunks")
	}
	a.body, a.close = body[:min(len(body), maxBody)], true // a refusal's text up to the end of the connection: what is there will do
	return a, len(p), nil
}

// parseChunks reads a chunked body (RFC 9112, section 7.1) without trailers; n 0: more is needed.
func parseChunks(p []byte) (body []byte, n int, err error) {
	for {
		eol := bytes.Index(p[n:], []byte("\r\n"))
		if eol < 0 {
			if len(p)-n > 1024 {
				return nil, 0, errors.New("a chunk of the answer has no size line")
			}
			return nil, 0, nil
		}
		text, _, _ := strings.Cut(string(p[n:n+eol]), ";")
		size, err := strconv.ParseUint(strings.TrimSpace(text), 16, 31)
		if err != nil {
			return nil, 0, fmt.Errorf("a chunk of the answer has the size %q", text)
		}
		if len(body)+int(size) > maxBody {
			return nil, 0, fmt.Errorf("the body of the answer has more than %d bytes", maxBody)
		}
		n += eol + 2
		if len(p)-n < int(size)+2 {
			return nil, 0, nil
		}
		body = append(body, p[n:n+int(size)]...)
		n += int(size) + 2
		if size == 0 {
			return body, n, nil
		}
	}
}

// readNegotiation is the token of a negotiate answer (wire contract, section 2.2).
func readNegotiation(body []byte) (token string, err error) {
	var m struct {
		Error           string `json:"error"`
		URL             string `json:"url"`
		ConnectionID    string `json:"connectionId"`
		ConnectionToken string `json:"connectionToken"`
		Available       []struct {
			Transport string `json:"transport"`
		} `json:"availableTransports"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return "", fmt.Errorf("the answer is no JSON: %w: %s", err, excerpt(body))
	}
	switch {
	case m.Error != "":
		return "", errors.New(m.Error)
	case m.URL != "":
		return "", fmt.Errorf("the server sends its clients on to %s: give that URL to loadgen", m.URL)
	}
	offered := len(m.Available) == 0
	for _, t := range m.Available {
		offered = offered || t.Transport == "WebSockets"
	}
	if !offered {
		return "", errors.New("the server does not offer WebSockets")
	}
	if m.ConnectionToken != "" {
		return m.ConnectionToken, nil
	}
	if m.ConnectionID == "" {
		return "", errors.New("the answer has neither connectionToken nor connectionId")
	}
	return m.ConnectionID, nil
}
