package codec

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Between the two encodings. A hub method that takes or returns json.RawMessage (or a codec.Tree, or a type with JSON methods) works for clients of both, and so does
// one with a Raw, which is translated only when it goes to a client of the other encoding:
//
//	MessagePack            JSON
//	nil, bool, text        null, true or false, string
//	integer                integer
//	float                  number; not for NaN and the infinities
//	binary                 base64 in a string
//	timestamp              ISO 8601 in a string
//	other extension        {"type":5,"data":"…"}, the data in base64
//	array                  array
//	map                    object, keys that are integers as decimal digits; not for keys of other kinds than these and text
//
// and back: a number without fraction and exponent is an integer if 64 bits hold it, any other one a float of 64 bits, if that holds it; base64 and times stay
// strings. So an integer beyond 64 bits loses digits, and half of a surrogate pair is refused.

// appendTranscodedJSON appends the valid MessagePack value v as JSON. On an error dst's content is undefined.
func appendTranscodedJSON(dst, v []byte) ([]byte, error) {
	dst, _, err := appendAsJSON(dst, v, 0)
	return dst, err
}

// appendAsJSON appends the value at i of the valid b and returns the index behind it.
func appendAsJSON(dst, b []byte, i int) (_ []byte, end int, err error) {
	h := readHead(b, i)
	switch h.kind {
	case kindNil:
		dst = append(dst, "null"...)
	case kindBool:
		dst = strconv.AppendBool(dst, b[h.start] == packTrue)
	case kindInt:
		dst = appendDigits(dst, b, h)
	case kindFloat:
		dst, err = appendFloat(dst, packedNumber(b, h), 8*(h.end-h.start))
	case kindStr:
		dst = appendString(dst, string(b[h.start:h.end]))
	case kindBin:
		dst = appendBase64(dst, b[h.start:h.end])
	case kindExt:
		dst, err = appendExtAsJSON(dst, b, h)
	case kindArray:
		return appendArrayAsJSON(dst, b, h)
	case kindMap:
		return appendMapAsJSON(dst, b, h)
	default:
		err = errNotPacked
	}
	return dst, h.end, err
}

func appendDigits(dst, b []byte, h packHead) []byte {
	n, negative := packInteger(b, h)
	if negative {
		return strconv.AppendInt(dst, int64(n), 10)
	}
	return strconv.AppendUint(dst, n, 10)
}

func appendBase64(dst, b []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), b)
	return append(dst, '"')
}

func appendExtAsJSON(dst, b []byte, h packHead) ([]byte, error) {
	if h.typ == timestampType {
		t, err := packedTime(b, h)
		if err != nil {
			return nil, err
		}
		return appendTime(dst, t)
	}
	dst = strconv.AppendInt(append(dst, `{"type":`...), int64(h.typ), 10)
	dst = appendBase64(append(dst, `,"data":`...), b[h.start:h.end])
	return append(dst, '}'), nil
}

func appendArrayAsJSON(dst, b []byte, h packHead) (_ []byte, end int, err error) {
	dst = append(dst, '[')
	i := h.end
	for n := range h.count {
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, i, err = appendAsJSON(dst, b, i); err != nil {
			return nil, 0, err
		}
	}
	return append(dst, ']'), i, nil
}

func appendMapAsJSON(dst, b []byte, h packHead) (_ []byte, end int, err error) {
	dst = append(dst, '{')
	i := h.end
	for n := range h.count {
		if n > 0 {
			dst = append(dst, ',')
		}
		key := readHead(b, i)
		switch key.kind {
		case kindStr:
			dst = appendString(dst, string(b[key.start:key.end]))
		case kindInt:
			dst = append(appendDigits(append(dst, '"'), b, key), '"')
		default:
			return nil, 0, fmt.Errorf("a map with %s as a key has no form in JSON", describePacked(b, key))
		}
		if dst, i, err = appendAsJSON(append(dst, ':'), b, key.end); err != nil {
			return nil, 0, err
		}
	}
	return append(dst, '}'), i, nil
}

// AppendJSON implements RawAppender.
func (messagePack) AppendJSON(dst []byte, raw json.RawMessage) ([]byte, error) {
	out, err := packRawMessage(dst, raw, maxValueDepth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// packRawMessage appends a JSON value as MessagePack; nil is nil. depth is how many more levels it may hold.
func packRawMessage(dst []byte, raw json.RawMessage, depth int) ([]byte, error) {
	if raw == nil {
		return append(dst, packNil), nil
	}
	i := skipSpace(raw, 0)
	end := skipValue(raw, i, maxDepth-depth)
	if end < 0 || skipSpace(raw, end) != len(raw) {
		return nil, &valueError{"MessagePackSerializationException", errors.New("the json.RawMessage is not one JSON value in UTF-8, or nests too deep")}
	}
	dst, _, err := packJSON(dst, raw, i)
	if err != nil {
		return nil, &valueError{"MessagePackSerializationException", err}
	}
	return dst, nil
}

// packJSON appends the value at i of the valid JSON b and returns the index behind it.
func packJSON(dst, b []byte, i int) (_ []byte, end int, err error) {
	switch b[i] {
	case '{', '[':
		return packJSONContainer(dst, b, i)
	}
	end = skipScalar(b, i)
	switch v := b[i:end]; v[0] {
	case 'n':
		return append(dst, packNil), end, nil
	case 't', 'f':
		return MessagePack.AppendBool(dst, v[0] == 't'), end, nil
	case '"':
		s, err := bindString(v)
		return MessagePack.AppendString(dst, s), end, err
	default:
		dst, err = packJSONNumber(dst, v)
		return dst, end, err
	}
}

func packJSONNumber(dst, v []byte) ([]byte, error) {
	if n, ok := parseInt(v, 64); ok {
		return MessagePack.AppendInt(dst, n), nil
	}
	if n, ok := parseUint(v, 64); ok {
		return appendPackUint(dst, n), nil
	}
	f, err := bindFloat(v, 64)
	return appendPackFloat(dst, f, 64), err
}

// packJSONContainer appends an object or array. How many elements there are is known behind them: the head of a long one is put in front then.
func packJSONContainer(dst, b []byte, i int) (_ []byte, end int, err error) {
	start, n := len(dst), 0
	object := b[i] == '{'
	dst = append(dst, 0)
	for i = skipSpace(b, i+1); b[i] != '}' && b[i] != ']'; n++ {
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		if object {
			if dst, i, err = packJSON(dst, b, i); err != nil {
				return nil, 0, err
			}
			i = skipSpace(b, skipSpace(b, i)+1) // the colon
		}
		if dst, i, err = packJSON(dst, b, i); err != nil {
			return nil, 0, err
		}
		i = skipSpace(b, i)
	}
	var head [5]byte
	long := appendArrayHead(head[:0], n)
	if object {
		long = appendMapHead(head[:0], n)
	}
	dst[start] = long[0]
	return slices.Insert(dst, start+1, long[1:]...), i + 1, nil
}
