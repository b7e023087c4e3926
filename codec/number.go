package codec

import "math"

// parseInt reads a JSON integer of at most so many bits. A fraction or an exponent is none, whatever its value, as in .NET.
func parseInt(b []byte, bits int) (n int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	u, ok := parseUint(b, 64)
	limit := uint64(1) << (bits - 1) // the magnitude of the least one
	switch {
	case !ok, u > limit, u == limit && !negative:
		return 0, false
	case negative:
		return -int64(u), true // also right for the least one, which is its own negative
	}
	return int64(u), true
}

// parseUint reads a JSON integer without a sign.
func parseUint(b []byte, bits int) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 1 && b[0] == '0' {
		return 0, false
	}
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-d {
			return 0, false
		}
		n = n*10 + d
	}
	return n, bits == 64 || n < 1<<bits
}
