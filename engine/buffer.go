package engine

// buffer is a pooled byte slice: the bytes that a handler has left, or the copied part of an outgoing queue.
type buffer struct {
	b     []byte
	class int8 // of the pool; -1: too large for it
}

// Five sizes, a factor of four apart: a connection that waits for the rest of a small frame holds 256 bytes, not 64 KiB.
// Each loop has its own lists (no lock, and what is pooled does not depend on the collector), each bounded: all together
// keep at most 2.5 MiB.
var bufferClasses = [...]struct{ size, keep int }{{256, 1024}, {1 << 10, 1024}, {4 << 10, 64}, {16 << 10, 32}, {64 << 10, 8}}

// buffers are the free buffers of a loop. // loop
type buffers struct {
	free [len(bufferClasses)][]*buffer
}

// get returns an empty buffer with room for at least n bytes.
func (p *buffers) get(n int) *buffer {
	for i := range bufferClasses {
		if n > bufferClasses[i].size {
			continue
		}
		f := p.free[i]
		if k := len(f) - 1; k >= 0 {
			b := f[k]
			f[k] = nil
			p.free[i] = f[:k]
			return b
		}
		return &buffer{b: make([]byte, 0, bufferClasses[i].size), class: int8(i)}
	}
	return &buffer{b: make([]byte, 0, n), class: -1}
}

// put takes b back; nobody may use it afterwards.
func (p *buffers) put(b *buffer) {
	if b.class < 0 || len(p.free[b.class]) >= bufferClasses[b.class].keep {
		return
	}
	if poisonFreed {
		spoil(b.b[:cap(b.b)])
	}
	b.b = b.b[:0]
	p.free[b.class] = append(p.free[b.class], b)
}
