package engine

// LastMessage is the message that WriteMessage has queued last, header and payload, if it can be added to: nothing was queued behind it, none of it has been
// handed to the kernel, and it lies in one buffer. nil otherwise. It may be looked at until the next call.
//
// This is how several small messages of one iteration, or of a time in which the peer takes nothing, leave as one: what frames messages knows how to
// join them, the engine knows whether it still can.
func (c *Conn) LastMessage() []byte {
	o := c.out
	if o == nil || o.message == 0 || c.flags&(flagDead|flagClosing) != 0 {
		return nil
	}
	start := int(o.message) - 1
	if o.len() == 1 && o.off > start {
		return nil
	}
	return o.tail().b[start:]
}

// ExtendMessage adds payload to the message that LastMessage returns, which must not be nil, and replaces the first old bytes of it by header. The bounds are those
// of WriteMessage.
func (c *Conn) ExtendMessage(old int, header, payload []byte) {
	o := c.out
	if !c.admit(o) {
		return
	}
	start := int(o.message) - 1
	t := o.tail()
	grows := len(header) - old + len(payload)
	if len(t.b)+grows > cap(t.b) {
		t = c.moveMessage(o, grows)
		start = 0
	}
	size := len(t.b)
	t.b = t.b[:size+grows]
	if len(header) != old { // once in a message's life, when its length takes more digits
		copy(t.b[start+len(header):], t.b[start+old:size])
	}
	copy(t.b[start:], header)
	copy(t.b[len(t.b)-len(payload):], payload)
	o.bytes += grows
	c.queued(o)
}

// moveMessage gives the last message a buffer of its own, in which it can grow by so many bytes. What is copied is bounded by the greatest message that
// is added to, and grows by a factor of four each time.
func (c *Conn) moveMessage(o *outQueue, grows int) *buffer {
	from, start := o.tail(), int(o.message)-1
	rest := len(from.b) - start
	to := c.loop.buffers.get(rest + grows)
	to.b = append(to.b, from.b[start:]...)
	cfg := &c.loop.engine.cfg
	o.charge(cap(to.b), 1, cfg)
	if start > 0 {
		from.b = from.b[:start]
		o.pieces = append(o.pieces, piece{own: to}) // its bytes are counted already
	} else {
		o.charge(cap(from.b), -1, cfg)
		o.pieces[len(o.pieces)-1].own = to
		c.loop.buffers.put(from)
	}
	o.message = 1
	return to
}
