// Package logtest has the log of tests that read it while it is written.
package logtest

import (
	"bytes"
	"sync"
)

// Buffer is a log. The zero value is empty; any goroutine may write and read.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // under mu
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is all that was logged and not taken.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Take is String, and forgets it.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}
