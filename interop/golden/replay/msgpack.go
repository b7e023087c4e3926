package replay

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// packValue is a MessagePack value. Of integers the value counts, not the width; the widths of floats, and text against bytes, do count.
type packValue struct {
	kind  byte   // one of n t f i(nt) u(int above int64) 4 8(floats) s(tring) b(in) e(xt) [ {
	num   uint64 // integers (two's complement), bits of floats
	text  string // string, bin; ext with its type in front
	items []packValue
	pairs [][2]packValue
}

var errPackCut = errors.New("the value is cut short")

// parsePack reads one value; rest is what follows it. Declared counts are believed only as far as bytes are there.
func parsePack(p []byte, depth int) (v packValue, rest []byte, err error) {
	if depth > maxDepth {
		return v, nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	if len(p) == 0 {
		return v, nil, errPackCut
	}
	c := p[0]
	p = p[1:]
	number := func(n int) uint64 {
		if len(p) < n {
			err = errPackCut
			return 0
		}
		var b [8]byte
		copy(b[8-n:], p[:n])
		p = p[n:]
		return binary.BigEndian.Uint64(b[:])
	}
	take := func(kind byte, n uint64) (packValue, []byte, error) {
		if err != nil || n > uint64(len(p)) {
			return v, nil, errPackCut
		}
		v = packValue{kind: kind, text: string(p[:n])}
		if kind == 's' && !utf8.ValidString(v.text) {
			return v, nil, errors.New("a string that is not UTF-8")
		}
		return v, p[n:], nil
	}
	switch {
	case c < 0x80:
		return packValue{kind: 'i', num: uint64(c)}, p, nil
	case c < 0x90:
		return parsePackMap(p, uint64(c&15), depth)
	case c < 0xa0:
		return parsePackArray(p, uint64(c&15), depth)
	case c < 0xc0:
		return take('s', uint64(c&31))
	case c >= 0xe0:
		return packValue{kind: 'i', num: uint64(int64(int8(c)))}, p, nil
	}
	switch c {
	case 0xc0:
		return packValue{kind: 'n'}, p, nil
	case 0xc2, 0xc3:
		return packValue{kind: "ft"[c-0xc2]}, p, nil
	case 0xc4, 0xc5, 0xc6:
		return take('b', number(1<<(c-0xc4)))
	case 0xc7, 0xc8, 0xc9:
		return take('e', number(1<<(c-0xc7))+1)
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return take('e', 1<<(c-0xd4)+1)
	case 0xca:
		v = packValue{kind: '4', num: number(4)}
	case 0xcb:
		v = packValue{kind: '8', num: number(8)}
	case 0xcc, 0xcd, 0xce, 0xcf:
		v = packValue{kind: 'i', num: number(1 << (c - 0xcc))}
		if v.num > math.MaxInt64 {
			v.kind = 'u'
		}
	case 0xd0, 0xd1, 0xd2, 0xd3:
		n := 1 << (c - 0xd0)
		shift := 64 - 8*n
		v = packValue{kind: 'i', num: uint64(int64(number(n)<<shift) >> shift)}
	case 0xd9, 0xda, 0xdb:
		return take('s', number(1<<(c-0xd9)))
	case 0xdc, 0xdd:
		n := number(2 << (c - 0xdc))
		if err != nil {
			return v, nil, err
		}
		return parsePackArray(p, n, depth)
	case 0xde, 0xdf:
		n := number(2 << (c - 0xde))
		if err != nil {
			return v, nil, err
		}
		return parsePackMap(p, n, depth)
	default:
		return v, nil, fmt.Errorf("the byte 0x%02x means nothing", c)
	}
	return v, p, err
}

func parsePackArray(p []byte, n uint64, depth int) (packValue, []byte, error) {
	v := packValue{kind: '['}
	if n > uint64(len(p)) {
		return v, nil, errPackCut
	}
	for range n {
		item, rest, err := parsePack(p, depth+1)
		if err != nil {
			return v, nil, err
		}
		v.items = append(v.items, item)
		p = rest
	}
	return v, p, nil
}

func parsePackMap(p []byte, n uint64, depth int) (packValue, []byte, error) {
	v := packValue{kind: '{'}
	if 2*n > uint64(len(p)) {
		return v, nil, errPackCut
	}
	for range n {
		var pair [2]packValue
		for i := range pair {
			item, rest, err := parsePack(p, depth+1)
			if err != nil {
				return v, nil, err
			}
			pair[i] = item
			p = rest
		}
		v.pairs = append(v.pairs, pair)
	}
	return v, p, nil
}

// splitPack cuts a chunk into records, length prefix included.
func splitPack(p []byte) (records []string, err error) {
	for len(p) > 0 {
		n, used := binary.Uvarint(p)
		if used <= 0 || used > 5 || n > math.MaxInt32 {
			return records, fmt.Errorf("a length prefix that is cut or too large: %s", clip(hex.EncodeToString(p)))
		}
		if n > uint64(len(p)-used) {
			return records, fmt.Errorf("a hub message that is cut: %d of %d bytes: %s", len(p)-used, n, clip(hex.EncodeToString(p)))
		}
		records = append(records, string(p[:used+int(n)]))
		p = p[used+int(n):]
	}
	return records, nil
}

// parseRecord reads a record with its length prefix.
func parseRecord(rec string) (packValue, error) {
	_, used := binary.Uvarint([]byte(rec))
	if used <= 0 {
		return packValue{}, errPackCut
	}
	v, rest, err := parsePack([]byte(rec)[used:], 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes behind the value", len(rest))
	}
	return v, err
}

// packNotation reads the corpus' notation of a value: JSON, with {"map":[[key,value],…]}, {"bin":"hex"} and {"ext":"hex"}, whose first byte
// is the type; {} is an empty map; a number with a point or exponent is a float of 64 bits.
func packNotation(raw json.RawMessage) (packValue, error) {
	j, err := parseJSON(string(raw))
	if err != nil {
		return packValue{}, err
	}
	return packOf(&j)
}

func packOf(j *jsonValue) (packValue, error) {
	switch j.kind {
	case 'n', 't', 'f':
		return packValue{kind: j.kind}, nil
	case '"':
		return packValue{kind: 's', text: j.text}, nil
	case '0':
		if n, err := strconv.ParseInt(j.text, 10, 64); err == nil {
			return packValue{kind: 'i', num: uint64(n)}, nil
		}
		if n, err := strconv.ParseUint(j.text, 10, 64); err == nil {
			return packValue{kind: 'u', num: n}, nil
		}
		f, err := strconv.ParseFloat(j.text, 64)
		return packValue{kind: '8', num: math.Float64bits(f)}, err
	case '[':
		v := packValue{kind: '['}
		for i := range j.items {
			item, err := packOf(&j.items[i])
			if err != nil {
				return v, err
			}
			v.items = append(v.items, item)
		}
		return v, nil
	}
	if len(j.members) == 0 {
		return packValue{kind: '{'}, nil
	}
	m := j.members[0]
	if len(j.members) == 1 && (m.name == "bin" || m.name == "ext") && m.value.kind == '"' {
		b, err := hex.DecodeString(m.value.text)
		return packValue{kind: m.name[0], text: string(b)}, err
	}
	if len(j.members) != 1 || m.name != "map" || m.value.kind != '[' {
		return packValue{}, fmt.Errorf("an object must be one of map, bin and ext, not %q", m.name)
	}
	v := packValue{kind: '{'}
	for _, pair := range m.value.items {
		if pair.kind != '[' || len(pair.items) != 2 {
			return v, errors.New("a map is a list of pairs")
		}
		var kv [2]packValue
		for i := range kv {
			item, err := packOf(&pair.items[i])
			if err != nil {
				return v, err
			}
			kv[i] = item
		}
		v.pairs = append(v.pairs, kv)
	}
	return v, nil
}

// appendPack writes v in the shortest form; placeholders in strings are filled.
func (vs vars) appendPack(dst []byte, v *packValue) ([]byte, error) {
	switch v.kind {
	case 'n':
		return append(dst, 0xc0), nil
	case 'f':
		return append(dst, 0xc2), nil
	case 't':
		return append(dst, 0xc3), nil
	case 'i':
		return appendPackInt(dst, int64(v.num)), nil
	case 'u':
		return binary.BigEndian.AppendUint64(append(dst, 0xcf), v.num), nil
	case '4':
		return binary.BigEndian.AppendUint32(append(dst, 0xca), uint32(v.num)), nil
	case '8':
		return binary.BigEndian.AppendUint64(append(dst, 0xcb), v.num), nil
	case 's':
		text, err := vs.fill(v.text, nil)
		if err != nil {
			return dst, err
		}
		if len(text) < 32 {
			dst = append(dst, 0xa0|byte(len(text)))
		} else {
			dst = appendPackLen(dst, 0xd9, len(text))
		}
		return append(dst, text...), nil
	case 'b':
		return append(appendPackLen(dst, 0xc4, len(v.text)), v.text...), nil
	case 'e':
		if len(v.text) == 0 {
			return dst, errors.New("an ext without type")
		}
		return append(appendPackLen(dst, 0xc7, len(v.text)-1), v.text...), nil
	case '[':
		if len(v.items) < 16 {
			dst = append(dst, 0x90|byte(len(v.items)))
		} else {
			dst = binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(len(v.items)))
		}
		var err error
		for i := range v.items {
			if dst, err = vs.appendPack(dst, &v.items[i]); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	if len(v.pairs) < 16 {
		dst = append(dst, 0x80|byte(len(v.pairs)))
	} else {
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdf), uint32(len(v.pairs)))
	}
	var err error
	for i := range v.pairs {
		for k := range v.pairs[i] {
			if dst, err = vs.appendPack(dst, &v.pairs[i][k]); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// appendPackLen writes the header of the forms with lengths of 1, 2 and 4 bytes, whose codes are code, code+1 and code+2.
func appendPackLen(dst []byte, code byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, code, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, code+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, code+2), uint32(n))
}

func appendPackInt(dst []byte, n int64) []byte {
	switch {
	case n >= -32 && n <= 127:
		return append(dst, byte(n))
	case n >= 0 && n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

// appendRecord writes v as a record with its length prefix.
func (vs vars) appendRecord(dst []byte, v *packValue) ([]byte, error) {
	body, err := vs.appendPack(nil, v)
	if err != nil {
		return dst, err
	}
	return append(binary.AppendUvarint(dst, uint64(len(body))), body...), nil
}

// equalPack compares by value; see equalJSON.
func (vs vars) equalPack(where string, want, got *packValue) string {
	differs := func() string {
		return fmt.Sprintf("%s: %s instead of %s", where, clip(got.String()), clip(want.String()))
	}
	if want.kind != got.kind || want.num != got.num {
		return differs()
	}
	switch want.kind {
	case 's':
		if !vs.match(want.text, got.text) {
			return differs()
		}
	case 'b', 'e':
		if want.text != got.text {
			return differs()
		}
	case '[':
		if len(want.items) != len(got.items) {
			return fmt.Sprintf("%s: %d items instead of %d", where, len(got.items), len(want.items))
		}
		for i := range want.items {
			if d := vs.equalPack(fmt.Sprintf("%s[%d]", where, i), &want.items[i], &got.items[i]); d != "" {
				return d
			}
		}
	case '{':
		return vs.equalPairs(where, want.pairs, got.pairs)
	}
	return ""
}

func (vs vars) equalPairs(where string, want, got [][2]packValue) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%s: %d map entries instead of %d", where, len(got), len(want))
	}
	used := make([]bool, len(got))
next:
	for i := range want {
		for k := range got {
			if used[k] || (vars{}).equalPack("", &want[i][0], &got[k][0]) != "" {
				continue
			}
			used[k] = true
			if d := vs.equalPack(where+"."+want[i][0].String(), &want[i][1], &got[k][1]); d != "" {
				return d
			}
			continue next
		}
		return fmt.Sprintf("%s: no key %s", where, want[i][0].String())
	}
	return ""
}

// String is the corpus' notation, with floats of 32 bits marked.
func (v *packValue) String() string {
	var b strings.Builder
	v.write(&b)
	return b.String()
}

func (v *packValue) write(b *strings.Builder) {
	switch v.kind {
	case 'n':
		b.WriteString("null")
	case 't', 'f':
		b.WriteString(kindName(v.kind))
	case 'i':
		fmt.Fprint(b, int64(v.num))
	case 'u':
		fmt.Fprint(b, v.num)
	case '4':
		fmt.Fprintf(b, "float32(%v)", math.Float32frombits(uint32(v.num)))
	case '8':
		fmt.Fprintf(b, "float64(%v)", math.Float64frombits(v.num))
	case 's':
		fmt.Fprintf(b, "%q", v.text)
	case 'b':
		fmt.Fprintf(b, `{"bin":"%x"}`, v.text)
	case 'e':
		fmt.Fprintf(b, `{"ext":"%x"}`, v.text)
	case '[':
		b.WriteByte('[')
		for i := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.items[i].write(b)
		}
		b.WriteByte(']')
	case '{':
		b.WriteString(`{"map":[`)
		for i := range v.pairs {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('[')
			v.pairs[i][0].write(b)
			b.WriteByte(',')
			v.pairs[i][1].write(b)
			b.WriteByte(']')
		}
		b.WriteString("]}")
	}
}
