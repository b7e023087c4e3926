package main

import "bytes"

// A payload is hex text: 6 digits of the sender, 6 of the run, 8 of the sequence number, 12 of the intended send time (its last
// 48 bits, which come round every 78 hours), then padding. Only characters that every JSON encoder leaves alone.
const (
	payloadMin    = 32
	payloadMax    = 4 << 20
	maxRuns       = 1 << 24
	maxSequence   = 1<<32 - 1
	paddingLetter = 'x'
)

// payload is what a message says about itself.
type payload struct {
	sender uint32 // the publisher's number, or that of the connection that calls Echo
	run    uint32 // tells the messages of several runs on one server apart
	seq    int64  // counts from 0 for each sender
	at     int64  // intended send time, nanoseconds since 1970
}

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, hexDigits[v>>(4*i)&15])
	}
	return dst
}

// appendPayload appends p and the padding pad.
func appendPayload(dst []byte, p payload, pad []byte) []byte {
	dst = appendHex(dst, uint64(p.sender), 6)
	dst = appendHex(dst, uint64(p.run), 6)
	dst = appendHex(dst, uint64(p.seq), 8)
	dst = appendHex(dst, uint64(p.at), 12)
	return append(dst, pad...)
}

// padding fills a payload up to size bytes.
func padding(size int) []byte { return bytes.Repeat([]byte{paddingLetter}, max(size-payloadMin, 0)) }

// hexValue has 0xff for what is no digit.
var hexValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range 16 {
		t[hexDigits[i]] = byte(i)
	}
	return t
}()

func parseHex(b []byte) (v uint64, bad byte) {
	for _, c := range b {
		d := hexValue[c]
		bad |= d
		v = v<<4 | uint64(d&15)
	}
	return v, bad & 0xf0
}

// parsePayload reads b; false when it is not what a sender of this size has sent. now completes the send time.
func parsePayload(b, pad []byte, now int64) (p payload, ok bool) {
	if len(b) != payloadMin+len(pad) || !bytes.Equal(b[payloadMin:], pad) {
		return p, false
	}
	sender, e1 := parseHex(b[0:6])
	run, e2 := parseHex(b[6:12])
	seq, e3 := parseHex(b[12:20])
	at, e4 := parseHex(b[20:32])
	age := int64(uint64(now)-at) << 16 >> 16
	return payload{uint32(sender), uint32(run), int64(seq), now - age}, e1|e2|e3|e4 == 0
}
