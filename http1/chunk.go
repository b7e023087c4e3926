package http1

// Bounds of what a chunked body may have besides its data, over the whole body.
const (
	maxSizeDigits = 16      // of one chunk's size, leading zeros included; sizes are below 2^63
	maxExtensions = 4 << 10 // bytes of chunk extensions
	maxTrailers   = 4 << 10 // bytes of trailers' names and values
)

type chunkState uint8

const (
	chunkSize    chunkState = iota // in the digits of a size
	chunkExt                       // behind them, until CR
	chunkSizeLF                    // the LF of a size line
	chunkData                      // in data
	chunkDataCR                    // the CR LF behind data
	chunkDataLF                    //
	chunkTrailer                   // at the start of a trailer line, or of the last, empty one
	chunkName                      // in a trailer's name
	chunkValue                     // in a trailer's value
	chunkLineLF                    // the LF of a trailer line
	chunkEndLF                     // the last LF
	chunkDone                      // the body is complete
)

// chunkReader reads the chunked coding (RFC 9112, section 7.1) from bytes that may be cut anywhere. Only CR LF ends a line, a size is nothing but hex digits, and trailers are checked and dropped.
// The zero value is ready.
type chunkReader struct {
	size   uint64 // of the chunk, then what is left of it
	ext    uint16 // bytes of extensions so far
	extra  uint16 // bytes of trailers so far
	digits uint8
	state  chunkState
}

// next consumes n bytes of p and returns the data among them, a part of p. It stops behind each piece of data, and behind the body.
func (r *chunkReader) next(p []byte) (n int, data []byte, f *fault) {
	for n < len(p) && r.state != chunkDone {
		if r.state == chunkData {
			k := int(min(r.size, uint64(len(p)-n)))
			data = p[n : n+k]
			if r.size -= uint64(k); r.size == 0 {
				r.state = chunkDataCR
			}
			return n + k, data, nil
		}
		if f := r.step(p[n]); f != nil {
			return n, nil, f
		}
		n++
	}
	return n, nil, nil
}

// step takes a byte that is not data.
func (r *chunkReader) step(b byte) *fault {
	switch r.state {
	case chunkSize:
		if v, ok := hexDigit(b); ok {
			if r.digits++; r.digits > maxSizeDigits || r.size >= 1<<59 {
				return badRequest("a chunk's size is not below 2^63 or has more than 16 digits")
			}
			r.size = r.size<<4 | v
			return nil
		}
		if r.digits == 0 || b != '\r' && b != ';' {
			return badRequest("a chunk's size is not a plain hexadecimal number")
		}
		r.digits = 0
		r.state = chunkSizeLF
		if b == ';' {
			return r.extension(b)
		}
	case chunkExt:
		if b == '\r' {
			r.state = chunkSizeLF
			return nil
		}
		return r.extension(b)
	case chunkSizeLF:
		if b != '\n' {
			return badRequest("a chunk's size line has a CR that no LF follows")
		}
		r.state = chunkData
		if r.size == 0 {
			r.state = chunkTrailer
		}
	case chunkDataCR:
		if b != '\r' {
			return badRequest("a chunk's data is longer than its size")
		}
		r.state = chunkDataLF
	case chunkDataLF:
		if b != '\n' {
			return badRequest("a chunk's data does not end in CR LF")
		}
		r.state = chunkSize
	case chunkTrailer:
		if b == '\r' {
			r.state = chunkEndLF
			return nil
		}
		r.state = chunkName
		if b == ':' {
			return badRequest("a trailer has no name")
		}
		return r.trailer(b)
	case chunkName:
		if b == ':' {
			r.state = chunkValue
			return nil
		}
		return r.trailer(b)
	case chunkValue:
		if b == '\r' {
			r.state = chunkLineLF
			return nil
		}
		return r.trailer(b)
	case chunkLineLF:
		if b != '\n' {
			return badRequest("a trailer has a CR that no LF follows")
		}
		r.state = chunkTrailer
	case chunkEndLF:
		if b != '\n' {
			return badRequest("a chunked body does not end in CR LF")
		}
		r.state = chunkDone
	}
	return nil
}

func (r *chunkReader) extension(b byte) *fault {
	r.state = chunkExt
	if b < ' ' && b != '\t' || b == 0x7f {
		return badRequest("a chunk extension has a control character")
	}
	if r.ext++; r.ext > maxExtensions {
		return badRequest("the extensions of a chunked body are over the limit of 4096 bytes")
	}
	return nil
}

func (r *chunkReader) trailer(b byte) *fault {
	if r.state == chunkName && !tokenByte[b] || b < ' ' && b != '\t' || b == 0x7f {
		return badRequest("a trailer has a character that no header has there")
	}
	if r.extra++; r.extra > maxTrailers {
		return badRequest("the trailers of a chunked body are over the limit of 4096 bytes")
	}
	return nil
}

func hexDigit(b byte) (uint64, bool) {
	switch {
	case '0' <= b && b <= '9':
		return uint64(b - '0'), true
	case 'a' <= b && b <= 'f':
		return uint64(b-'a') + 10, true
	case 'A' <= b && b <= 'F':
		return uint64(b-'A') + 10, true
	}
	return 0, false
}
