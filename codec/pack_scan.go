package codec

import "encoding/binary"

// The first bytes of MessagePack values.
const (
	packMap    = 0x80 // to 0x8f
	packArray  = 0x90 // to 0x9f
	packStr    = 0xa0 // to 0xbf
	packNil    = 0xc0
	packFalse  = 0xc2
	packTrue   = 0xc3
	packBin8   = 0xc4
	packBin16  = 0xc5
	packBin32  = 0xc6
	packExt8   = 0xc7
	packExt16  = 0xc8
	packExt32  = 0xc9
	packFloat  = 0xca
	packDouble = 0xcb
	packUint8  = 0xcc
	packUint16 = 0xcd
	packUint32 = 0xce
	packUint64 = 0xcf
	packInt8   = 0xd0
	packInt16  = 0xd1
	packInt32  = 0xd2
	packInt64  = 0xd3
	packFix1   = 0xd4 // extensions of fixed size
	packFix2   = 0xd5
	packFix4   = 0xd6
	packFix8   = 0xd7
	packFix16  = 0xd8
	packStr8   = 0xd9
	packStr16  = 0xda
	packStr32  = 0xdb
	packArr16  = 0xdc
	packArr32  = 0xdd
	packMap16  = 0xde
	packMap32  = 0xdf
	packMinus  = 0xe0 // to 0xff: -32 to -1
)

// packKind is what a value is.
type packKind uint8

const (
	kindNone packKind = iota // no value: 0xc1, or cut short
	kindNil
	kindBool
	kindInt
	kindFloat
	kindStr
	kindBin
	kindExt
	kindArray
	kindMap
)

// packHead is the head of a value: what it is and where its content lies.
type packHead struct {
	kind  packKind
	typ   int8 // of an extension
	code  int  // where the value begins
	start int  // of the content: text, bytes, the extension's data, the first element or name
	end   int  // of the content; of a container, start
	count int  // elements, or pairs of a map
}

// readHead reads the head of the value at i of b. The content of all but containers is there; of containers there may be: each of their values needs a byte at least.
func readHead(b []byte, i int) packHead {
	h := headAt(b, i)
	h.code = i
	return h
}

func headAt(b []byte, i int) packHead {
	if i >= len(b) {
		return packHead{}
	}
	c := b[i]
	i++
	switch {
	case c < packMap, c >= packMinus:
		return packHead{kind: kindInt, start: i - 1, end: i}
	case c < packArray:
		return container(b, i, kindMap, uint64(c&0x0F))
	case c < packStr:
		return container(b, i, kindArray, uint64(c&0x0F))
	case c < packNil:
		return content(b, i, kindStr, uint64(c&0x1F))
	}
	switch c {
	case packNil:
		return packHead{kind: kindNil, start: i, end: i}
	case packFalse, packTrue:
		return packHead{kind: kindBool, start: i - 1, end: i}
	case packBin8, packBin16, packBin32:
		n, i := size(b, i, 1<<(c-packBin8))
		return content(b, i, kindBin, n)
	case packExt8, packExt16, packExt32:
		n, i := size(b, i, 1<<(c-packExt8))
		return extension(b, i, n)
	case packFloat, packDouble:
		return content(b, i, kindFloat, 4<<(c-packFloat))
	case packUint8, packUint16, packUint32, packUint64:
		return content(b, i, kindInt, 1<<(c-packUint8))
	case packInt8, packInt16, packInt32, packInt64:
		return content(b, i, kindInt, 1<<(c-packInt8))
	case packFix1, packFix2, packFix4, packFix8, packFix16:
		return extension(b, i, 1<<(c-packFix1))
	case packStr8, packStr16, packStr32:
		n, i := size(b, i, 1<<(c-packStr8))
		return content(b, i, kindStr, n)
	case packArr16, packArr32:
		n, i := size(b, i, 2<<(c-packArr16))
		return container(b, i, kindArray, n)
	case packMap16, packMap32:
		n, i := size(b, i, 2<<(c-packMap16))
		return container(b, i, kindMap, n)
	}
	return packHead{}
}

// size reads a length of so many bytes; the index behind it is beyond b when it is cut short.
func size(b []byte, i, width int) (n uint64, end int) {
	if len(b)-i < width {
		return 0, len(b) + 1
	}
	switch width {
	case 1:
		n = uint64(b[i])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b[i:]))
	default:
		n = uint64(binary.BigEndian.Uint32(b[i:]))
	}
	return n, i + width
}

func content(b []byte, i int, kind packKind, n uint64) packHead {
	if i > len(b) || uint64(len(b)-i) < n {
		return packHead{}
	}
	return packHead{kind: kind, start: i, end: i + int(n)}
}

func extension(b []byte, i int, n uint64) packHead {
	h := content(b, i, kindExt, n+1)
	if h.kind != kindNone {
		h.typ = int8(b[h.start])
		h.start++
	}
	return h
}

