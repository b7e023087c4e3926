package hubrt

import "github.com/spokehub/spoke/codec"

// results are the calls of client methods whose answer is waited for, by invocation id (wire contract, section 15). Loop only.
type results struct{}

func (r *results) empty() bool  { return true }
func (r *results) drop(c *Conn) {}

// replied takes a client's answer; one that nobody waits for is ignored.
func (c *Conn) replied(m *codec.Message) {}
