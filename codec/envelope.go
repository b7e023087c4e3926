package codec

// The properties of an envelope that were there.
const (
	hasType = 1 << iota
	hasID
	hasTarget
	hasArguments
	hasEarlyArguments // before the target
	hasItem
	hasResult
	hasError
	hasSequenceID
)

// envelope reads one JSON message (wire contract, section 10).
type envelope struct {
	rec          []byte
	m            *Message
	seen         int
	kind         int32
	item, result []byte
}

// MaxStreamIDs is how many stream ids one invocation may carry. A hub method takes a handful; the bound keeps a small record from becoming a large slice.
const MaxStreamIDs = 128

func (jsonProtocol) Decode(rec []byte, m *Message) error {
	*m = Message{scratch: m.scratch[:0], StreamIDs: m.StreamIDs[:0]}
	e := envelope{rec: rec, m: m}
	if err := e.read(); err != nil {
		return err
	}
	return e.check()
}

// read walks over the object. Faults are found in the order of the bytes.
func (e *envelope) read() error {
	i, more, err := e.begin()
	for more {
		var name []byte
		if name, i, err = e.name(i); err != nil {
			return err
		}
		if i, err = e.property(name, i); err != nil {
			return err
		}
		i, more, err = e.next(i)
	}
	return err
}

// begin finds the object's first member; more is false when it has none.
func (e *envelope) begin() (i int, more bool, err error) {
	if i, err = objectStart(e.rec); err != nil {
		return 0, false, err
	}
	if i = skipSpace(e.rec, i); i < len(e.rec) && e.rec[i] == '}' {
		return 0, false, atEnd(e.rec, i+1)
	}
	return i, true, nil
}

// name reads the name at i and moves on to its value, of which there is at least one byte.
func (e *envelope) name(i int) (name []byte, value int, err error) {
	b := e.rec
	if i >= len(b) || b[i] != '"' {
		return nil, 0, errReading
	}
	end, escaped := skipString(b, i)
	if end < 0 {
		return nil, 0, errReading
	}
	name = b[i+1 : end-1]
	if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
		return nil, 0, errReading
	}
	if i = skipSpace(b, i+1); i >= len(b) {
		return nil, 0, errReading
	}
	if escaped {
		name = e.unescapeName(name)
	}
	return name, i, nil
}

// next moves on from the end of a value to the next name; more is false at the object's end.
func (e *envelope) next(i int) (name int, more bool, err error) {
	b := e.rec
	if i = skipSpace(b, i); i >= len(b) {
		return 0, false, errReading
	}
	switch b[i] {
	case ',':
		return skipSpace(b, i+1), true, nil
	case '}':
		return 0, false, atEnd(b, i+1)
	}
	return 0, false, errReading
}

// objectStart finds the message's object and returns the index behind its brace.
func objectStart(b []byte) (int, error) {
	i := skipSpace(b, 0)
	if i >= len(b) {
		return 0, errReading
	}
	var token string
	switch c := b[i]; c {
	case '{':
		return i + 1, nil
	case '[':
		token = "Array"
	case '"':
		token = "String"
	case 't':
		token = "True"
	case 'f':
		token = "False"
	case 'n':
		token = "Null"
	default:
		token = "Number"
	}
	if token != "Array" {
		end := skipScalar(b, i)
		if end < 0 || skipSpace(b, end) != len(b) {
			return 0, errReading
		}
	}
	return 0, Malformed("Unexpected JSON Token Type '%s'. Expected a JSON Object.", token)
}

// atEnd refuses whatever follows the object. (.NET does not look there: wire contract, section 10. We are stricter, as that is no JSON.)
func atEnd(b []byte, i int) error {
	if skipSpace(b, i) != len(b) {
		return errReading
	}
	return nil
}

// room makes place for all unescaped text of the record at once: text is never longer than its escapes, so as many bytes as the record has will do.
func (e *envelope) room() {
	if cap(e.m.scratch) < len(e.rec) {
		e.m.scratch = make([]byte, 0, len(e.rec)) // nothing of this record is in the old one
	}
}

