package hubrt

import (
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// backlog is what has been sent to a client, or is to be sent, and the client has not acknowledged: whole records, in order, each with the number that the wire
// contract, section 18.2, gives it. Broadcasts are kept as pointers to frames that all their receivers share. The zero value is not ready: see begin. Loop only.
type backlog struct {
	ledger *ledger
	codec  codec.Protocol
	pieces []kept
	tail   *chunk // with room for more
	head   int    // the first that is kept
	cursor int    // the first that the transport has not been given
	first  int64  // number of the first record that is kept
	unsent int64  // number of the first record that the transport has not been given
	sent   int    // bytes of records before unsent
	bytes  int    // of all records
	owned  int    // size of the buffers of copied records
	giant  int    // of these: of the one message that may have any size; see resumable.bound
	shared int    // bytes of shared frames, each in full
	large  int    // constant: how many bytes make a message one of which may have any size
}

// kept is a frame that others share, or records that were copied.
type kept struct {
	frame *sharedFrame
	own   *chunk
	off   uint32 // where the bytes begin that have not been acknowledged
	end   uint32 // of own: where they end
	n     uint32 // records
	waits bool   // it may not be sent while too much is not acknowledged
}

// chunk holds the copies of several pieces.
type chunk struct {
	buffer *buffer
	refs   int
	giant  bool // it holds that message and nothing else
}

const (
	keptOverhead = 48 // about what a piece takes beside its bytes
	maxChunk     = 4 << 10
	maxPieces    = 64 << 10
)

func (b *backlog) begin(l *ledger, p codec.Protocol, large int) {
	*b = backlog{ledger: l, codec: p, first: 1, unsent: 1, large: large}
}

func (b *backlog) len() int { return len(b.pieces) - b.head }

// pending says that the transport has not been given everything.
func (b *backlog) pending() bool { return b.cursor < len(b.pieces) }

// addFrame keeps a frame.
func (b *backlog) addFrame(f *engine.Frame) {
	s := b.ledger.share(f, b.codec)
	b.shared += f.Len()
	b.add(kept{frame: s, n: s.records}, len(f.Payload()))
}

// addRecords keeps a copy of records that wait behind others.
func (b *backlog) addRecords(records []byte, waits bool) {
	p := kept{n: countRecords(b.codec, records), waits: waits}
	p.own, p.off, p.end = b.put(records)
	if b.pending() {
		if last := &b.pieces[len(b.pieces)-1]; last.precedes(&p) {
			last.extend(&p)
			b.bytes += len(records)
			return
		}
	}
	b.add(p, len(records))
}

// addSent keeps a copy of records that the transport is given at the same time, behind all others.
func (b *backlog) addSent(records []byte) {
	p := kept{n: countRecords(b.codec, records)}
	p.own, p.off, p.end = b.put(records)
	if b.len() > 0 {
		if last := &b.pieces[len(b.pieces)-1]; last.precedes(&p) {
			last.extend(&p)
			b.bytes += len(records)
			b.sent += len(records)
			b.unsent += int64(p.n)
			return
		}
	}
	b.add(p, len(records))
	b.forward()
}

// put copies records behind those that were copied last, also if frames stand between them in the order of sending.
func (b *backlog) put(records []byte) (c *chunk, from, to uint32) {
	c = b.tail
	if c == nil || cap(c.buffer.b)-len(c.buffer.b) < len(records) {
		size := len(records)
		if c != nil && size < maxChunk { // there will be more of them
			size = max(size, min(maxChunk, 4*cap(c.buffer.b)))
		}
		c = &chunk{buffer: getBuffer(size)}
		b.tail = c
		b.owned += cap(c.buffer.b)
		b.ledger.charge(cap(c.buffer.b))
	}
	if len(records) > b.large && b.giant == 0 && len(c.buffer.b) == 0 {
		c.giant, b.giant, b.tail = true, cap(c.buffer.b), nil
	}
	from = uint32(len(c.buffer.b))
	c.buffer.b = append(c.buffer.b, records...)
	c.refs++
	return c, from, uint32(len(c.buffer.b))
}

func (b *backlog) add(p kept, bytes int) {
	b.ledger.charge(keptOverhead)
	b.bytes += bytes
	b.pieces = append(b.pieces, p)
}

// forward says that the transport is given the next piece, which it returns. It is void after the next call.
func (b *backlog) forward() *kept {
	p := &b.pieces[b.cursor]
	b.cursor++
	b.sent += len(p.bytes())
	b.unsent += int64(p.n)
	return p
}

// rewind says that the transport, which is a new one, has been given nothing. What was sent before is sent again without waiting.
func (b *backlog) rewind() {
	for i := b.head; i < b.cursor; i++ {
		b.pieces[i].waits = false
	}
	b.cursor, b.sent, b.unsent = b.head, 0, b.first
}

// acknowledge drops the records up to number n. What has not been sent cannot have been acknowledged, whatever a client says (wire contract, section 18.3).
func (b *backlog) acknowledge(n int64) {
	n = min(n, b.unsent-1)
	for b.first <= n {
		p := &b.pieces[b.head]
		if left := n - b.first + 1; left < int64(p.n) {
			b.trim(p, uint32(left))
			break
		}
		b.first += int64(p.n)
		b.sent -= len(p.bytes())
		b.bytes -= len(p.bytes())
		b.release(p)
		b.head++
	}
	b.compact()
}

// trim drops the first n records of a piece.
func (b *backlog) trim(p *kept, n uint32) {
	for range n {
		_, size, err := b.codec.Next(p.bytes(), 0)
		if size <= 0 || err != nil {
			return // never: we have written them
		}
		p.off += uint32(size)
		p.n--
		b.first++
		b.sent -= size
		b.bytes -= size
	}
}

// compact takes the room of pieces that have gone back; amortised, as many are moved as have gone.
func (b *backlog) compact() {
	switch {
	case b.head == len(b.pieces):
		if b.pieces = b.pieces[:0]; cap(b.pieces) > 64 {
			b.pieces = nil
		}
	case b.head > 32 && b.head*2 > len(b.pieces):
		k := copy(b.pieces, b.pieces[b.head:])
		clear(b.pieces[k:])
		b.pieces = b.pieces[:k]
	default:
		return
	}
	b.cursor -= b.head
	b.head = 0
}

func (b *backlog) release(p *kept) {
	b.ledger.charge(-keptOverhead)
	if p.frame != nil {
		b.shared -= p.frame.frame.Len()
		b.ledger.unshare(p.frame)
	} else if p.own.refs--; p.own.refs == 0 {
		b.owned -= cap(p.own.buffer.b)
		b.ledger.charge(-cap(p.own.buffer.b))
		p.own.buffer.free()
		if p.own.giant {
			b.giant = 0
		}
		if b.tail == p.own {
			b.tail = nil
		}
	}
	*p = kept{}
}

// drop lets go of everything.
func (b *backlog) drop() {
	for i := b.head; i < len(b.pieces); i++ {
		b.release(&b.pieces[i])
	}
	next := b.first
	*b = backlog{ledger: b.ledger, codec: b.codec, first: next, unsent: next, large: b.large}
}

// bytes are those that have not been acknowledged.
func (p *kept) bytes() []byte {
	if p.frame != nil {
		return p.frame.frame.Payload()[p.off:]
	}
	return p.own.buffer.b[p.off:p.end]
}

// precedes says that q, which is copied records, can become a part of p.
func (p *kept) precedes(q *kept) bool {
	return p.own == q.own && p.end == q.off && p.waits == q.waits
}

func (p *kept) extend(q *kept) {
	p.own.refs-- // they are one
	p.end = q.end
	p.n += q.n
}

// send gives the piece to a transport.
func (p *kept) send(l Link) {
	if p.frame != nil && p.off == 0 {
		l.Send(p.frame.frame)
	} else {
		l.Write(p.bytes())
	}
}

// countRecords counts the records of what we have encoded ourselves.
func countRecords(p codec.Protocol, records []byte) (n uint32) {
	for len(records) > 0 {
		_, size, err := p.Next(records, 0)
		if size <= 0 || err != nil {
			return n
		}
		records = records[size:]
		n++
	}
	return n
}
