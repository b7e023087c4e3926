package hubrt

import "github.com/spokehub/spoke/codec"

// running are the streams to the client, and the calls, that it can cancel, by invocation id (wire contract, section 14). Loop only.
type running struct{}

func (r *running) empty() bool  { return true }
func (r *running) drop(c *Conn) {}

// drained lets the streams go on that have waited for room on the way out.
func (r *running) drained(c *Conn) {}

// cancel takes a CancelInvocation; an unknown id is ignored.
func (c *Conn) cancel(m *codec.Message) {}