// unescapeName returns a property's name without its escapes, in scratch space that the next text overwrites. A name that is no text is that of no
// known property.
func (e *envelope) unescapeName(raw []byte) []byte {
	e.room()
	name, ok := unescape(e.m.scratch[len(e.m.scratch):], raw)
	if !ok {
		return nil
	}
	return name
}

// property reads the value at i of the property name and returns the index behind it.
func (e *envelope) property(name []byte, i int) (end int, err error) {
	m := e.m
	switch string(name) {
	case "type":
		n, end, err := e.integer(i, "type", 32)
		e.kind = int32(n)
		e.seen |= hasType
		return end, err
	case "invocationId":
		m.ID, end, err = e.text(i, "invocationId")
		e.seen |= hasID
	case "target":
		m.Target, end, err = e.text(i, "target")
		e.seen |= hasTarget
	case "arguments":
		return e.arguments(i)
	case "headers":
		return e.headers(i)
	case "streamIds":
		return e.streamIDs(i)
	case "item":
		e.item, end, err = e.raw(i)
		e.seen |= hasItem
	case "result":
		e.result, end, err = e.raw(i)
		e.seen |= hasResult
	case "error":
		m.Error, end, err = e.text(i, "error")
		e.seen |= hasError
	case "allowReconnect":
		return e.allowReconnect(i)
	case "sequenceId":
		m.SequenceID, end, err = e.integer(i, "sequenceId", 64)
		e.seen |= hasSequenceID
	default:
		_, end, err = e.raw(i)
	}
	return end, err
}

// raw takes any value as it is.
func (e *envelope) raw(i int) (v []byte, end int, err error) {
	end = skipValue(e.rec, i, 1)
	if end < 0 {
		return nil, 0, errReading
	}
	return e.rec[i:end], end, nil
}

// wrong is the fault of a value at i that is not of the kind it should be: that, if it begins with a token of JSON.
func (e *envelope) wrong(i int, fault *Error) error {
	switch e.rec[i] {
	case '{', '[':
		return fault
	}
	if skipScalar(e.rec, i) < 0 {
		return errReading
	}
	return fault
}

// text reads a string. Without escapes it stays where it is.
func (e *envelope) text(i int, property string) (s []byte, end int, err error) {
	if e.rec[i] != '"' {
		return nil, 0, e.wrong(i, expected(property, "String"))
	}
	end, escaped := skipString(e.rec, i)
	if end < 0 {
		return nil, 0, errReading
	}
	s = e.rec[i+1 : end-1]
	if !escaped {
		return s, end, nil
	}
	e.room()
	start := len(e.m.scratch)
	all, ok := unescape(e.m.scratch, s)
	if !ok {
		return nil, 0, notText(property)
	}
	e.m.scratch = all
	return all[start:len(all):len(all)], end, nil
}

// integer reads an integer of so many bits; a fraction or an exponent is none, whatever its value.
func (e *envelope) integer(i int, property string, bits int) (n int64, end int, err error) {
	if c := e.rec[i]; c != '-' && c-'0' > 9 {
		return 0, 0, e.wrong(i, expected(property, "Number"))
	}
	if end = skipNumber(e.rec, i); end < 0 {
		return 0, 0, errReading
	}
	n, ok := parseInt(e.rec[i:end], bits)
	if !ok {
		return 0, 0, notInteger(property, bits)
	}
	return n, end, nil
}

func (e *envelope) allowReconnect(i int) (end int, err error) {
	if c := e.rec[i]; c != 't' && c != 'f' {
		return 0, e.wrong(i, Malformed("Expected 'allowReconnect' to be true or false."))
	}
	if end = skipScalar(e.rec, i); end < 0 {
		return 0, errReading
	}
	e.m.AllowReconnect = e.rec[i] == 't'
	return end, nil
}

