package http1

// maxDrop is how many bytes of a body that nobody asked for are read and dropped to keep the connection.
const maxDrop = 64 << 10

// body is where the reader of a request's body stands. What it reads is not kept here.
type body struct {
	left    int64 // of a Content-Length
	chunks  chunkReader
	chunked bool
}

func newBody(fr framing) body { return body{left: fr.length, chunked: fr.chunked} }

func (b *body) complete() bool {
	if b.chunked {
		return b.chunks.state == chunkDone
	}
	return b.left == 0
}

// next consumes n bytes of p and returns the data among them, a part of p. No progress is made only when the body is complete or p is empty.
func (b *body) next(p []byte) (n int, data []byte, f *fault) {
	if b.chunked {
		return b.chunks.next(p)
	}
	n = int(min(b.left, int64(len(p))))
	b.left -= int64(n)
	return n, p[:n], nil
}
