package ws

import "github.com/gobwas/ws"

// A fault is what a peer did against RFC 6455. One byte, so that a connection can hold it; as an error it allocates nothing.
type fault uint8

const (
	faultNone fault = iota
	faultReservedBits
	faultReservedOpcode
	faultUnmasked
	faultControlFragmented
	faultControlTooLong
	faultLengthNotMinimal
	faultLengthHighBit
	faultNoMessage
	faultInsideMessage
	faultClosePayload
	faultCloseCode
	faultCloseReason
	faultText
	faultCount
)

var faultTexts = [faultCount]string{
	faultNone:              "ws: no fault",
	faultReservedBits:      "ws: a reserved bit is set, but no extension was agreed on",
	faultReservedOpcode:    "ws: a reserved opcode; allowed are 0, 1, 2, 8, 9 and 10",
	faultUnmasked:          "ws: a client's frame must be masked",
	faultControlFragmented: "ws: a control frame must not be fragmented",
	faultControlTooLong:    "ws: a control frame carries at most 125 bytes",
	faultLengthNotMinimal:  "ws: the payload length is not in its shortest form",
	faultLengthHighBit:     "ws: the highest bit of a 64-bit payload length must be 0",
	faultNoMessage:         "ws: a continuation frame without a message to continue",
	faultInsideMessage:     "ws: a new message inside a fragmented one",
	faultClosePayload:      "ws: a close frame with 1 byte of payload; it must be empty or begin with a code of 2 bytes",
	faultCloseCode:         "ws: a close code that no endpoint may send; allowed are 1000-1003, 1007-1014 and 3000-4999",
	faultCloseReason:       "ws: the reason of a close frame is not UTF-8",
	faultText:              "ws: a text message is not UTF-8",
}

// Error says what was wrong.
func (f fault) Error() string {
	if f < faultCount {
		return faultTexts[f]
	}
	return "ws: unknown fault"
}

// code is the close code that answers the fault. A reason that is not UTF-8 is answered as a framing error (wire contract,
// section 4); only text messages get 1007.
func (f fault) code() uint16 {
	if f == faultText {
		return uint16(ws.StatusInvalidFramePayloadData)
	}
	return uint16(ws.StatusProtocolError)
}
