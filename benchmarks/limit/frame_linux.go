package main

import (
	"encoding/binary"
	"fmt"
)

// maxFrame is the longest frame that a client may send; a longer one is no benchmark's.
const maxFrame = 1 << 20

// frame handles one frame of the client, unmasked where it lies (RFC 6455, section 5.2); 0: it has not come whole.
func (s *server) frame(fd int32, c *conn, p []byte) int {
	if len(p) < 6 {
		return 0
	}
	n, length := 2, uint64(p[1]&0x7f)
	switch length {
	case 126:
		n, length = 4, uint64(binary.BigEndian.Uint16(p[2:]))
	case 127:
		if len(p) < 10 {
			return 0
		}
		n, length = 10, binary.BigEndian.Uint64(p[2:])
	}
	if p[1] < 0x80 || length > maxFrame {
		s.drop(fd, fmt.Sprintf("a frame of %d bytes, masked %t: at most %d, masked, are served", length, p[1] >= 0x80, maxFrame))
		return 0
	}
	end := n + 4 + int(length)
	if len(p) < end {
		return 0
	}
	payload := p[n+4 : end]
	unmask(payload, binary.LittleEndian.Uint32(p[n:]))
	switch p[0] {
	case 0x81: // a whole text message
		s.records(fd, c, payload)
	case 0x82:
		s.packedRecords(fd, c, payload)
	case 0x88: // close: answered, and the client ends TCP
		s.out = appendHeader(s.out, 0x88, len(payload))
		s.out = append(s.out, payload...)
	default:
		s.drop(fd, fmt.Sprintf("a frame that begins with %#02x", p[0]))
		return 0
	}
	return end
}

// unmask works in place, 8 bytes at a time.
func unmask(p []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(key >> (8 * (i & 3)))
	}
}

func appendHeader(dst []byte, first byte, length int) []byte {
	switch {
	case length < 126:
		return append(dst, first, byte(length))
	case length <= 0xffff:
		return append(dst, first, 126, byte(length>>8), byte(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(length))
}
