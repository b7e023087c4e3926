package codec

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// packEnvelope reads one MessagePack message (wire contract, section 11). Like ASP.NET Core it goes from value to value and leaves alone what is
// behind the last one that it knows, inside the array or not.
type packEnvelope struct {
	rec   []byte
	m     *Message
	i     int // the next value
	items int // of the array
}

func (messagePack) Decode(rec []byte, m *Message) error {
	*m = Message{scratch: m.scratch[:0], StreamIDs: m.StreamIDs[:0]}
	e := packEnvelope{rec: rec, m: m}
	return e.read()
}

func (e *packEnvelope) read() error {
	var ok bool
	if e.items, e.i, ok = readArray(e.rec, 0); !ok {
		if len(e.rec) == 0 || readHead(e.rec, 0).kind == kindNone && e.rec[0] != neverUsed {
			return errPackEnd
		}
		return unexpectedCode(e.rec[0])
	}
	kind, err := e.integer("messageType", 32)
	if err != nil {
		return err
	}
	if kind >= 1 && kind <= math.MaxUint8 {
		e.m.Kind = Kind(kind)
	}
	switch e.m.Kind {
	case Invocation, StreamInvocation:
		return e.invocation()
	case StreamItem:
		return e.item()
	case Completion:
		return e.completion()
	case CancelInvocation:
		_, err := e.begin("CancelInvocation")
		return err
	case Close:
		return e.close()
	case Ack, Sequence:
		e.m.SequenceID, err = e.integer("sequenceId", 64)
		return err
	}
	return nil // a Ping holds nothing, and of an unknown kind nothing is known
}

// begin reads headers and invocation id; the kind of a message that needs an id is given.
func (e *packEnvelope) begin(kind string) (id []byte, err error) {
	if err := e.headers(); err != nil {
		return nil, err
	}
	if id, _, err = e.text("invocationId"); err != nil {
		return nil, err
	}
	if len(id) == 0 && kind != "" {
		return nil, Malformed("Null or empty invocation ID for %s message.", kind)
	}
	e.m.ID = id
	return id, nil
}

func (e *packEnvelope) invocation() (err error) {
	kind := ""
	if e.m.Kind == StreamInvocation {
		kind = "StreamInvocation"
	}
	if _, err = e.begin(kind); err != nil {
		return err
	}
	if e.m.Target, _, err = e.text("target"); err != nil {
		return err
	}
	if len(e.m.Target) == 0 {
		return Malformed("Null or empty target for Invocation message.")
	}
	if e.m.ArgsErr = e.arguments(); e.m.ArgsErr != nil || e.items <= 5 {
		return nil
	}
	return e.streamIDs()
}

// arguments finds the ends of the argument list. What is wrong with it is that call's problem alone.
func (e *packEnvelope) arguments() error {
	count, start, ok := readArray(e.rec, e.i)
	if !ok {
		return errPackArguments
	}
	end := start
	if count == 1 {
		end = packEnd(e.rec, start, 2)
	} else if count > 1 {
		end = packContentEnd(e.rec, start, count, 2)
	}
	if end < 0 {
		return ErrBinding
	}
	e.m.Args, e.m.NArgs = e.rec[start:end:end], count
	e.i = end
	return nil
}

func (e *packEnvelope) streamIDs() error {
	if e.i < len(e.rec) && e.rec[e.i] == packArray {
		return nil
	}
	h := readHead(e.rec, e.i)
	if h.kind != kindArray {
		return Malformed("Reading array length for 'streamIds' failed.")
	}
	if h.count > MaxStreamIDs {
		return Malformed("There are more than %d 'streamIds'.", MaxStreamIDs)
	}
	e.i = h.end
	ids := slices.Grow(e.m.StreamIDs[:0], h.count)
	for range h.count {
		id, _, err := e.text("streamIds")
		if err != nil {
			return err
		}
		if len(id) == 0 {
			return Malformed("Null or empty value in streamIds received.")
		}
		ids = append(ids, id)
	}
	e.m.StreamIDs = ids
	return nil
}

// item reads a StreamItem. One without an item is as good as one whose item cannot be bound.
func (e *packEnvelope) item() error {
	if _, err := e.begin("StreamItem"); err != nil || e.i == len(e.rec) {
		return err
	}
	return e.payload()
}

