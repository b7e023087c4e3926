package codec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
)

// AppendString appends text; bytes that are not UTF-8 become U+FFFD.
func (messagePack) AppendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string(appendText(nil, []byte(s)))
	}
	return append(appendStrHead(dst, len(s)), s...)
}

// AppendInt appends the shortest form, of those without a sign for what has none, as .NET does.
func (messagePack) AppendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendPackUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, packInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, packInt16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, packInt32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, packInt64), uint64(n))
}

func (messagePack) AppendUint(dst []byte, n uint64) []byte { return appendPackUint(dst, n) }

func appendPackUint(dst []byte, n uint64) []byte {
	switch {
	case n < packMap:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, packUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, packUint16), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, packUint32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, packUint64), n)
}

// AppendFloat writes every float64 there is, with its own width.
func (messagePack) AppendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	return appendPackFloat(dst, f, bits), nil
}

func appendPackFloat(dst []byte, f float64, bits int) []byte {
	if bits == 32 {
		return binary.BigEndian.AppendUint32(append(dst, packFloat), math.Float32bits(float32(f)))
	}
	return binary.BigEndian.AppendUint64(append(dst, packDouble), math.Float64bits(f))
}

func (messagePack) AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, packTrue)
	}
	return append(dst, packFalse)
}

func (messagePack) AppendNil(dst []byte) []byte      { return append(dst, packNil) }
func (messagePack) AppendRaw(dst, raw []byte) []byte { return append(dst, raw...) }

// AppendValue writes v as said at MessagePack. nil pointers, slices and maps are nil; maps with string keys are sorted, so that equal maps make equal bytes.
// What nests deeper than 62 levels, or contains itself, is an error, and so is what has no form in MessagePack (channels, functions, complex numbers).
func (messagePack) AppendValue(dst []byte, v any) ([]byte, error) {
	out, err := appendPacked(dst, v)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func appendStrHead(dst []byte, n int) []byte {
	switch {
	case n < 32:
		return append(dst, packStr|byte(n))
	case n <= math.MaxUint8:
		return append(dst, packStr8, byte(n))
	}
	return appendSize(dst, packStr16, packStr32, n)
}

func appendBin(dst, b []byte) []byte {
	if b == nil {
		return append(dst, packNil)
	}
	if n := len(b); n <= math.MaxUint8 {
		dst = append(dst, packBin8, byte(n))
	} else {
		dst = appendSize(dst, packBin16, packBin32, n)
	}
	return append(dst, b...)
}

func appendArrayHead(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, packArray|byte(n))
	}
	return appendSize(dst, packArr16, packArr32, n)
}

func appendMapHead(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, packMap|byte(n))
	}
	return appendSize(dst, packMap16, packMap32, n)
}

// appendSize appends a head with a size of two or four bytes. (A record over 2 GiB cannot be sent whatever its heads say.)
func appendSize(dst []byte, two, four byte, n int) []byte {
	if n <= math.MaxUint16 {
		return binary.BigEndian.AppendUint16(append(dst, two), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, four), uint32(n))
}

// appendPacked appends v. On an error dst's content is undefined.
func appendPacked(dst []byte, v any) ([]byte, error) { return packDynamic(dst, v, maxValueDepth) }

// packDynamic appends a value that may hold depth more levels. Common types need no reflection.
func packDynamic(dst []byte, v any, depth int) ([]byte, error) {
	p := messagePack{}
	switch v := v.(type) {
	case nil:
		return append(dst, packNil), nil
	case string:
		return p.AppendString(dst, v), nil
	case bool:
		return p.AppendBool(dst, v), nil
	case int:
		return p.AppendInt(dst, int64(v)), nil
	case int8:
		return p.AppendInt(dst, int64(v)), nil
	case int16:
		return p.AppendInt(dst, int64(v)), nil
	case int32:
		return p.AppendInt(dst, int64(v)), nil
	case int64:
		return p.AppendInt(dst, v), nil
	case uint:
		return appendPackUint(dst, uint64(v)), nil
	case uint8:
		return appendPackUint(dst, uint64(v)), nil
	case uint16:
		return appendPackUint(dst, uint64(v)), nil
	case uint32:
		return appendPackUint(dst, uint64(v)), nil
	case uint64:
		return appendPackUint(dst, v), nil
	case float64:
		return appendPackFloat(dst, v, 64), nil
	case float32:
		return appendPackFloat(dst, float64(v), 32), nil
	case []byte:
		return appendBin(dst, v), nil
	case time.Time:
		return appendTimestamp(dst, v), nil
	case Ext:
		return appendExt(dst, v.Type, v.Data), nil
	case Raw:
		return packRaw(dst, v, depth)
	case []Raw:
		return packRaws(dst, v, depth)
	case json.RawMessage:
		return packRawMessage(dst, v, depth)
	case []string:
		return packStrings(dst, v, depth)
	case []any:
		return packList(dst, v, depth)
	case map[string]any:
		return packMembers(dst, v, depth)
	}
	return packReflected(dst, reflect.ValueOf(v), depth)
}

