package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// tokenHashes are hashes of connection tokens: 64 bits are enough to tell them apart, and the secrets stay where they are. In JSON
// they are base64.
type tokenHashes []uint64

// hashToken is FNV-1a, the same in all processes.
func hashToken(token []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range token {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// MarshalJSON implements json.Marshaler.
func (t tokenHashes) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 8*len(t))
	for _, h := range t {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *tokenHashes) UnmarshalJSON(p []byte) error {
	var b []byte
	if err := json.Unmarshal(p, &b); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	if len(b)%8 != 0 {
		return fmt.Errorf("tokens: %d bytes, a multiple of 8 is expected", len(b))
	}
	*t = (*t)[:0]
	for ; len(b) > 0; b = b[8:] {
		*t = append(*t, binary.LittleEndian.Uint64(b))
	}
	return nil
}

// tokenSet remembers hashes, at least the last tokensKept of them, in at most 64 MiB. The zero value is empty.
type tokenSet struct {
	young, old hashTable
	kept       int // 0: tokensKept
}

const tokensKept = 2 << 20

// add says whether h is new.
func (s *tokenSet) add(h uint64) bool {
	if s.young.has(h) || s.old.has(h) {
		return false
	}
	kept := s.kept
	if kept == 0 {
		kept = tokensKept
	}
	if s.young.n >= kept {
		s.young, s.old = hashTable{}, s.young
	}
	s.young.put(h)
	return true
}

// hashTable is a set of hashes with open addressing, at most half full.
type hashTable struct {
	slots []uint64 // a power of two; 0: free
	n     int
	zero  bool // 0 is in it
}

// slot is where h is, or would be. There are slots.
func (t *hashTable) slot(h uint64) int {
	mask := uint64(len(t.slots) - 1)
	i := h * 0x9e3779b97f4a7c15 >> 32 & mask
	for t.slots[i] != 0 && t.slots[i] != h {
		i = (i + 1) & mask
	}
	return int(i)
}

func (t *hashTable) has(h uint64) bool {
	if h == 0 || len(t.slots) == 0 {
		return h == 0 && t.zero
	}
	return t.slots[t.slot(h)] == h
}

func (t *hashTable) put(h uint64) {
	t.n++
	if h == 0 {
		t.zero = true
		return
	}
	if 2*t.n > len(t.slots) {
		old := t.slots
		t.slots = make([]uint64, max(1024, 2*len(old)))
		for _, x := range old {
			if x != 0 {
				t.slots[t.slot(x)] = x
			}
		}
	}
	t.slots[t.slot(h)] = h
}