func (e *packEnvelope) completion() error {
	if _, err := e.begin("Completion"); err != nil {
		return err
	}
	kind, err := e.integer("resultKind", 32)
	if err != nil {
		return err
	}
	switch kind {
	case resultError:
		e.m.Error, e.m.HasError, err = e.text("error")
		return err
	case resultVoid:
		return nil
	case resultValue:
		e.m.HasResult = true
		return e.payload()
	}
	return Malformed("Invalid invocation result kind.")
}

// close reads a Close; those of the JavaScript client have no allowReconnect.
func (e *packEnvelope) close() (err error) {
	if e.m.Error, e.m.HasError, err = e.text("error"); err != nil || e.items <= 2 {
		return err
	}
	h := readHead(e.rec, e.i)
	if h.kind != kindBool {
		return packReading("allowReconnect", "Boolean")
	}
	e.m.AllowReconnect = e.rec[e.i] == packTrue
	return nil
}

// payload takes a value as it is.
func (e *packEnvelope) payload() error {
	end := packEnd(e.rec, e.i, 1)
	if end < 0 {
		return errPackEnd
	}
	e.m.Payload = e.rec[e.i:end:end]
	e.i = end
	return nil
}

// text reads a string, or nil: present is false then. Text that is UTF-8 stays where it is.
func (e *packEnvelope) text(field string) (s []byte, present bool, err error) {
	if e.i < len(e.rec) && e.rec[e.i]&0xE0 == packStr { // what ids and targets usually are (BenchmarkDecodeInvocationPacked)
		if end := e.i + 1 + int(e.rec[e.i]&0x1F); end <= len(e.rec) && utf8.Valid(e.rec[e.i+1:end]) {
			s, e.i = e.rec[e.i+1:end:end], end
			return s, true, nil
		}
	}
	h := readHead(e.rec, e.i)
	switch h.kind {
	case kindNil:
		e.i = h.end
		return nil, false, nil
	case kindStr:
	default:
		return nil, false, packReading(field, "String")
	}
	e.i = h.end
	s = e.rec[h.start:h.end:h.end]
	if utf8.Valid(s) {
		return s, true, nil
	}
	m := e.m
	if cap(m.scratch) < 3*len(e.rec) {
		m.scratch = make([]byte, 0, 3*len(e.rec)) // all text of this record, were each of its bytes replaced; nothing of it is in the old one
	}
	start := len(m.scratch)
	m.scratch = appendText(m.scratch, s)
	return m.scratch[start:len(m.scratch):len(m.scratch)], true, nil
}

// appendText appends text with U+FFFD for each byte that is not UTF-8.
func appendText(dst, s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		dst = utf8.AppendRune(dst, r)
		s = s[n:]
	}
	return dst
}

// integer reads an integer of any width that fits into so many bits, 32 or 64.
func (e *packEnvelope) integer(field string, bits int) (int64, error) {
	if e.i < len(e.rec) && e.rec[e.i] < packMap {
		e.i++
		return int64(e.rec[e.i-1]), nil
	}
	h := readHead(e.rec, e.i)
	if h.kind == kindInt {
		if n, ok := packInt(e.rec, h, bits); ok {
			e.i = h.end
			return n, nil
		}
	}
	return 0, packReading(field, fmt.Sprintf("Int%d", bits))
}

// headers checks that there is a map of non-empty strings, and takes it as it is.
func (e *packEnvelope) headers() error {
	if e.i < len(e.rec) && e.rec[e.i] == packMap {
		e.i++
		return nil
	}
	h := readHead(e.rec, e.i)
	if h.kind != kindMap {
		return Malformed("Reading map length for 'headers' failed.")
	}
	start := e.i
	i := h.end
	for pair := range h.count {
		for _, part := range [...]string{"Key", "Value"} {
			s := readHead(e.rec, i)
			switch {
			case s.kind == kindNil || s.kind == kindStr && s.start == s.end:
				return nullOrEmptyHeader(part)
			case s.kind != kindStr:
				return packReading(fmt.Sprintf("headers[%d].%s", pair, part), "String")
			}
			i = s.end
		}
	}
	if h.count > 0 {
		e.m.Headers = e.rec[start:i:i]
	}
	e.i = i
	return nil
}

func nullOrEmptyHeader(part string) error {
	if part == "Key" {
		return Malformed("Null or empty key in header.")
	}
	return Malformed("Null or empty value in header.")
}
