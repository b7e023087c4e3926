package http1

import "sync"

// Buffers for heads, bodies and answers come from a pool, so that a connection has some only while it has an exchange.
const (
	firstBuffer = 2 << 10  // capacity of a new one
	keepBuffer  = 64 << 10 // larger ones are left to the collector
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, firstBuffer)
	return &b
}}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

// putBuffer takes b back; nil is nothing.
func putBuffer(b *[]byte) {
	if b == nil || cap(*b) > keepBuffer {
		return
	}
	*b = (*b)[:0]
	buffers.Put(b)
}
