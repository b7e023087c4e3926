package codec

import (
	"bytes"
	"encoding/json"
)

// ValidBinder is a protocol that binds values without checking them again. A value must have been cut by NextValue out of the arguments of a
// decoded message; with any other the result is undefined. It is otherwise as Bind.
type ValidBinder interface {
	BindValid(value []byte, dst any) error
}

// RawAppender is a protocol that appends a json.RawMessage like AppendValue, check included, without the allocation of making it an any.
type RawAppender interface {
	AppendJSON(dst []byte, raw json.RawMessage) ([]byte, error)
}

func (jsonProtocol) BindValid(value []byte, dst any) error { return bindValid(value, dst) }

func (jsonProtocol) AppendJSON(dst []byte, raw json.RawMessage) ([]byte, error) {
	out, err := appendRawMessage(dst, raw, maxValueDepth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// endOf is the end of the value that begins at i in JSON that has been checked: it looks for what can end it, not at what it holds. -1 when b ends
// before it, so that JSON which has not been checked does no harm.
func endOf(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return endOfString(b, i)
	case '{', '[':
		for open := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				if i = endOfString(b, i); i < 0 {
					return -1
				}
				i--
			case '{', '[':
				open++
			case '}', ']':
				if open--; open == 0 {
					return i + 1
				}
			}
		}
		return -1
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return i
}

func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		slashes := 0
		for end-slashes > i && b[end-slashes-1] == '\\' {
			slashes++
		}
		if i = end; slashes&1 == 0 {
			return end + 1
		}
	}
	return -1
}
