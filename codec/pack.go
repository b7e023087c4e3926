package codec

import "math"

// MessagePack is the protocol "messagepack" (wire contract, section 11).
//
// One Go type serves both protocols: a struct is a map of its members, named by their msgpack tags, or else by their json tags, or else as in Go; names have
// regard to case. []byte is binary, time.Time the timestamp extension. Types with methods of github.com/vmihailenco/msgpack/v5 encode themselves by these; types with
// MarshalJSON and UnmarshalJSON, Tree and json.RawMessage are translated to and from JSON (binary is base64 there, timestamps ISO 8601, other extensions {"type":…,"data":base64}); types with MarshalText and UnmarshalText are strings, also numbers
// with names. A Raw keeps the bytes as they came. Bind and AppendValue have the details.
var MessagePack Protocol = messagePack{}

type messagePack struct{}

func (messagePack) Name() string { return "messagepack" }
func (messagePack) Binary() bool { return true }

// Next reads a VarInt, 7 bits to a byte, the lowest first, and as many bytes as it says. A record that is too large is refused as soon as its length is there.
func (messagePack) Next(src []byte, max int) (rec []byte, n int, err error) {
	size, k, err := varInt(src)
	switch {
	case err != nil:
		return nil, 0, err
	case k == 0 && (max <= 0 || len(src) <= max):
		return nil, 0, nil
	case max > 0 && (k == 0 || size > max-k):
		return nil, 0, tooLarge(max)
	case len(src)-k < size:
		return nil, 0, nil
	}
	return src[k : k+size : k+size], k + size, nil
}

func (p messagePack) NextFrom(src []byte, _, max int) (rec []byte, n int, err error) {
	return p.Next(src, max)
}

// maxVarInt is the largest length prefix, in bytes.
const maxVarInt = 5

// varInt reads a length prefix of k bytes; k is 0 when there is less than one. More bytes than needed are allowed.
func varInt(src []byte) (size, k int, err error) {
	for i, c := range src {
		if i == maxVarInt-1 && c > math.MaxInt32>>(7*(maxVarInt-1)) {
			return 0, 0, errOver2GB
		}
		size |= int(c&0x7F) << (7 * i)
		if c < 0x80 {
			return size, i + 1, nil
		}
	}
	return 0, 0, nil
}

// NextValue checks what it cuts off, so that it is safe on any bytes.
func (messagePack) NextValue(args []byte) (value, rest []byte, ok bool) {
	end := packEnd(args, 0, 0)
	if end < 0 {
		return nil, nil, false
	}
	return args[:end:end], args[end:], true
}

// Sep appends nothing: values stand side by side.
func (messagePack) Sep(dst []byte) []byte { return dst }

// EndArgs adds the list of stream ids, which is never left out, and always empty here.
func (messagePack) EndArgs(dst []byte) []byte { return append(dst, packArray) }

// begin leaves room for the length prefix of a short record.
func (messagePack) begin(dst []byte) []byte { return append(dst, 0) }

// End writes the length prefix, for which begin has left one byte: a record of 128 bytes or more is moved.
func (messagePack) End(dst []byte, start int) []byte {
	size := len(dst) - start - 1
	if size < 0x80 {
		dst[start] = byte(size)
		return dst
	}
	var prefix [maxVarInt]byte
	k := 0
	for n := size; ; n >>= 7 {
		if n < 0x80 {
			prefix[k] = byte(n)
			k++
			break
		}
		prefix[k] = byte(n) | 0x80
		k++
	}
	dst = append(dst, prefix[:k-1]...) // as many bytes as the prefix is longer; their content does not matter
	copy(dst[start+k:], dst[start+1:start+1+size])
	copy(dst[start:], prefix[:k])
	return dst
}
