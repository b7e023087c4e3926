package hubrt

import "github.com/spokehub/spoke/codec"

// running are the streams to the client, and the calls, that it can cancel, by invocation id (wire contract, section 14). Loop only.
type running struct{}

func (r *running) empty() bool  { return true }
func (r *running) drop(c *Conn) {}

// cancel takes a CancelInvocation; an unknown id is ignored.
func (c *Conn) cancel(m *codec.Message) {}
