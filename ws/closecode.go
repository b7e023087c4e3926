package ws

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// The codes that the layer itself uses, RFC 6455, section 7.4.1.
const (
	closeNormal   = uint16(ws.StatusNormalClosure)
	closeInternal = uint16(ws.StatusInternalServerError)
	closeNoCode   = uint16(ws.StatusNoStatusRcvd)    // never on the wire: the close frame had no code
	closeAbnormal = uint16(ws.StatusAbnormalClosure) // never on the wire: there was no close frame
)

// closeCodeLegal reports whether a close frame may carry code: those of RFC 6455, section 7.4.1, those that IANA has
// registered since (1012 to 1014), and the ranges of libraries and applications.
func closeCodeLegal(code uint16) bool {
	switch {
	case code >= 3000:
		return code <= 4999
	case code >= 1007:
		return code <= 1014
	default:
		return code >= 1000 && code <= 1003
	}
}

// readClose checks the payload of a close frame and returns its code, closeNoCode if it is empty.
func readClose(p []byte) (code uint16, f fault) {
	switch len(p) {
	case 0:
		return closeNoCode, faultNone
	case 1:
		return 0, faultClosePayload
	}
	code = binary.BigEndian.Uint16(p)
	if !closeCodeLegal(code) {
		return 0, faultCloseCode
	}
	if !utf8.Valid(p[2:]) {
		return 0, faultCloseReason
	}
	return code, faultNone
}