func container(b []byte, i int, kind packKind, n uint64) packHead {
	values := n
	if kind == kindMap {
		values *= 2
	}
	if i > len(b) || uint64(len(b)-i) < values {
		return packHead{}
	}
	return packHead{kind: kind, start: i, end: i, count: int(n)}
}

// values is how many values follow the head.
func (h *packHead) values() int {
	if h.kind == kindMap {
		return 2 * h.count
	}
	return h.count
}

// packEnd is the index behind the value at i, -1 when there is none: it is cut short, nests too deep (depth is the number of containers around it, the bound
// that of JSON), has the byte 0xc1, or declares more elements than bytes are left. The sum of the elements that are still to come counts, so whatever passes has no more
// values than bytes, and what comes behind may trust the counts in it.
func packEnd(b []byte, i, depth int) int {
	if end := quickEnd(b, i); end > 0 {
		return end
	}
	h := readHead(b, i)
	switch h.kind {
	case kindNone:
		return -1
	case kindArray, kindMap:
		if depth >= maxDepth {
			return -1
		}
		if h.count > 0 {
			return packContentEnd(b, h.start, h.values(), depth+1)
		}
	}
	return h.end
}

// quickEnd is packEnd for most values of messages, numbers and text of up to 255 bytes; 0: it may be another one.
func quickEnd(b []byte, i int) int {
	if i >= len(b) {
		return 0
	}
	end := 0
	if step := packSteps[b[i]]; step != 0 {
		end = i + int(step)
	} else if b[i] == packStr8 && i+1 < len(b) {
		end = i + 2 + int(b[i+1])
	}
	if end > len(b) {
		return 0
	}
	return end
}

// readArray reads the head of an array at i: how many elements there are, and where they begin. Those of up to 15 elements, which most messages and their arguments are, without
// the general way (BenchmarkDecodeInvocationPacked).
func readArray(b []byte, i int) (count, start int, ok bool) {
	if i < len(b) && b[i]&0xF0 == packArray {
		count, start = int(b[i]&0x0F), i+1
		return count, start, len(b)-start >= count
	}
	h := readHead(b, i)
	return h.count, h.end, h.kind == kindArray
}

// packSteps are the sizes of the values whose first byte says all about their size; 0 for the others.
var packSteps = func() (t [256]uint8) {
	for c := range t {
		if h := headAt(append([]byte{byte(c)}, make([]byte, 32)...), 0); h.kind != kindNone && h.kind != kindArray && h.kind != kindMap {
			t[c] = uint8(h.end)
		}
	}
	for _, c := range [...]byte{packBin8, packBin16, packBin32, packExt8, packExt16, packExt32, packStr8, packStr16, packStr32} {
		t[c] = 0
	}
	return t
}()

// packContentEnd is the index behind n values, at least one, inside of depth containers.
func packContentEnd(b []byte, i, n, depth int) int {
	var around [maxDepth]int // for each container opened here, what its outer one still has to come
	open := 0
	sum := n // of all values that are still to come
	for {
		for n == 0 {
			if open == 0 {
				return i
			}
			open--
			n = around[open]
		}
		n--
		sum--
		if end := quickEnd(b, i); end > 0 {
			i = end
			continue
		}
		var end int
		count := -1 // values in a container
		if i < len(b) && b[i]-packMap < packStr-packMap {
			// As most containers are, and those of a record that is nothing but containers: a third of the time of readHead (BenchmarkPackedTowers).
			if count, end = int(b[i]&0x0F), i+1; b[i] < packArray {
				count *= 2
			}
		} else {
			h := readHead(b, i)
			switch end = h.end; h.kind {
			case kindNone:
				return -1
			case kindArray, kindMap:
				count = h.values()
			}
		}
		i = end
		if count < 0 {
			continue
		}
		if depth+open >= maxDepth {
			return -1
		}
		if count > 0 {
			around[open] = n
			open++
			n = count
			if sum += n; sum > len(b)-i {
				return -1
			}
		}
	}
}

// packInteger reads the integer with the head h. negative: n is its two's complement.
func packInteger(b []byte, h packHead) (n uint64, negative bool) {
	v := b[h.start:h.end]
	switch c := b[h.code]; c {
	case packUint8:
		return uint64(v[0]), false
	case packUint16:
		return uint64(binary.BigEndian.Uint16(v)), false
	case packUint32:
		return uint64(binary.BigEndian.Uint32(v)), false
	case packUint64:
		return binary.BigEndian.Uint64(v), false
	case packInt8:
		n = uint64(int64(int8(v[0])))
	case packInt16:
		n = uint64(int64(int16(binary.BigEndian.Uint16(v))))
	case packInt32:
		n = uint64(int64(int32(binary.BigEndian.Uint32(v))))
	case packInt64:
		n = binary.BigEndian.Uint64(v)
	default:
		n = uint64(int64(int8(c)))
	}
	return n, int64(n) < 0
}
