package engine

import "fmt"

// poisonFreed is set by Poison.
var poisonFreed bool

// Poison is for tests, of this package and of those above it: from now on what is void is made unusable, so that whoever keeps it
// is found. The bytes that OnData has consumed and the buffers that are given back are overwritten with 0xDB; a connection that
// is used by the engine after its slot is free, or whose handler is asked for then, panics. Call it in TestMain, before any
// engine is made: it is not synchronised. It makes everything slower.
func Poison() { poisonFreed = true }

// spoil overwrites bytes that nobody may look at any more.
func spoil(p []byte) {
	for i := range p {
		p[i] = 0xDB
	}
}

// poisoned is the handler of a freed slot.
type poisoned struct{}

func (poisoned) OnData(c *Conn, _ []byte) int            { panic(usedAfterFree(c, "OnData")) }
func (poisoned) OnEOF(c *Conn)                           { panic(usedAfterFree(c, "OnEOF")) }
func (poisoned) OnDrain(c *Conn)                         { panic(usedAfterFree(c, "OnDrain")) }
func (poisoned) OnDeadline(c *Conn, _ uint32)            { panic(usedAfterFree(c, "OnDeadline")) }
func (poisoned) OnClose(c *Conn, _ CloseReason, _ error) { panic(usedAfterFree(c, "OnClose")) }

func usedAfterFree(c *Conn, where string) string {
	return fmt.Sprintf("engine: %s of slot %d, which is free", where, c.slot)
}

// verify finds a list of the loop that still points at a freed slot.
func (c *Conn) verify(where string) {
	if poisonFreed && c.flags&flagFreed != 0 {
		panic(usedAfterFree(c, where))
	}
}
