package engine

// A Frame is immutable bytes that any number of connections may send at the same time: a transport header (for example
// that of a WebSocket message) followed by a payload. A connection that cannot take the bytes now keeps a pointer to the
// frame, not a copy.
type Frame struct {
	buf  []byte
	head int
}

// NewFrame wraps buf, whose first head bytes are the transport header. It takes buf over: nobody may change it afterwards.
func NewFrame(buf []byte, head int) *Frame { return &Frame{buf: buf, head: head} }

// Bytes returns header and payload. The caller must not change them.
func (f *Frame) Bytes() []byte { return f.buf }

// Payload returns what follows the header. The caller must not change it.
func (f *Frame) Payload() []byte { return f.buf[f.head:] }

// Len is the number of bytes of header and payload.
func (f *Frame) Len() int { return len(f.buf) }
