package longpoll

import (
	"bytes"
	"strconv"
)

// Hello is the first event of a stream: a comment, so that browsers say the stream is open.
const Hello = ":\r\n"

// AppendEvent appends records as one event: a line "data: " for each line that they have, which is one unless an application's raw JSON is spread over several
// (wire contract, section 5).
func AppendEvent(dst, records []byte) []byte {
	for {
		line, rest, more := bytes.Cut(records, []byte{'\n'})
		if more && len(line) > 1 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		if len(records) > 0 || more {
			dst = append(append(append(dst, "data: "...), line...), '\r', '\n')
		}
		if !more {
			return append(dst, '\r', '\n')
		}
		records = rest
		if len(rest) == 0 { // the last line is empty, and a line all the same
			return append(dst, "data: \r\n\r\n"...)
		}
	}
}

// AppendChunk appends records as one event in one chunk of an HTTP/1.1 body. It is what shared frames for event streams are made with.
func AppendChunk(dst, records []byte) []byte {
	if bytes.IndexByte(records, '\n') < 0 && len(records) > 0 {
		const around = len("data: ") + len("\r\n\r\n")
		dst = append(strconv.AppendUint(dst, uint64(len(records)+around), 16), "\r\ndata: "...)
		return append(append(dst, records...), "\r\n\r\n\r\n"...)
	}
	event := AppendEvent(nil, records)
	return appendChunk(dst, event)
}

func appendChunk(dst, p []byte) []byte {
	dst = append(strconv.AppendUint(dst, uint64(len(p)), 16), '\r', '\n')
	return append(append(dst, p...), '\r', '\n')
}

const lastChunk = "0\r\n\r\n"
