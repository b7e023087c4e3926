package codec

// Close (type 7). Nothing is demanded of one that is read; what it has must be of the right type.

func (p jsonProtocol) AppendClose(dst []byte, text string, allowReconnect bool) []byte {
	out := append(dst, `{"type":7`...)
	if text != "" {
		out = appendString(append(out, `,"error":`...), text)
	}
	if allowReconnect {
		out = append(out, `,"allowReconnect":true`...)
	}
	return p.End(out, len(dst))
}
