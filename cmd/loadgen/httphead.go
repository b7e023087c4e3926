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
	most    int    // bytes of the body that are read
	kind    string // Content-Type, up to a parameter
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
	most int // bytes of a body that are read; 0: maxBody
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
	if k.most > 0 {
		h.most = k.most
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
	h.length, h.most = -1, maxBody
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if h.length, err = strconv.Atoi(value); err != nil || h.length < 0 {
				return h, fmt.Errorf("the answer's Content-Length is %q", value)
			}
		case "content-type":
			h.kind, _, _ = strings.Cut(strings.ToLower(value), ";")
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
		b, k, err := parseChunks(body, h.most)
		if err != nil || k == 0 {
			return a, 0, err
		}
		a.body = b
		return a, n + k, nil
	case h.length >= 0:
		if h.length > h.most {
			return a, 0, fmt.Errorf("the body of the answer has %d bytes, at most %d are read", h.length, h.most)
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

// parseChunks reads a chunked body without trailers of at most most bytes; n 0: more is needed.
func parseChunks(p []byte, most int) (body []byte, n int, err error) {
	for {
		data, k, err := parseChunk(p[n:], most-len(body))
		if err != nil || k == 0 {
			return nil, 0, err
		}
		if n += k; len(data) == 0 {
			return body, n, nil
		}
		body = append(body, data...)
	}
}

// parseChunk reads a chunk (RFC 9112, section 7.1), a part of p, of at most most bytes; the last one has none. n 0: more is needed.
func parseChunk(p []byte, most int) (data []byte, n int, err error) {
	eol := bytes.Index(p[:min(len(p), maxSizeLine)], []byte("\r\n"))
	if eol < 0 {
		if len(p) >= maxSizeLine {
			return nil, 0, errors.New("a chunk of the answer has no size line")
		}
		return nil, 0, nil
	}
	text, _, _ := bytes.Cut(p[:eol], []byte{';'})
	size, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 16, 31)
	if err != nil {
		return nil, 0, fmt.Errorf("a chunk of the answer has the size %q", text)
	}
	if int(size) > most {
		return nil, 0, fmt.Errorf("a chunk of the answer has %d bytes, at most %d are read there", size, most)
	}
	n = eol + 2
	if len(p)-n < int(size)+2 {
		return nil, 0, nil
	}
	data = p[n : n+int(size)]
	if n += int(size); p[n] != '\r' || p[n+1] != '\n' {
		return nil, 0, fmt.Errorf("a chunk of the answer of %d bytes does not end behind them", size)
	}
	return data, n + 2, nil
}

const maxSizeLine = 1 << 10

// readNegotiation is the token of a negotiate answer (wire contract, section 2.2).
func readNegotiation(body []byte, transport string) (token string, err error) {
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
		offered = offered || t.Transport == transport
	}
	if !offered {
		return "", fmt.Errorf("the server does not offer %s", transport)
	}
	if m.ConnectionToken != "" {
		return m.ConnectionToken, nil
	}
	if m.ConnectionID == "" {
		return "", errors.New("the answer has neither connectionToken nor connectionId")
	}
	return m.ConnectionID, nil
}
