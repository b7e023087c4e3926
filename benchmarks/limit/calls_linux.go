package main

import (
	"bytes"
	"strconv"
)

// What loadgen sends, byte for byte. An invocation is
//
//	{"type":1,"invocationId":"17","target":"Echo","arguments":["…"]}
//
// with or without the invocationId. The argument is copied as it is, quotes and all.
const (
	recordEnd  = 0x1e
	callBegin  = `{"type":1,`
	callID     = `"invocationId":"`
	callTarget = `"target":"`
	callArgs   = `","arguments":[`
	callEnd    = `]}`
)

// What is answered.
const (
	resultBegin  = `{"type":3,"invocationId":"`
	resultMiddle = `","result":`
	resultEnd    = "}\x1e"
	voidEnd      = `","result":null}` + "\x1e"
	sendBegin    = `{"type":1,"target":"message","arguments":[`
	sendEnd      = "]}\x1e"
	pingRecord   = `{"type":6}` + "\x1e"
)

// records handles the hub records of one WebSocket message.
func (s *server) records(fd int32, c *conn, p []byte) {
	for len(p) > 0 && c.open {
		end := bytes.IndexByte(p, recordEnd)
		if end < 0 {
			s.drop(fd, "a message that does not end with a record")
			return
		}
		if c.ready {
			s.record(fd, c, p[:end])
		} else { // the handshake, whatever it says
			s.out = append(appendHeader(s.out, 0x81, 3), "{}\x1e"...)
			c.ready = true
			c.place = s.all.add(fd)
		}
		p = p[end+1:]
	}
}

// record handles one record after the handshake.
func (s *server) record(fd int32, c *conn, p []byte) {
	rest, ok := cut(p, callBegin)
	if !ok {
		switch string(p) {
		case `{"type":6}`:
			if s.pings {
				s.out = append(appendHeader(s.out, 0x81, len(pingRecord)), pingRecord...)
			}
		case `{"type":7}`:
		default:
			s.unknown(fd, p)
		}
		return
	}
	var id []byte // nil: no completion is wanted
	if after, ok := cut(rest, callID); ok {
		n := bytes.IndexByte(after, '"')
		if n < 0 || len(after) < n+2 {
			s.unknown(fd, p)
			return
		}
		id, rest = after[:n], after[n+2:]
	}
	rest, ok = cut(rest, callTarget)
	n := bytes.IndexByte(rest, '"')
	if !ok || n < 0 {
		s.unknown(fd, p)
		return
	}
	target := rest[:n]
	args, ok := cut(rest[n:], callArgs)
	if !ok || len(args) < len(callEnd) {
		s.unknown(fd, p)
		return
	}
	args = args[:len(args)-len(callEnd)]
	switch string(target) {
	case "Echo":
		if id != nil {
			s.result(id, args)
		}
		return
	case "Broadcast":
		s.broadcast(&s.all, s.message(args))
	case "Publish":
		n := bytes.IndexByte(args, ',') // the group's name has none
		if n < 0 || s.groups[string(args[:n])] == nil {
			s.unknown(fd, p)
			return
		}
		s.broadcast(s.groups[string(args[:n])], s.message(args[n+1:]))
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
		s.void(id)
	}
}

func cut(p []byte, prefix string) ([]byte, bool) {
	if len(p) < len(prefix) || string(p[:len(prefix)]) != prefix {
		return p, false
	}
	return p[len(prefix):], true
}

func (s *server) unknown(fd int32, p []byte) {
	s.drop(fd, "a record that is none of loadgen's: "+strconv.Quote(string(p[:min(len(p), 200)])))
}

// result answers Echo.
func (s *server) result(id, arg []byte) {
	b := appendHeader(s.out, 0x81, len(resultBegin)+len(id)+len(resultMiddle)+len(arg)+len(resultEnd))
	b = append(b, resultBegin...)
	b = append(b, id...)
	b = append(b, resultMiddle...)
	b = append(b, arg...)
	s.out = append(b, resultEnd...)
}

// void answers a call without a result.
func (s *server) void(id []byte) {
	b := appendHeader(s.out, 0x81, len(resultBegin)+len(id)+len(voidEnd))
	b = append(b, resultBegin...)
	b = append(b, id...)
	s.out = append(b, voidEnd...)
}

// message builds the frame of a broadcast, once for all its receivers.
func (s *server) message(arg []byte) []byte {
	b := appendHeader(s.msg[:0], 0x81, len(sendBegin)+len(arg)+len(sendEnd))
	b = append(b, sendBegin...)
	b = append(b, arg...)
	s.msg = append(b, sendEnd...)
	return s.msg
}

func (s *server) join(fd int32, c *conn, name []byte) {
	r := s.groups[string(name)]
	if r == nil {
		r = &room{}
		s.groups[string(name)] = r
	}
	c.group, c.member = r, r.add(fd)
}
