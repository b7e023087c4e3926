package codec

// StreamItem (type 2).

func (jsonProtocol) BeginStreamItem(dst []byte, id string) []byte {
	dst = appendString(append(dst, `{"type":2,"invocationId":`...), id)
	return append(dst, `,"item":`...)
}

func (p jsonProtocol) AppendStreamItem(dst []byte, id string, item any) ([]byte, error) {
	out, err := appendValue(p.BeginStreamItem(dst, id), item)
	if err != nil {
		return dst, err
	}
	return p.End(out, len(dst)), nil
}

// checkStreamItem: an empty id is an id, of no stream. Where the item stands does not matter (wire contract, section 26, trap 12).
func (e *envelope) checkStreamItem() error {
	switch {
	case e.seen&hasID == 0:
		return missing("invocationId")
	case e.seen&hasItem == 0:
		return missing("item")
	}
	e.m.Payload = e.item
	return nil
}
