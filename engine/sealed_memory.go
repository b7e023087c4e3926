package engine

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A tls.Conn keeps the buffers into which it has read: 2 KiB each for the record and for the message since its handshake, and up to 18 KiB for ever after a large
// record. That would be more than half of what an idle connection costs. So the buffer of records is the loop's: a tls.Conn has it while it reads, and then only what
// there is of an incomplete record, by the byte.
//
// crypto/tls has no means for that, hence this file: it looks for two fields by name and type, when the program begins, and does nothing if they are not there. What it
// does is right whatever crypto/tls does: it replaces a bytes.Buffer, while nobody uses the tls.Conn, by another one with the same bytes. Only what was read from the
// old one must not be looked at any more, which is so when the plain bytes have been read (TestLentBuffer).

// tlsBuffers are the offsets of the fields in a tls.Conn; 0: not there.
var tlsBuffers = func() (at struct{ rawInput, hand uintptr }) {
	of := func(name string) uintptr {
		f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
		if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
			return 0
		}
		return f.Offset
	}
	at.rawInput, at.hand = of("rawInput"), of("hand")
	return at
}()

// lentSize is the size of the buffer that is lent: a record, its header, and what bytes.Buffer wants free.
const lentSize = recordHeader + recordMax + 2*bytes.MinRead

// borrow gives the tls.Conn the loop's buffer, with what it has of a record.
func (s *sealed) borrow() {
	raw := s.buffer(tlsBuffers.rawInput)
	if raw == nil {
		return
	}
	l := s.loop
	if l.lent.Cap() == 0 {
		l.lent.Grow(lentSize)
	}
	l.lent.Write(raw.Bytes())
	*raw = l.lent
	l.lent = bytes.Buffer{}
}

// giveBack takes it away again, unless there are plain bytes in it.
func (s *sealed) giveBack() {
	raw := s.buffer(tlsBuffers.rawInput)
	if raw == nil || s.carry {
		return
	}
	own := bytes.NewBuffer(nil)
	if raw.Len() > 0 {
		own = bytes.NewBuffer(bytes.Clone(raw.Bytes()))
	}
	l := s.loop
	l.lent = *raw
	*raw = *own
	l.lent.Reset()
	if poisonFreed {
		spoil(l.lent.AvailableBuffer()[:l.lent.Available()])
	}
	s.dropHand()
}

// dropHand lets go of the buffer of handshake messages, if nothing is in it.
func (s *sealed) dropHand() {
	if b := s.buffer(tlsBuffers.hand); b != nil && b.Len() == 0 && b.Cap() > 64 {
		*b = bytes.Buffer{}
	}
}

// dropBuffers lets go of what the handshake has left.
func (s *sealed) dropBuffers() {
	if b := s.buffer(tlsBuffers.rawInput); b != nil && b.Len() == 0 {
		*b = bytes.Buffer{}
	}
	s.dropHand()
}

// buffer is a field of the tls.Conn; nil if there is none.
func (s *sealed) buffer(offset uintptr) *bytes.Buffer {
	if offset == 0 {
		return nil
	}
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(s.tc), offset))
}
