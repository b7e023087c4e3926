package codec

import "bytes"

// separator ends each JSON record (wire contract, section 1).
const separator = 0x1E

// JSON is the protocol "json" (wire contract, section 10).
var JSON Protocol = jsonProtocol{}

type jsonProtocol struct{}

func (jsonProtocol) Name() string { return "json" }
func (jsonProtocol) Binary() bool { return false }

func (p jsonProtocol) Next(src []byte, max int) (rec []byte, n int, err error) {
	return p.NextFrom(src, 0, max)
}

func (jsonProtocol) NextFrom(src []byte, from, max int) (rec []byte, n int, err error) {
	end := findSeparator(src, from, max)
	switch {
	case end >= 0:
		return src[:end], end + 1, nil
	case max > 0 && len(src) > max:
		return nil, 0, tooLarge(max)
	default:
		return nil, 0, nil
	}
}

// findSeparator looks for a separator among the first max bytes of src (0: all), of which the first from hold none.
func findSeparator(src []byte, from, max int) int {
	if max > 0 && len(src) > max {
		src = src[:max]
	}
	if from = min(from, len(src)); from < 0 {
		from = 0
	}
	i := bytes.IndexByte(src[from:], separator)
	if i < 0 {
		return -1
	}
	return from + i
}

// NextValue validates what it cuts off, so that it is safe on any bytes.
func (jsonProtocol) NextValue(args []byte) (value, rest []byte, ok bool) {
	i := skipSpace(args, 0)
	if i >= len(args) || args[i] != '[' && args[i] != ',' {
		return nil, nil, false
	}
	i = skipSpace(args, i+1)
	end := endOf(args, i)
	if end <= i {
		return nil, nil, false
	}
	return args[i:end], args[end:], true
}

// End closes the message's object and adds the separator.
func (jsonProtocol) End(dst []byte, start int) []byte { return append(dst, '}', separator) }

func (jsonProtocol) Sep(dst []byte) []byte     { return append(dst, ',') }
func (jsonProtocol) EndArgs(dst []byte) []byte { return append(dst, ']') }
