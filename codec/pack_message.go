package codec

// The kinds of result in a Completion.
const (
	resultError = 1
	resultVoid  = 2
	resultValue = 3
)

// Invocation (type 1) and StreamInvocation (type 4) have always six items.

func (p messagePack) BeginInvocation(dst []byte, id, target string, nargs int) []byte {
	return p.beginArguments(dst, Invocation, id, target, nargs)
}

func (p messagePack) beginArguments(dst []byte, kind Kind, id, target string, nargs int) []byte {
	dst = append(p.begin(dst), packArray|6, byte(kind), packMap)
	if id == "" {
		dst = append(dst, packNil)
	} else {
		dst = p.AppendString(dst, id)
	}
	return appendArrayHead(p.AppendString(dst, target), nargs)
}

func (p messagePack) appendArguments(dst []byte, args []any) (_ []byte, err error) {
	for _, a := range args {
		if dst, err = appendPacked(dst, a); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func (p messagePack) AppendInvocation(dst []byte, id, target string, args []any) ([]byte, error) {
	out, err := p.appendArguments(p.BeginInvocation(dst, id, target, len(args)), args)
	if err != nil {
		return dst, err
	}
	return p.End(p.EndArgs(out), len(dst)), nil
}

func (p messagePack) AppendStreamInvocation(dst []byte, id, target string, args []any, streamIDs []string) ([]byte, error) {
	out, err := p.appendArguments(p.beginArguments(dst, StreamInvocation, id, target, len(args)), args)
	if err != nil {
		return dst, err
	}
	out = appendArrayHead(out, len(streamIDs))
	for _, s := range streamIDs {
		out = p.AppendString(out, s)
	}
	return p.End(out, len(dst)), nil
}

// StreamItem (type 2).

func (p messagePack) BeginStreamItem(dst []byte, id string) []byte {
	return p.AppendString(append(p.begin(dst), packArray|4, byte(StreamItem), packMap), id)
}

func (p messagePack) AppendStreamItem(dst []byte, id string, item any) ([]byte, error) {
	out, err := appendPacked(p.BeginStreamItem(dst, id), item)
	if err != nil {
		return dst, err
	}
	return p.End(out, len(dst)), nil
}

// Completion (type 3) has five items, or four without a value.

func (p messagePack) beginCompletion(dst []byte, id string, items, kind byte) []byte {
	dst = append(p.begin(dst), packArray|items, byte(Completion), packMap)
	return append(p.AppendString(dst, id), kind)
}

func (p messagePack) BeginResult(dst []byte, id string) []byte {
	return p.beginCompletion(dst, id, 5, resultValue)
}

func (p messagePack) AppendResult(dst []byte, id string, result any) ([]byte, error) {
	out, err := appendPacked(p.BeginResult(dst, id), result)
	if err != nil {
		return dst, err
	}
	return p.End(out, len(dst)), nil
}

func (p messagePack) AppendError(dst []byte, id, text string) []byte {
	return p.End(p.AppendString(p.beginCompletion(dst, id, 5, resultError), text), len(dst))
}

func (p messagePack) AppendCompletion(dst []byte, id string) []byte {
	return p.End(p.beginCompletion(dst, id, 4, resultVoid), len(dst))
}

// CancelInvocation (type 5).

func (p messagePack) AppendCancel(dst []byte, id string) []byte {
	return p.End(p.AppendString(append(p.begin(dst), packArray|3, byte(CancelInvocation), packMap), id), len(dst))
}

// Ping (type 6).

func (messagePack) AppendPing(dst []byte) []byte { return append(dst, 2, packArray|1, byte(Ping)) }

// Close (type 7) has always three items.

func (p messagePack) AppendClose(dst []byte, text string, allowReconnect bool) []byte {
	out := append(p.begin(dst), packArray|3, byte(Close))
	if text == "" {
		out = append(out, packNil)
	} else {
		out = p.AppendString(out, text)
	}
	return p.End(p.AppendBool(out, allowReconnect), len(dst))
}

// Ack (type 8) and Sequence (type 9).

func (p messagePack) AppendAck(dst []byte, n int64) []byte { return p.appendSequenceID(dst, Ack, n) }

func (p messagePack) AppendSequence(dst []byte, n int64) []byte {
	return p.appendSequenceID(dst, Sequence, n)
}

func (p messagePack) appendSequenceID(dst []byte, kind Kind, n int64) []byte {
	return p.End(p.AppendInt(append(p.begin(dst), packArray|2, byte(kind)), n), len(dst))
}
