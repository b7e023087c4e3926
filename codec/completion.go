package codec

// Completion (type 3).

func beginCompletion(dst []byte, id string) []byte {
	return appendString(append(dst, `{"type":3,"invocationId":`...), id)
}

func (jsonProtocol) BeginResult(dst []byte, id string) []byte {
	return append(beginCompletion(dst, id), `,"result":`...)
}

func (p jsonProtocol) AppendResult(dst []byte, id string, result any) ([]byte, error) {
	out, err := appendValue(p.BeginResult(dst, id), result)
	if err != nil {
		return dst, err
	}
	return p.End(out, len(dst)), nil
}

func (p jsonProtocol) AppendError(dst []byte, id, text string) []byte {
	out := append(beginCompletion(dst, id), `,"error":`...)
	return p.End(appendString(out, text), len(dst))
}

func (p jsonProtocol) AppendCompletion(dst []byte, id string) []byte {
	return p.End(beginCompletion(dst, id), len(dst))
}

func (e *envelope) checkCompletion() error {
	switch {
	case e.seen&hasID == 0:
		return missing("invocationId")
	case e.m.HasError && e.m.HasResult:
		return Malformed("The 'error' and 'result' properties are mutually exclusive.")
	}
	e.m.Payload = e.result
	return nil
}