// arguments takes the argument list as it is. Of several lists the last counts, but one in front of the target has precedence over those behind it (wire
// contract, section 10), and an empty target is as good as none here.
func (e *envelope) arguments(i int) (end int, err error) {
	if e.rec[i] != '[' {
		return 0, e.wrong(i, expected("arguments", "Array"))
	}
	end, n := skipArray(e.rec, i, 1)
	if end < 0 {
		return 0, errReading
	}
	early := len(e.m.Target) == 0
	if early || e.seen&hasEarlyArguments == 0 {
		e.m.Args, e.m.NArgs = e.rec[i:end], n
	}
	if e.seen |= hasArguments; early {
		e.seen |= hasEarlyArguments
	}
	return end, nil
}

// headers checks that the value at i is an object of strings, and takes it as it is.
func (e *envelope) headers(i int) (end int, err error) {
	b := e.rec
	if b[i] != '{' {
		return 0, e.wrong(i, expected("headers", "StartObject"))
	}
	start := i
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		e.m.Headers = b[start : i+1]
		return i + 1, nil
	}
	for {
		name := i
		if i = skipName(b, i); i < 0 {
			return 0, errReading
		}
		if i = skipSpace(b, i); i >= len(b) {
			return 0, errReading
		}
		if b[i] != '"' {
			return 0, e.wrong(i, headerFault(b[name:]))
		}
		end, escaped := skipString(b, i)
		if end < 0 {
			return 0, errReading
		}
		if escaped && !isText(b[i+1:end-1]) {
			return 0, notText("headers")
		}
		if i = skipSpace(b, end); i >= len(b) {
			return 0, errReading
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			e.m.Headers = b[start : i+1]
			return i + 1, nil
		default:
			return 0, errReading
		}
	}
}

// headerFault names the header whose name is the string at the start of b; a long name is cut.
func headerFault(b []byte) *Error {
	end, _ := skipString(b, 0)
	name, _ := unescape(nil, clip(b[1:end-1], 128))
	return Malformed("Expected header '%s' to be of type String.", name)
}

// streamIDs reads the ids of upload streams.
func (e *envelope) streamIDs(i int) (end int, err error) {
	b := e.rec
	if b[i] != '[' {
		return 0, e.wrong(i, expected("streamIds", "Array"))
	}
	ids := e.m.StreamIDs[:0]
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		e.m.StreamIDs = ids
		return i + 1, nil
	}
	for {
		if i >= len(b) {
			return 0, errReading
		}
		if b[i] == 'n' {
			return 0, e.wrong(i, Malformed("Null value for 'streamIds' is not valid."))
		}
		id, end, err := e.text(i, "streamIds")
		if err != nil {
			return 0, err
		}
		if len(ids) == MaxStreamIDs {
			return 0, Malformed("There are more than %d 'streamIds'.", MaxStreamIDs)
		}
		if len(ids) == cap(ids) {
			// In two steps, so that what a record can have allocated stays in proportion to its size.
			size := 8
			if len(ids) > 0 {
				size = MaxStreamIDs
			}
			ids = append(make([][]byte, 0, size), ids...)
		}
		ids = append(ids, id)
		if i = skipSpace(b, end); i >= len(b) {
			return 0, errReading
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case ']':
			e.m.StreamIDs = ids
			return i + 1, nil
		default:
			return 0, errReading
		}
	}
}

// check looks at what the message's kind demands.
func (e *envelope) check() error {
	if e.seen&hasType == 0 {
		return missing("type")
	}
	m := e.m
	if e.kind >= 1 && e.kind <= 255 {
		m.Kind = Kind(e.kind)
	}
	m.HasResult = e.seen&hasResult != 0
	m.HasError = e.seen&hasError != 0
	switch m.Kind {
	case Invocation:
		return e.checkInvocation()
	case StreamItem:
		return e.checkStreamItem()
	case Completion:
		return e.checkCompletion()
	case StreamInvocation:
		return e.checkStreamInvocation()
	case CancelInvocation:
		return e.checkCancel()
	case Ack, Sequence:
		return e.checkSequenceID()
	}
	return nil // Ping and Close demand nothing; of an unknown kind nothing is known
}
