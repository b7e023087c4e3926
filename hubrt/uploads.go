package hubrt

import (
	"sync"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// uploads are the streams that the client sends, by id (wire contract, section 14). Loop only.
type uploads struct {
	open   map[string]*upload // that the client has not ended. Of two of one id the newer one, as the reference has it; the older one ends with its call or the connection
	intake *intake            // nil: there has been none
}

func (u *uploads) empty() bool { return len(u.open) == 0 }

// drop is for a connection that has ended: see running.drop, which knows also those whose id has been taken over.
func (u *uploads) drop(*Conn) { *u = uploads{} }

// over is the number of bytes that wait beyond the streams' own buffers.
func (u *uploads) over() int {
	if u.intake == nil {
		return 0
	}
	u.intake.mu.Lock()
	defer u.intake.mu.Unlock()
	return u.intake.over
}

// add opens the streams of a call.
func (u *uploads) add(c *Conn, s *streaming, ids [][]byte) {
	if len(ids) == 0 {
		return
	}
	if u.open == nil {
		u.open = make(map[string]*upload)
	}
	if u.intake == nil {
		u.intake = &intake{conn: c}
	}
	for _, id := range ids {
		up := &upload{call: s, id: string(id), intake: u.intake}
		up.more.L = &u.intake.mu
		s.uploads = append(s.uploads, up)
		u.open[up.id] = up
	}
}

// remove closes the streams of a call that has ended; later items are ignored.
func (u *uploads) remove(s *streaming) {
	for _, up := range s.uploads {
		if u.open[up.id] == up {
			delete(u.open, up.id)
		}
	}
}

// item takes an item of an upload; one of an unknown stream is ignored, in any order of its members (trap 12).
func (c *Conn) item(m *codec.Message) {
	l := c.lively()
	if l == nil {
		return
	}
	if u := l.uploads.open[string(m.ID)]; u != nil && u.put(m.Payload) {
		c.flags |= flagFull
	}
}

// uploaded takes the end of an upload; false: there is none of that id. A result in it is ignored.
func (c *Conn) uploaded(m *codec.Message) bool {
	l := c.lively()
	if l == nil {
		return false
	}
	u := l.uploads.open[string(m.ID)]
	if u == nil {
		return false
	}
	delete(l.uploads.open, u.id)
	if m.HasError {
		u.end(&Error{string(m.Error)})
	} else {
		u.end(nil)
	}
	c.idle()
	return true
}

// intake counts what a connection's uploads hold that no method has read. Up to Options.StreamBuffer items of a stream, and Options.InputBuffer bytes of all streams together, are in the streams' own
// buffers. What is beyond counts as the connection's waiting input, so that reading pauses when that is too much: until then everything else the client sends still flows.
type intake struct {
	conn *Conn

	mu   sync.Mutex
	own  int  // under mu: bytes in the streams' own buffers
	over int  // under mu: bytes beyond
	told bool // under mu: the loop will look at it
}

// itemOverhead is what a waiting item counts for beside its buffer.
const itemOverhead = 32

func itemSize(b *buffer) int { return cap(b.b) + itemOverhead }

// Run looks, on the loop, whether there is room for more input.
func (i *intake) Run(*engine.Loop) {
	i.mu.Lock()
	i.told = false
	i.mu.Unlock()
	i.conn.settle()
}

// less says that over has become less; report: the loop must be told, after mu has been unlocked. Under mu.
func (i *intake) less() (report bool) {
	report = !i.told
	i.told = true
	return report
}

// report tells the loop.
func (i *intake) report() { i.conn.shard.loop.Post(i) }
