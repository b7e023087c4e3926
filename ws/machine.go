package ws

import "github.com/gobwas/ws"

// event is what machine.next has found.
type event uint8

const (
	eventMore  event = iota // nothing more can be said before more bytes come
	eventData               // a piece of a data frame's payload, maybe empty; machine.ended says whether its message ends with it
	eventPing               // a ping and its payload
	eventPong               // a pong and its payload
	eventClose              // a close frame and its payload, for which readClose finds no fault. Nothing behind it may be read
	eventFault              // machine.fault says what is wrong. Nothing behind it may be read
)

// machine reads the frames of a client. It is the whole state that partial bytes need: 16 bytes, whatever the peer
// announces. It knows nothing of connections.
type machine struct {
	left      int64     // payload bytes of the data frame under way that are still to come
	mask      [4]byte   // of that frame, turned so that the next byte is masked with the first
	text      textState // of a text message: textWhole between two characters; textBinary in a binary message
	fault     fault     // once set, it is all that next reports
	fin       bool      // the data frame under way ends its message
	inMessage bool      // between the first frame of a message and its end
}

// isText says of what kind the message under way, or the last one, is.
func (m *machine) isText() bool { return m.text != textBinary }

// next takes the next step: it returns what it found, the payload (a part of p, unmasked in place), and the number of bytes it
// has consumed. The caller shows it the bytes behind those next time. Whatever the cuts, the same bytes give the same payload,
// the same control frames and the same end.
func (m *machine) next(p []byte) (ev event, payload []byte, n int) {
	if m.fault != faultNone {
		return eventFault, nil, 0
	}
	if m.left == 0 {
		var h header
		var f fault
		h, n, f = readHeader(p)
		switch {
		case f != faultNone:
			m.fault = f
			return eventFault, nil, 0
		case n == 0:
			return eventMore, nil, 0
		case h.op >= opClose:
			return m.control(&h, p, n)
		}
		if f = m.begin(&h); f != faultNone {
			m.fault = f
			return eventFault, nil, 0
		}
	}
	k := int(min(m.left, int64(len(p)-n)))
	if k == 0 && m.left > 0 {
		return eventMore, nil, n
	}
	payload = p[n : n+k]
	ws.Cipher(payload, m.mask, 0)
	if m.left -= int64(k); m.left > 0 {
		m.mask = turned(m.mask, k)
	}
	if m.isText() {
		var good int
		if m.text, good = m.text.check(payload); good < len(payload) {
			// What stands before the bad byte is passed on first, as it would have been had it come alone.
			m.fault = faultText
			return eventData, payload[:good], n + k
		}
	}
	if m.left == 0 && m.fin {
		m.inMessage = false
		if m.isText() && m.text != textWhole {
			m.fault = faultText
		}
	}
	return eventData, payload, n + k
}

// ended reports, after eventData, whether a message ended with it.
func (m *machine) ended() bool { return !m.inMessage && m.fault == faultNone }

// begin takes the header of a data frame.
func (m *machine) begin(h *header) fault {
	if h.op == opContinuation {
		if !m.inMessage {
			return faultNoMessage
		}
	} else {
		if m.inMessage {
			return faultInsideMessage
		}
		m.inMessage = true
		m.text = textBinary
		if h.op == opText {
			m.text = textWhole
		}
	}
	m.left, m.mask, m.fin = h.length, h.mask, h.fin
	return faultNone
}

// turned is the mask for what follows n bytes.
func turned(mask [4]byte, n int) [4]byte {
	return [4]byte{mask[n&3], mask[(n+1)&3], mask[(n+2)&3], mask[(n+3)&3]}
}

// control takes a control frame with a header of n bytes, once it is there as a whole. Those may come inside a fragmented message,
// so they leave its state alone.
func (m *machine) control(h *header, p []byte, n int) (event, []byte, int) {
	end := n + int(h.length)
	if len(p) < end {
		return eventMore, nil, 0
	}
	payload := p[n:end]
	ws.Cipher(payload, h.mask, 0)
	switch h.op {
	case opPing:
		return eventPing, payload, end
	case opPong:
		return eventPong, payload, end
	}
	if _, f := readClose(payload); f != faultNone {
		m.fault = f
		return eventFault, nil, 0
	}
	return eventClose, payload, end
}
