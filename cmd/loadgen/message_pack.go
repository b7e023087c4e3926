package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// The hub protocol in MessagePack (wire contract, section 11): a record is its length as a VarInt and an array. The code is the client's own, as that for JSON is: a fault that
// server and client shared would not be seen.

var (
	packedHandshake = []byte(`{"protocol":"messagepack","version":1}` + "\x1e")
	packedPing      = []byte{2, 0x91, kindPing}
	packedClose     = []byte{3, 0x92, kindClose, 0xc0}
)

// newPackedCall prepares a call as newCall does; size is that of the last argument.
func newPackedCall(method string, size int, before ...string) call {
	mid := appendPackedText(nil, method)
	mid = append(mid, 0x90|byte(len(before)+1))
	for _, a := range before {
		mid = appendPackedText(mid, a)
	}
	return call{packed: true, size: size, head: []byte{0x96, kindInvocation, 0x80}, mid: appendPackedTextHead(mid, size)}
}

// beginPacked is begin in MessagePack.
func (c *call) beginPacked(dst []byte, id int64) []byte {
	var digits [20]byte
	name := digits[:0]
	if id >= 0 {
		name = strconv.AppendInt(name, id, 10)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.head)+1+len(name)+len(c.mid)+c.size+1))
	dst = append(dst, c.head...)
	if id < 0 {
		dst = append(dst, 0xc0)
	} else {
		dst = append(append(dst, 0xa0|byte(len(name))), name...)
	}
	return append(dst, c.mid...)
}

func appendPackedText(dst []byte, s string) []byte {
	return append(appendPackedTextHead(dst, len(s)), s...)
}

func appendPackedTextHead(dst []byte, n int) []byte {
	switch {
	case n < 32:
		return append(dst, 0xa0|byte(n))
	case n < 1<<8:
		return append(dst, 0xd9, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
}

// cutPacked takes the first record of a message off; official clients refuse one that holds a part of a record.
func cutPacked(p []byte) (rec, rest []byte, err error) {
	n, k := binary.Uvarint(p)
	if k <= 0 || k > 5 || n == 0 || n > uint64(len(p)-k) {
		return nil, nil, fmt.Errorf("a message of the server ends inside a record, or its length is wrong: %s", excerpt(p))
	}
	return p[k : k+int(n)], p[k+int(n):], nil
}

var errPacked = errors.New("not what MessagePack has there")

// unpacker reads a record value by value; after the first fault it reads nothing more.
type unpacker struct {
	p      []byte
	failed bool
}

// take is the next n bytes; nil after a fault.
func (u *unpacker) take(n uint64) []byte {
	if u.failed || n > uint64(len(u.p)) {
		u.failed = true
		return nil
	}
	b := u.p[:n]
	u.p = u.p[n:]
	return b
}

// peek is the next byte; 0xc1, which begins no value, at the end.
func (u *unpacker) peek() byte {
	if u.failed || len(u.p) == 0 {
		return 0xc1
	}
	return u.p[0]
}

// number is the next n bytes as an unsigned number.
func (u *unpacker) number(n int) (v uint64) {
	for _, b := range u.take(uint64(n)) {
		v = v<<8 | uint64(b)
	}
	return v
}

// array is the length of an array that comes next.
func (u *unpacker) array() int {
	switch b := u.peek(); {
	case b&0xf0 == 0x90:
		u.take(1)
		return int(b & 0x0f)
	case b == 0xdc, b == 0xdd:
		u.take(1)
		return int(u.number(2 << (b - 0xdc)))
	}
	u.failed = true
	return 0
}

// text is a string that comes next, or nil when another value does, which is skipped.
func (u *unpacker) text() []byte {
	switch b := u.peek(); {
	case b&0xe0 == 0xa0:
		u.take(1)
		return u.some(uint64(b & 0x1f))
	case b >= 0xd9 && b <= 0xdb:
		u.take(1)
		return u.some(u.number(1 << (b - 0xd9)))
	}
	u.skip()
	return nil
}

// some is take, but never nil for an empty string.
func (u *unpacker) some(n uint64) []byte {
	if b := u.take(n); len(b) > 0 {
		return b
	}
	return []byte{}
}

// skip passes over a value, however deep: each one has a byte, so what is left bounds the loop.
func (u *unpacker) skip() {
	for left := uint64(1); left > 0 && !u.failed; left-- {
		head := u.take(1)
		if head == nil {
			return
		}
		switch b := head[0]; {
		case b < 0x80, b >= 0xe0, b == 0xc0, b == 0xc2, b == 0xc3:
		case b < 0x90:
			left += 2 * uint64(b&0x0f)
		case b < 0xa0:
			left += uint64(b & 0x0f)
		case b < 0xc0:
			u.take(uint64(b & 0x1f))
		case b >= 0xc4 && b <= 0xc6:
			u.take(u.number(1 << (b - 0xc4)))
		case b >= 0xc7 && b <= 0xc9:
			u.take(u.number(1<<(b-0xc7)) + 1)
		case b == 0xca, b == 0xcb:
			u.take(4 << (b - 0xca))
		case b >= 0xcc && b <= 0xcf:
			u.take(1 << (b - 0xcc))
		case b >= 0xd0 && b <= 0xd3:
			u.take(1 << (b - 0xd0))
		case b >= 0xd4 && b <= 0xd8:
			u.take(1 + 1<<(b-0xd4))
		case b >= 0xd9 && b <= 0xdb:
			u.take(u.number(1 << (b - 0xd9)))
		case b == 0xdc, b == 0xdd:
			left += u.number(2 << (b - 0xdc))
		case b == 0xde, b == 0xdf:
			left += 2 * u.number(2<<(b-0xde))
		default: // 0xc1
			u.failed = true
		}
	}
}

// readPacked reads one record without its length. What it returns points into p.
func readPacked(p []byte) (record, error) {
	u := unpacker{p: p}
	items := u.array()
	kind := u.take(1)
	if kind == nil || kind[0] > 0x7f {
		return record{}, fmt.Errorf("a record of the server does not begin as the protocol has it: %w: %s", errPacked, excerpt(p))
	}
	r := record{kind: int(kind[0]), id: -1}
	want := map[int]int{kindInvocation: 5, kindCompletion: 4, kindClose: 2}[r.kind]
	switch {
	case items < want:
		u.failed = true
	case r.kind == kindInvocation:
		u.skip() // headers
		r.id = idOf(u.text())
		r.target = u.text()
		if u.array() > 0 {
			r.text = u.text()
		}
	case r.kind == kindCompletion:
		u.skip()
		r.id = idOf(u.text())
		switch result := u.number(1); {
		case result == 1 && items > 4:
			r.failed, r.reason = true, string(u.text())
		case result == 3 && items > 4:
			r.text = u.text()
		case result != 2:
			u.failed = true
		}
	case r.kind == kindClose:
		if text := u.text(); text != nil {
			r.failed, r.reason = true, string(text)
		}
		r.retry = items > 2 && u.peek() == 0xc3
	}
	if u.failed {
		return record{}, fmt.Errorf("a record of the server is no message that the protocol knows: %w: %s", errPacked, excerpt(p))
	}
	return r, nil
}

// idOf is an invocation id as a number; -1: none of ours.
func idOf(text []byte) int64 {
	if id, n := leadingInt(text); n > 0 && n == len(text) {
		return id
	}
	return -1
}
