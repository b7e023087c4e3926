package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Header names as net/http keeps them.
const (
	keyHeader      = "Sec-Websocket-Key"
	versionHeader  = "Sec-Websocket-Version"
	protocolHeader = "Sec-Websocket-Protocol"
)

// Valid reports whether r is a complete and valid upgrade request (RFC 6455, section 4.2.1): GET, HTTP/1.1, Upgrade: websocket,
// Connection: Upgrade, version 13, one key of 16 bytes in base64, no body. Tokens are compared without regard to case and may
// stand in lists. A faulty one is no error: it is answered as a poll (wire contract, section 3). Safe for concurrent use.
func Valid(r *http.Request) bool {
	return r.Method == http.MethodGet &&
		r.ProtoMajor == 1 && r.ProtoMinor == 1 &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 && // what follows the head must be frames
		hasToken(r.Header["Upgrade"], "websocket") &&
		hasToken(r.Header["Connection"], "upgrade") &&
		only(r.Header[versionHeader]) == "13" &&
		validKey(only(r.Header[keyHeader]))
}

// AppendUpgrade appends the 101 response to r, for which Valid must hold. No extension is accepted. It calls cfg.SubProtocol.
func AppendUpgrade(dst []byte, r *http.Request, cfg *Config) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = appendAccept(dst, only(r.Header[keyHeader]))
	if name := subProtocol(r, cfg); name != "" {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		dst = append(dst, name...)
	}
	return append(dst, "\r\n\r\n"...)
}

// subProtocol is what cfg selects of what r offers, or "".
func subProtocol(r *http.Request, cfg *Config) string {
	if cfg == nil || cfg.SubProtocol == nil {
		return ""
	}
	var offered []string
	for token := range tokens(r.Header[protocolHeader]) {
		offered = append(offered, token)
	}
	if len(offered) == 0 {
		return ""
	}
	// The selector gets a copy: what it answers is compared with what the client said, which also keeps out anything that
	// could not stand in a header.
	name := cfg.SubProtocol(slices.Clone(offered))
	if !slices.Contains(offered, name) {
		return ""
	}
	return name
}

// appendAccept appends the answer to key (RFC 6455, section 4.2.2, step 5.4).
func appendAccept(dst []byte, key string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// validKey reports whether key is 16 bytes in base64.
func validKey(key string) bool {
	if len(key) != 24 {
		return false
	}
	var raw [18]byte // as much as 24 characters can hold
	n, err := base64.StdEncoding.Decode(raw[:], []byte(key))
	return err == nil && n == 16
}

// only is a header's value if it was given once, else "".
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return textproto.TrimString(values[0])
}

// tokens goes through the elements of a header that is a comma-separated list, which may be spread over several lines.
func tokens(values []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range values {
			for token := range strings.SplitSeq(value, ",") {
				if token = textproto.TrimString(token); token != "" && !yield(token) {
					return
				}
			}
		}
	}
}

// hasToken reports whether the list holds token, which must be in lower case.
func hasToken(values []string, token string) bool {
	for t := range tokens(values) {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}
