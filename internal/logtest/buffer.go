// Package logtest has the log, or output, of tests that read it while it is written.
package logtest

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// Buffer is a log. The zero value is empty; any goroutine may write and read.
type Buffer struct {
	mu   sync.Mutex
	b    bytes.Buffer  // under mu
	seen int           // under mu: how far Await has read
	more chan struct{} // under mu; closed by the next Write, nil: nobody waits for it
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
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
	b.seen = 0
	return b.b.String()
}

// Await waits for text behind what the last Await has found, and fails the test if that takes longer than limit.
func (b *Buffer) Await(t testing.TB, limit time.Duration, text string) {
	t.Helper()
	late := time.After(limit)
	for {
		more := b.find(text)
		if more == nil {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("nothing says %q within %v: %s", text, limit, b)
		}
	}
}

// find moves seen behind text, or returns what the next Write closes.
func (b *Buffer) find(text string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := bytes.Index(b.b.Bytes()[b.seen:], []byte(text)); i >= 0 {
		b.seen += i + len(text)
		return nil
	}
	if b.more == nil {
		b.more = make(chan struct{})
	}
	return b.more
}
