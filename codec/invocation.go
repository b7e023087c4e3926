package codec

// Invocation (type 1) and StreamInvocation (type 4).

func (jsonProtocol) BeginInvocation(dst []byte, id, target string, nargs int) []byte {
	dst = append(dst, `{"type":1`...)
	if id != "" {
		dst = appendString(append(dst, `,"invocationId":`...), id)
	}
	return beginArguments(dst, target)
}

func beginArguments(dst []byte, target string) []byte {
	dst = appendString(append(dst, `,"target":`...), target)
	return append(dst, `,"arguments":[`...)
}

// appendArguments appends args and the bracket behind them.
func appendArguments(dst []byte, args []any) (_ []byte, err error) {
	for i, a := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, a); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func (p jsonProtocol) AppendInvocation(dst []byte, id, target string, args []any) ([]byte, error) {
	out, err := appendArguments(p.BeginInvocation(dst, id, target, len(args)), args)
	if err != nil {
		return dst, err
	}
	return p.End(out, len(dst)), nil
}

func (p jsonProtocol) AppendStreamInvocation(dst []byte, id, target string, args []any, streamIDs []string) ([]byte, error) {
	out := appendString(append(dst, `{"type":4,"invocationId":`...), id)
	out, err := appendArguments(beginArguments(out, target), args)
	if err != nil {
		return dst, err
	}
	if len(streamIDs) > 0 {
		out = append(out, `,"streamIds":[`...)
		for i, s := range streamIDs {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendString(out, s)
		}
		out = append(out, ']')
	}
	return p.End(out, len(dst)), nil
}

// checkInvocation: an empty target is there (and no method's name), an empty id is none.
func (e *envelope) checkInvocation() error {
	switch {
	case e.seen&hasTarget == 0:
		return missing("target")
	case e.seen&hasArguments == 0:
		return missing("arguments")
	}
	return nil
}

func (e *envelope) checkStreamInvocation() error {
	switch {
	case e.seen&hasTarget == 0:
		return missing("target")
	case len(e.m.ID) == 0:
		return missing("invocationId")
	case e.seen&hasArguments == 0:
		return missing("arguments")
	}
	return nil
}
