package codec

import "strconv"

// Ack (type 8).

func (p jsonProtocol) AppendAck(dst []byte, n int64) []byte {
	return p.End(strconv.AppendInt(append(dst, `{"type":8,"sequenceId":`...), n, 10), len(dst))
}