func packStrings(dst []byte, list []string, depth int) ([]byte, error) {
	if list == nil {
		return append(dst, packNil), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = appendArrayHead(dst, len(list))
	for _, s := range list {
		dst = MessagePack.AppendString(dst, s)
	}
	return dst, nil
}

func packList(dst []byte, list []any, depth int) (_ []byte, err error) {
	if list == nil {
		return append(dst, packNil), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	dst = appendArrayHead(dst, len(list))
	for _, v := range list {
		if dst, err = packDynamic(dst, v, depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func packMembers(dst []byte, members map[string]any, depth int) (_ []byte, err error) {
	if members == nil {
		return append(dst, packNil), nil
	}
	if depth == 0 {
		return nil, errTooDeep
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = appendMapHead(dst, len(names))
	for _, name := range names {
		dst = MessagePack.AppendString(dst, name)
		if dst, err = packDynamic(dst, members[name], depth-1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// The timestamp extension and its three forms: 32 bits of seconds; 34 bits of seconds behind 30 of nanoseconds; all.
const (
	timestampType = -1
	timestamp32   = 4
	timestamp64   = 8
	timestamp96   = 12
)

// appendTimestamp appends the shortest form; zone and clock reading are lost.
func appendTimestamp(dst []byte, t time.Time) []byte {
	sec, nsec := t.Unix(), uint64(t.Nanosecond())
	ext := int8(timestampType)
	switch {
	case sec>>34 != 0:
		dst = binary.BigEndian.AppendUint32(append(dst, packExt8, timestamp96, byte(ext)), uint32(nsec))
		return binary.BigEndian.AppendUint64(dst, uint64(sec))
	case nsec == 0 && sec>>32 == 0:
		return binary.BigEndian.AppendUint32(append(dst, packFix4, byte(ext)), uint32(sec))
	}
	return binary.BigEndian.AppendUint64(append(dst, packFix8, byte(ext)), nsec<<34|uint64(sec))
}

// readTimestamp is the time of an extension; ok is false for one that is none.
func readTimestamp(data []byte) (t time.Time, ok bool) {
	var sec int64
	var nsec uint32
	switch len(data) {
	case timestamp32:
		sec = int64(binary.BigEndian.Uint32(data))
	case timestamp64:
		n := binary.BigEndian.Uint64(data)
		sec, nsec = int64(n&(1<<34-1)), uint32(n>>34)
	case timestamp96:
		nsec, sec = binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint64(data[4:]))
	default:
		return time.Time{}, false
	}
	if nsec > 999_999_999 || sec < minUnix || sec > maxUnix {
		return time.Time{}, false
	}
	return time.Unix(sec, int64(nsec)).UTC(), true
}

// The seconds of the years 1 and 9999, between which .NET and ISO 8601 have times.
const (
	minUnix = -62135596800
	maxUnix = 253402300799
)

// appendExt appends an extension.
func appendExt(dst []byte, typ int8, data []byte) []byte {
	switch n := len(data); n {
	case 1, 2, 4, 8, 16:
		for c := byte(packFix1); ; c++ {
			if 1<<(c-packFix1) == n {
				dst = append(dst, c)
				break
			}
		}
	default:
		if n <= math.MaxUint8 {
			dst = append(dst, packExt8, byte(n))
		} else {
			dst = appendSize(dst, packExt16, packExt32, n)
		}
	}
	return append(append(dst, byte(typ)), data...)
}

func packUnsupported(t reflect.Type) error {
	return &valueError{"MessagePackSerializationException", fmt.Errorf("a value of type %v cannot be written as MessagePack", t)}
}
