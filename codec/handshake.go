package codec

import "errors"

// Handshake is the client's first record, JSON in every protocol (wire contract, section 9).
type Handshake struct {
	Protocol string // as the client spells it; compare ignoring case
	Version  int    // any integer of 32 bits
}

// maxQuoted is how much of a faulty handshake an error text repeats, in bytes.
const maxQuoted = 1024

// ReadHandshake finds and reads the handshake record at the start of src. n is the number of bytes to drop, separator included; what follows are
// hub messages. n == 0 and err == nil: more bytes are needed. max is the message cap in bytes (0: none); ErrHandshakeTooLarge says that src is longer
// and holds no separator within it. Errors are *Error, with the inner texts of section 9; text that is no JSON at all is named after .NET's JsonReaderException.
func ReadHandshake(src []byte, max int) (h Handshake, n int, err error) {
	return ReadHandshakeFrom(src, 0, max)
}

// ReadHandshakeFrom is ReadHandshake for bytes that trickle in: an earlier call has seen the first from bytes of src, and asked for more.
func ReadHandshakeFrom(src []byte, from, max int) (h Handshake, n int, err error) {
	end := findSeparator(src, from, max)
	if end < 0 {
		if max > 0 && len(src) > max {
			return Handshake{}, 0, ErrHandshakeTooLarge
		}
		return Handshake{}, 0, nil
	}
	if h, err = decodeHandshake(src[:end]); err != nil {
		return Handshake{}, 0, err
	}
	return h, end + 1, nil
}

func decodeHandshake(rec []byte) (h Handshake, err error) {
	var m Message
	r := handshakeReader{e: envelope{rec: rec, m: &m}}
	if err := r.read(); err != nil {
		if errors.Is(err, errReading) {
			return h, &Error{jsonReader, "The handshake is not valid JSON."}
		}
		return h, err
	}
	for _, p := range [...]struct {
		name string
		bit  int
	}{{"protocol", hasProtocol}, {"version", hasVersion}} {
		if r.e.seen&p.bit == 0 {
			return h, Malformed("Missing required property '%s'. Message content: %s", p.name, clip(rec, maxQuoted))
		}
	}
	h.Version = int(r.version)
	// The usual name without an allocation.
	if h.Protocol = "json"; string(r.protocol) != h.Protocol {
		h.Protocol = string(r.protocol)
	}
	return h, nil
}

const (
	hasProtocol = 1 << iota
	hasVersion
)

type handshakeReader struct {
	e        envelope
	protocol []byte
	version  int64
}

// read walks over the object as envelope.read does.
func (r *handshakeReader) read() error {
	i, more, err := r.e.begin()
	for more {
		var name []byte
		if name, i, err = r.e.name(i); err != nil {
			return err
		}
		if i, err = r.property(name, i); err != nil {
			return err
		}
		i, more, err = r.e.next(i)
	}
	return err
}

func (r *handshakeReader) property(name []byte, i int) (end int, err error) {
	switch string(name) {
	case "protocol":
		r.protocol, end, err = r.e.text(i, "protocol")
		r.e.seen |= hasProtocol
	case "version":
		r.version, end, err = r.e.integer(i, "version", 32)
		r.e.seen |= hasVersion
	default:
		_, end, err = r.e.raw(i)
	}
	return end, err
}

// AppendHandshakeResponse appends the server's answer, JSON in every protocol: {} when errText is empty, else {"error":errText}; and the separator.
func AppendHandshakeResponse(dst []byte, errText string) []byte {
	dst = append(dst, '{')
	if errText != "" {
		dst = appendString(append(dst, `"error":`...), errText)
	}
	return append(dst, '}', separator)
}
