package hubrt

import (
	"math/bits"
	"sync"
)

// Buffers come in sizes of powers of four, so that a connection that holds ten bytes of a record holds a small buffer.
const (
	minBuffer   = 256
	bufferSizes = 6 // 256 B, 1 KiB, 4 KiB, 16 KiB, 64 KiB, 256 KiB; what is larger is left to the collector
)

// buffer is pooled memory. Who gets one returns it, once.
type buffer struct {
	b []byte
}

var bufferPools [bufferSizes]sync.Pool

// sizeClass is the class of the smallest buffer of at least n bytes.
func sizeClass(n int) int {
	if n <= minBuffer {
		return 0
	}
	return (bits.Len(uint(n-1)) - 8 + 1) / 2
}

// getBuffer returns an empty buffer with room for n bytes.
func getBuffer(n int) *buffer {
	class := sizeClass(n)
	if class >= bufferSizes {
		return &buffer{make([]byte, 0, n)}
	}
	if b, ok := bufferPools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{make([]byte, 0, minBuffer<<(2*class))}
}

// free returns b to its pool; nil is nothing. An append may have made it larger than it was; then it goes where it now belongs.
func (b *buffer) free() {
	if b == nil || cap(b.b) < minBuffer {
		return
	}
	class := sizeClass(cap(b.b))
	if class < bufferSizes && cap(b.b) < minBuffer<<(2*class) {
		class-- // between two sizes: it holds no more than the smaller one promises
	}
	if class >= bufferSizes {
		return
	}
	b.b = b.b[:0]
	bufferPools[class].Put(b)
}

// grow makes room for n more bytes and returns the buffer that has it: b, or a larger one with b's bytes.
func (b *buffer) grow(n int) *buffer {
	if cap(b.b)-len(b.b) >= n {
		return b
	}
	larger := getBuffer(max(len(b.b)+n, 2*len(b.b)))
	larger.b = append(larger.b, b.b...)
	b.free()
	return larger
}
