package codec

import "strconv"

// Sequence (type 9).

func (p jsonProtocol) AppendSequence(dst []byte, n int64) []byte {
	return p.End(strconv.AppendInt(append(dst, `{"type":9,"sequenceId":`...), n, 10), len(dst))
}

// checkSequenceID is also that of Ack.
func (e *envelope) checkSequenceID() error {
	if e.seen&hasSequenceID == 0 {
		return missing("sequenceId")
	}
	return nil
}
