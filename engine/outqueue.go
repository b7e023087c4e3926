package engine

// piece is a shared frame or bytes of the connection's own: 16 bytes in the queue.
type piece struct {
	frame *Frame
	own   *buffer
}

func (p *piece) bytes() []byte {
	if p.frame != nil {
		return p.frame.buf
	}
	return p.own.b
}

// outQueue is what waits to go out of one connection, in order. It exists only while something does. // loop
type outQueue struct {
	pieces   []piece
	head     int    // the first that has not left
	off      int    // bytes of it that have
	bytes    int    // that wait
	owned    int    // size of the buffers of copied bytes, but for large ones
	large    int32  // how many of these there are: see Config.large
	message  int32  // where in the tail's buffer the last message begins, counted from 1; 0: what was queued last is none that can be added to
	stalled  int32  // index in Loop.stalled; -1: not over the cap
	progress uint32 // second at which the kernel last took something
}

const (
	queueKeep    = 1024 // free queues per loop
	queueCapKeep = 64   // pieces of capacity that a free queue keeps
)

// queue returns c's queue, which it makes of the waiting frame if there is none.
func (l *Loop) queue(c *Conn) *outQueue {
	if c.out != nil {
		return c.out
	}
	var o *outQueue
	if k := len(l.queues) - 1; k >= 0 {
		o = l.queues[k]
		l.queues[k] = nil
		l.queues = l.queues[:k]
	} else {
		o = &outQueue{pieces: make([]piece, 0, 4)}
	}
	o.stalled = -1
	o.progress = l.now
	if f := c.frame; f != nil {
		c.frame = nil
		o.push(piece{frame: f}, len(f.buf))
	}
	c.out = o
	return o
}

// dropOutput throws away what waits. The connection must have left the list of stalled ones.
func (l *Loop) dropOutput(c *Conn) {
	c.frame = nil
	o := c.out
	if o == nil {
		return
	}
	c.out = nil
	for i := o.head; i < len(o.pieces); i++ {
		if b := o.pieces[i].own; b != nil {
			l.buffers.put(b)
		}
	}
	if cap(o.pieces) > queueCapKeep || len(l.queues) >= queueKeep {
		return
	}
	clear(o.pieces)
	*o = outQueue{pieces: o.pieces[:0]}
	l.queues = append(l.queues, o)
}

func (o *outQueue) len() int { return len(o.pieces) - o.head }

// beyond is the number of waiting bytes behind the piece that is being written.
func (o *outQueue) beyond() int {
	if o.len() == 0 {
		return 0
	}
	return o.bytes - (len(o.pieces[o.head].bytes()) - o.off)
}

func (o *outQueue) push(p piece, n int) {
	o.message = 0
	o.pieces = append(o.pieces, p)
	o.bytes += n
}

// charge counts a buffer of copied bytes in (1) or out (-1).
func (o *outQueue) charge(size, by int, cfg *Config) {
	if cfg.large(size) {
		o.large += int32(by)
	} else {
		o.owned += by * size
	}
}

// tail is the last piece if written bytes can be added to it.
func (o *outQueue) tail() *buffer {
	if o.len() == 0 {
		return nil
	}
	return o.pieces[len(o.pieces)-1].own
}

// advance takes n bytes that have left off the front.
func (o *outQueue) advance(n int, free *buffers, cfg *Config) {
	o.bytes -= n
	for n > 0 {
		p := &o.pieces[o.head]
		rest := len(p.bytes()) - o.off
		if n < rest {
			o.off += n
			break
		}
		n -= rest
		if p.own != nil {
			o.charge(cap(p.own.b), -1, cfg)
			free.put(p.own)
		}
		*p = piece{}
		o.head++
		o.off = 0
	}
	if o.head > 32 && o.head*2 > len(o.pieces) { // amortised: as many are moved as have left
		k := copy(o.pieces, o.pieces[o.head:])
		clear(o.pieces[k:])
		o.pieces, o.head = o.pieces[:k], 0
	}
}
