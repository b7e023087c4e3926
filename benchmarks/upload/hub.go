package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"iter"
	"sync/atomic"
	"time"
)

var table = crc64.MakeTable(crc64.ECMA)

// slow is the hub. It serves one upload.
type slow struct {
	bytesPerSecond float64 // constant

	taken atomic.Int64  // any goroutine: bytes
	sum   atomic.Uint64 // any goroutine: checksum of all bytes, in the order they came
}

// Echo is what the other client calls.
func (*slow) Echo(n int) int { return n }

// Take reads an upload no faster than it is told. Each item begins with its number.
func (h *slow) Take(items iter.Seq2[[]byte, error]) (int64, error) {
	n := int64(0)
	sum := uint64(0)
	free := time.Now() // when the hub is through with what it has taken
	for item, err := range items {
		if err != nil {
			return n, err
		}
		if len(item) < 8 || int64(binary.BigEndian.Uint64(item)) != n {
			return n, fmt.Errorf("item %d is not the one that was sent", n)
		}
		n++
		sum = crc64.Update(sum, table, item)
		h.sum.Store(sum)
		h.taken.Add(int64(len(item)))
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(float64(len(item)) / h.bytesPerSecond * 1e9))
		if ahead := time.Until(free); ahead > time.Millisecond {
			time.Sleep(ahead)
		}
	}
	return n, nil
}
