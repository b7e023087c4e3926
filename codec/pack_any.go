package codec

import (
	"fmt"
	"time"
)

// Ext is a MessagePack extension of a type that Spoke knows nothing about (all but -1, the timestamp), as it stands in any. In JSON it is an object with these two members.
type Ext struct {
	Type int8   `json:"type" msgpack:"type"`
	Data []byte `json:"data" msgpack:"data"`
}

// packedAny decodes a value of no declared type. v is one valid value, so its nesting, and the recursion here, is bounded.
func packedAny(v []byte) (any, error) {
	x, _, err := packedDynamic(v, 0)
	return x, err
}

// packedDynamic decodes the value at i of the valid b and returns the index behind it.
func packedDynamic(b []byte, i int) (x any, end int, err error) {
	h := readHead(b, i)
	switch h.kind {
	case kindNil:
	case kindBool:
		x = b[h.start] == packTrue
	case kindInt:
		if n, ok := packInt(b, h, 64); ok {
			x = n
		} else {
			x, _ = packInteger(b, h)
		}
	case kindFloat:
		x = packedNumber(b, h)
	case kindStr:
		x = textString(b[h.start:h.end])
	case kindBin:
		x = append([]byte{}, b[h.start:h.end]...)
	case kindExt:
		if h.typ == timestampType {
			var t time.Time
			t, err = packedTime(b, h)
			x = t
		} else {
			x = Ext{h.typ, append([]byte{}, b[h.start:h.end]...)}
		}
	case kindArray:
		return packedArray(b, h)
	case kindMap:
		return packedMap(b, h)
	default:
		err = errNotPacked
	}
	return x, h.end, err
}

func packedArray(b []byte, h packHead) (x any, end int, err error) {
	list := make([]any, h.count)
	i := h.end
	for n := range list {
		if list[n], i, err = packedDynamic(b, i); err != nil {
			return nil, 0, fmt.Errorf("element %d: %w", n, err)
		}
	}
	return list, i, nil
}

// packedMap: of equal keys the last counts.
func packedMap(b []byte, h packHead) (x any, end int, err error) {
	members := make(map[string]any, h.count)
	i := h.end
	for n := range h.count {
		key := readHead(b, i)
		if key.kind != kindStr {
			return packedOther(b, h)
		}
		name := textString(b[key.start:key.end])
		if members[name], i, err = packedDynamic(b, key.end); err != nil {
			return nil, 0, fmt.Errorf("member %d: %w", n, err)
		}
	}
	return members, i, nil
}

// packedOther decodes a map that has keys of other kinds than text. They must be nil, bool, numbers, text or times.
func packedOther(b []byte, h packHead) (x any, end int, err error) {
	members := make(map[any]any, h.count)
	i := h.end
	for n := range h.count {
		key := readHead(b, i)
		switch key.kind {
		case kindBin, kindArray, kindMap:
			return nil, 0, fmt.Errorf("key of member %d: expected a simple value, got %s", n, describePacked(b, key))
		case kindExt:
			if key.typ != timestampType {
				return nil, 0, fmt.Errorf("key of member %d: expected a simple value, got %s", n, describePacked(b, key))
			}
		}
		var name any
		if name, i, err = packedDynamic(b, i); err != nil {
			return nil, 0, fmt.Errorf("key of member %d: %w", n, err)
		}
		if members[name], i, err = packedDynamic(b, i); err != nil {
			return nil, 0, fmt.Errorf("member %d: %w", n, err)
		}
	}
	return members, i, nil
}
