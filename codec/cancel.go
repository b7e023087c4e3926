package codec

// CancelInvocation (type 5).

func (p jsonProtocol) AppendCancel(dst []byte, id string) []byte {
	return p.End(appendString(append(dst, `{"type":5,"invocationId":`...), id), len(dst))
}

func (e *envelope) checkCancel() error {
	if len(e.m.ID) == 0 {
		return missing("invocationId")
	}
	return nil
}
