package hubrt

// acked takes an Ack, sequenced a Sequence (wire contract, section 18). They are ignored where stateful reconnect was not agreed.
func (c *Conn) acked(n int64)     {}
func (c *Conn) sequenced(n int64) {}
