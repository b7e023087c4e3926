package ws

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Opcodes, RFC 6455, section 5.2. Those from opClose on are control frames.
const (
	opContinuation = byte(ws.OpContinuation)
	opText         = byte(ws.OpText)
	opBinary       = byte(ws.OpBinary)
	opClose        = byte(ws.OpClose)
	opPing         = byte(ws.OpPing)
	opPong         = byte(ws.OpPong)
)

const (
	bitFin    = 0x80
	bitsRsv   = 0x70
	bitsOp    = 0x0f
	bitMasked = 0x80
	bitsLen   = 0x7f
	len16     = 126 // the length follows in 2 bytes
	len64     = 127 // the length follows in 8 bytes

	maxControl = ws.MaxControlFramePayloadSize
)

// MaxHeader is the longest header of a server's frame, in bytes.
const MaxHeader = 10

// AppendHeader appends the header of a final, unmasked text or binary frame of n payload bytes. Safe for concurrent use.
func AppendHeader(dst []byte, isBinary bool, n int) []byte {
	first := firstByte(isBinary)
	switch {
	case n < len16:
		return append(dst, first, byte(n))
	case n <= 0xffff:
		return append(dst, first, len16, byte(n>>8), byte(n))
	default:
		dst = append(dst, first, len64)
		return binary.BigEndian.AppendUint64(dst, uint64(n))
	}
}

// firstByte is that of a final data frame.
func firstByte(isBinary bool) byte {
	if isBinary {
		return bitFin | opBinary
	}
	return bitFin | opText
}

// serverHeader reads the header of a whole frame made with AppendHeader: the header's length and the payload's.
func serverHeader(frame []byte) (header, payload int) {
	switch frame[1] {
	case len16:
		header = 4
	case len64:
		header = MaxHeader
	default:
		header = 2
	}
	return header, len(frame) - header
}

// header is that of a client's frame.
type header struct {
	length int64
	mask   [4]byte
	op     byte
	fin    bool
}

// known has a bit for each opcode that is not reserved.
const known = 1<<opContinuation | 1<<opText | 1<<opBinary | 1<<opClose | 1<<opPing | 1<<opPong

// readHeader reads the header that p begins with; n is its length in bytes, or 0 when more is needed. A fault is reported
// as soon as the bytes that hold it are there, and the order of the checks is that of the bytes, so that the same fault is found
// however the bytes were cut. It is written by hand because the one of gobwas costs more than all the rest of
// receiving a small frame (BenchmarkReadHeader); a test holds both against each other.
func readHeader(p []byte) (h header, n int, f fault) {
	if len(p) == 0 {
		return h, 0, faultNone
	}
	first := p[0]
	if first&bitsRsv != 0 {
		return h, 0, faultReservedBits
	}
	h.op = first & bitsOp
	if known>>h.op&1 == 0 {
		return h, 0, faultReservedOpcode
	}
	h.fin = first&bitFin != 0
	if h.op >= opClose && !h.fin {
		return h, 0, faultControlFragmented
	}
	if len(p) < 2 {
		return h, 0, faultNone
	}
	second := p[1]
	if second&bitMasked == 0 {
		return h, 0, faultUnmasked
	}
	h.length = int64(second & bitsLen)
	if h.length < len16 {
		if len(p) < 6 {
			return h, 0, faultNone
		}
		h.mask = [4]byte(p[2:6])
		return h, 6, faultNone
	}
	if h.op >= opClose {
		return h, 0, faultControlTooLong
	}
	if h.length == len16 {
		if len(p) < 4 {
			return h, 0, faultNone
		}
		h.length = int64(binary.BigEndian.Uint16(p[2:]))
		if h.length < len16 {
			return h, 0, faultLengthNotMinimal
		}
		if len(p) < 8 {
			return h, 0, faultNone
		}
		h.mask = [4]byte(p[4:8])
		return h, 8, faultNone
	}
	if len(p) < 10 {
		return h, 0, faultNone
	}
	long := binary.BigEndian.Uint64(p[2:])
	if long>>63 != 0 {
		return h, 0, faultLengthHighBit
	}
	h.length = int64(long)
	if h.length <= 0xffff {
		return h, 0, faultLengthNotMinimal
	}
	if len(p) < 14 {
		return h, 0, faultNone
	}
	h.mask = [4]byte(p[10:14])
	return h, 14, faultNone
}
