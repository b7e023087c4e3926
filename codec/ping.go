package codec

// Ping (type 6). Nothing is demanded of one that is read.

func (jsonProtocol) AppendPing(dst []byte) []byte {
	return append(dst, "{\"type\":6}\x1e"...)
}
