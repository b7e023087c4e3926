package method

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spokehub/spoke/codec"
)

// hubContext is what these tests use as the hub context.
type hubContext struct {
	context.Context
	id string
}

var testHub = &hubContext{context.Background(), "c1"}

// fake is a text protocol that shares nothing with the real ones: arguments are separated by '|', strings are written bare. It shows that the
// package leaves encodings to the protocol. What is not overridden here must not be called.
type fake struct {
	codec.Protocol
	binary bool
}

func (fake) Name() string   { return "fake" }
func (f fake) Binary() bool { return f.binary }

func (fake) NextValue(args []byte) (value, rest []byte, ok bool) {
	if args == nil {
		return nil, nil, false
	}
	if i := bytes.IndexByte(args, '|'); i >= 0 {
		return args[:i], args[i+1:], true
	}
	return args, nil, true
}

var errFake = errors.New("wrong kind of value")

func (fake) Bind(value []byte, dst any) (err error) {
	switch d := dst.(type) {
	case *string:
		if len(value) > 0 && value[0] == '#' {
			return errFake
		}
		*d = string(value)
	case *int:
		*d, err = strconv.Atoi(string(value))
	case *int64:
		*d, err = strconv.ParseInt(string(value), 10, 64)
	case *float64:
		*d, err = strconv.ParseFloat(string(value), 64)
	case *bool:
		*d, err = strconv.ParseBool(string(value))
	case *json.RawMessage:
		*d = append((*d)[:0], value...) // as encoding/json does: into what is there
	case *[]byte:
		*d = append((*d)[:0], value...)
	case *any:
		*d = string(value)
	default:
		return json.Unmarshal(value, dst)
	}
	return err
}

func (fake) AppendValue(dst []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(append(dst, "value:"...), b...), nil
}
func (fake) AppendString(dst []byte, s string) []byte { return append(append(dst, "string:"...), s...) }
func (fake) AppendInt(dst []byte, n int64) []byte {
	return strconv.AppendInt(append(dst, "int:"...), n, 10)
}
func (fake) AppendUint(dst []byte, n uint64) []byte {
	return strconv.AppendUint(append(dst, "uint:"...), n, 10)
}
func (fake) AppendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if f != f {
		return dst, errors.New("not a number")
	}
	return strconv.AppendFloat(append(dst, fmt.Sprintf("float%d:", bits)...), f, 'g', -1, bits), nil
}
func (fake) AppendBool(dst []byte, b bool) []byte {
	return strconv.AppendBool(append(dst, "bool:"...), b)
}
func (fake) AppendNil(dst []byte) []byte      { return append(dst, "nil"...) }
func (fake) AppendRaw(dst, raw []byte) []byte { return append(append(dst, "raw:"...), raw...) }
