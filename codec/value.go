package codec

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"
)

// maxValueDepth is how deep a value may nest that we write: a message has two levels around an argument, and official clients read no more than maxDepth.
const maxValueDepth = maxDepth - 2

func (jsonProtocol) AppendString(dst []byte, s string) []byte { return appendString(dst, s) }
func (jsonProtocol) AppendInt(dst []byte, n int64) []byte     { return strconv.AppendInt(dst, n, 10) }
func (jsonProtocol) AppendUint(dst []byte, n uint64) []byte   { return strconv.AppendUint(dst, n, 10) }
func (jsonProtocol) AppendBool(dst []byte, b bool) []byte     { return strconv.AppendBool(dst, b) }
func (jsonProtocol) AppendNil(dst []byte) []byte              { return append(dst, "null"...) }
func (jsonProtocol) AppendRaw(dst, raw []byte) []byte         { return append(dst, raw...) }
func (jsonProtocol) AppendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	return appendFloat(dst, f, bits)
}

func (jsonProtocol) AppendValue(dst []byte, v any) ([]byte, error) {
	out, err := appendValue(dst, v)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendFloat appends the shortest digits that read back as f, in the form of .NET: an exponent below 1e-4 and from 15 digits on (bits 32: 7 digits).
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, notFinite(f)
	}
	large := 1e15
	if bits == 32 {
		large = 1e7
	}
	form := byte('f')
	if abs := math.Abs(f); abs >= large || abs < 1e-4 && abs != 0 {
		form = 'E'
	}
	return strconv.AppendFloat(dst, f, form, -1, bits), nil
}

// appendValue appends v. Common types need no reflection; what they hold, and the rest, is encoding/json's business, escaped like everything else we write.
// On an error dst's content is undefined.
func appendValue(dst []byte, v any) ([]byte, error) { return appendDynamic(dst, v, maxValueDepth) }

// appendDynamic appends a value that may hold depth more levels.
func appendDynamic(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendString(dst, v), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v, 64)
	case float32:
		return appendFloat(dst, float64(v), 32)
	case []byte:
		return appendBytes(dst, v), nil
	case time.Time:
		return appendTime(dst, v)
	case Raw:
		return appendRaw(dst, v, depth)
	case []Raw:
		return appendRaws(dst, v, depth)
	case json.RawMessage:
		return appendRawMessage(dst, v, depth)
	case []string:
		return appendStrings(dst, v, depth)
	case []any:
		return appendList(dst, v, depth)
	case map[string]any:
		return appendMap(dst, v, depth)
	}
	return appendReflected(dst, v, depth)
}

// appendBytes appends base64, as .NET writes byte arrays; nil is null.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendTime appends RFC 3339 with as many digits of the second as there are.
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	dst, err := t.AppendText(append(dst, '"'))
	if err != nil {
		return nil, &valueError{"JsonException", err}
	}
	return append(dst, '"'), nil
}

// appendRawMessage appends a value that is JSON already, as it is; nil is null, as for encoding/json.
func appendRawMessage(dst []byte, raw json.RawMessage, depth int) ([]byte, error) {
	if raw == nil {
		return append(dst, "null"...), nil
	}
	i := skipSpace(raw, 0)
	end := skipValue(raw, i, maxDepth-depth)
	if end < 0 || skipSpace(raw, end) != len(raw) {
		return nil, &valueError{"JsonException", errors.New("the json.RawMessage is not one JSON value in UTF-8, or nests too deep")}
	}
	return append(dst, raw[i:end]...), nil
}

func appendStrings(dst []byte, list []string, depth int) ([]byte, error) {
	if list == nil {
		return append(dst, "null"...), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']'), nil
}

func appendList(dst []byte, list []any, depth int) (_ []byte, err error) {
	if list == nil {
		return append(dst, "null"...), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendDynamic(dst, v, depth-1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendMap appends the members in the order of their names, so that equal maps make equal bytes.
func appendMap(dst []byte, members map[string]any, depth int) (_ []byte, err error) {
	if members == nil {
		return append(dst, "null"...), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		if dst, err = appendDynamic(dst, members[name], depth-1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
