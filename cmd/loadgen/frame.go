package main

import (
	"encoding/binary"
	"fmt"
)

// opcode is a WebSocket frame's kind (RFC 6455, section 5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

// maskKey masks every frame of ours. A fresh key for each frame defends proxies against hostile pages, which a load client is
// none; a server unmasks the one as it does the other.
const maskKey uint32 = 0x3d21fa37

// maxMessage is the most bytes of a message from the server.
const maxMessage = 8 << 20

// frameHeader is the head of a frame from the server.
type frameHeader struct {
	op     opcode
	fin    bool
	length int
}

// parseFrameHeader reads a head of a server's frame: n is its length, 0 when more bytes are needed. A server must not mask.
func parseFrameHeader(p []byte) (h frameHeader, n int, err error) {
	if len(p) < 2 {
		return h, 0, nil
	}
	h.fin = p[0]&0x80 != 0
	h.op = opcode(p[0] & 0x0f)
	if p[0]&0x70 != 0 {
		return h, 0, fmt.Errorf("a frame has reserved bits set: first byte %#02x", p[0])
	}
	if p[1]&0x80 != 0 {
		return h, 0, fmt.Errorf("a frame of the server is masked")
	}
	length := uint64(p[1])
	n = 2
	switch length {
	case 126:
		if len(p) < 4 {
			return h, 0, nil
		}
		length, n = uint64(binary.BigEndian.Uint16(p[2:])), 4
	case 127:
		if len(p) < 10 {
			return h, 0, nil
		}
		length, n = binary.BigEndian.Uint64(p[2:]), 10
	}
	switch h.op {
	case opContinuation, opText, opBinary:
	case opClose, opPing, opPong:
		if !h.fin || length > 125 {
			return h, 0, fmt.Errorf("a control frame has %d bytes and final bit %t: at most 125 and true are allowed", length, h.fin)
		}
	default:
		return h, 0, fmt.Errorf("a frame has the reserved opcode %d", h.op)
	}
	if length > maxMessage {
		return h, 0, fmt.Errorf("a frame has %d bytes, at most %d are read", length, maxMessage)
	}
	h.length = int(length)
	return h, n, nil
}

// appendFrame appends a final, masked frame.
func appendFrame(dst []byte, op opcode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, maskKey)
	at := len(dst)
	dst = append(dst, payload...)
	mask(dst[at:])
	return dst
}

// mask applies maskKey to p, in place.
func mask(p []byte) {
	const wide = uint64(maskKey)<<32 | uint64(maskKey)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(maskKey >> (8 * (i & 3)))
	}
}
