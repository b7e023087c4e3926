package main

import "encoding/binary"

// The same calls in MessagePack, byte for byte as loadgen sends them: the length of the record, then
//
//	[1, {}, "17" or nil, "Echo", ["…"], []]
//
// The argument is copied as it is, the head of the string included.
const (
	packedCall    = "\x96\x01\x80"
	packedNil     = 0xc0
	packedEnd     = 0x90 // no streams
	packedResult  = "\x95\x03\x80"
	packedSend    = "\x96\x01\x80\xc0\xa7message\x91"
	packedPing    = "\x91\x06"
	packedGoodbye = "\x92\x07\xc0"
)

// packedRecords handles the hub records of one binary message.
func (s *server) packedRecords(fd int32, c *conn, p []byte) {
	for len(p) > 0 && c.open {
		n, k := binary.Uvarint(p)
		if !c.ready || k <= 0 || n > uint64(len(p)-k) {
			s.drop(fd, "a binary message before the handshake, or one that does not end with a record")
			return
		}
		s.packedRecord(fd, c, p[k:k+int(n)])
		p = p[k+int(n):]
	}
}

func (s *server) packedRecord(fd int32, c *conn, p []byte) {
	rest, ok := cut(p, packedCall)
	if !ok {
		switch string(p) {
		case packedPing:
			if s.pings {
				s.out = append(append(appendHeader(s.out, 0x82, 1+len(packedPing)), byte(len(packedPing))), packedPing...)
			}
		case packedGoodbye:
		default:
			s.unknown(fd, p)
		}
		return
	}
	var id []byte // with its head; nil: no completion is wanted
	if len(rest) > 0 && rest[0] == packedNil {
		rest = rest[1:]
	} else {
		id, rest = cutText(rest)
		ok = len(id) > 0
	}
	target, args := cutText(rest)
	if !ok || len(target) == 0 || len(args) < 3 || args[len(args)-1] != packedEnd {
		s.unknown(fd, p)
		return
	}
	args = args[1 : len(args)-1] // without the head of the array
	switch string(target[1:]) {
	case "Echo":
		if id != nil {
			s.packedAnswer(id, args)
		}
		return
	case "Broadcast":
		s.broadcast(&s.all, s.packedMessage(args))
	case "Publish":
		group, text := cutText(args)
		if len(group) == 0 || s.groups[string(group)] == nil {
			s.unknown(fd, p)
			return
		}
		s.broadcast(s.groups[string(group)], s.packedMessage(text))
	case "Join":
		if c.group != nil {
			s.drop(fd, "a second Join: here a connection is in one group at most")
			return
		}
		s.join(fd, c, args)
	default:
		s.unknown(fd, p)
		return
	}
	if id != nil {
		s.packedAnswer(id, []byte{packedNil})
	}
}

// cutText cuts a string of less than 32 bytes off, its head included; text nil: there is none.
func cutText(p []byte) (text, rest []byte) {
	if len(p) == 0 || p[0]&0xe0 != 0xa0 || len(p) < 1+int(p[0]&0x1f) {
		return nil, p
	}
	n := 1 + int(p[0]&0x1f)
	return p[:n], p[n:]
}

// packedAnswer answers a call with a value as it is.
func (s *server) packedAnswer(id, value []byte) {
	n := len(packedResult) + len(id) + 1 + len(value)
	b := appendHeader(s.out, 0x82, lengthOf(n)+n)
	b = binary.AppendUvarint(b, uint64(n))
	b = append(append(b, packedResult...), id...)
	s.out = append(append(b, 3), value...)
}

// packedMessage builds the frame of a broadcast, once for all its receivers.
func (s *server) packedMessage(arg []byte) []byte {
	n := len(packedSend) + len(arg) + 1
	b := appendHeader(s.msg[:0], 0x82, lengthOf(n)+n)
	b = binary.AppendUvarint(b, uint64(n))
	b = append(append(b, packedSend...), arg...)
	s.msg = append(b, packedEnd)
	return s.msg
}

// lengthOf is how many bytes a record's length takes in front of it.
func lengthOf(n int) int {
	k := 1
	for ; n >= 1<<7; n >>= 7 {
		k++
	}
	return k
}
