package longpoll

import (
	"fmt"
	"slices"

	"github.com/spokehub/spoke/engine"
)

// conn is what streams and polled connections have in common. Loop only.
type conn struct {
	loop   *engine.Loop // constant
	recv   Receiver     // constant
	limits *Limits      // constant
	clock  *Clock       // constant; nil: the deadlines are kept elsewhere
	timed  timed
	at     int    // in the clock
	hubAt  uint32 // the hub's deadline; 0: none

	posts  []*Post // in turn; the first one has it
	held   func(ok bool)
	ahead  int // bytes that the hub was given though it wanted no more
	paused bool
	closed bool
}

// timed is what is in the clock.
type timed interface {
	due(now uint32)
	Close(r engine.CloseReason, err error)
}

// Loop is the connection's.
func (c *conn) Loop() *engine.Loop { return c.loop }

// SetDeadline asks for OnDeadline at that second of the loop's clock, or up to a second later; 0: never.
func (c *conn) SetDeadline(at uint32) { c.hubAt = at }

func (c *conn) tick(now uint32) {
	if c.hubAt != 0 && now >= c.hubAt {
		c.hubAt = 0
		c.recv.OnDeadline(now)
	}
	if !c.closed {
		c.timed.due(now)
	}
}

// PauseRead keeps what POSTs bring, and their answers, back until ResumeRead.
func (c *conn) PauseRead() { c.paused = true }

// ResumeRead goes on.
func (c *conn) ResumeRead() {
	c.paused, c.ahead = false, 0
	if held := c.held; held != nil {
		c.held = nil
		held(true)
	}
	c.deliver()
}

// maxPosts is how many POSTs of one connection may wait for their turn.
const maxPosts = 64

// A Post is one request that brings bytes. Loop only.
type Post struct {
	taken func(ok bool)
	piece []byte
	has   bool // piece waits
	last  bool
	in    bool // in its connection's list
}

// Offer brings the next piece of a POST. POSTs take turns: the bytes of one are not mixed with those of another. taken is called once, on the loop: with true when the piece is
// with the hub and the hub wants more, with false when the connection has ended; then the POST is over. piece belongs to the connection until then.
// false: too many wait; the POST is over, and taken is not called.
func (c *conn) Offer(p *Post, piece []byte, last bool, taken func(ok bool)) bool {
	if c.closed {
		c.Withdraw(p)
		taken(false)
		return true
	}
	if !p.in {
		if len(c.posts) >= maxPosts {
			return false
		}
		p.in = true
		c.posts = append(c.posts, p)
	}
	p.piece, p.last, p.taken, p.has = piece, last, taken, true
	c.deliver()
	return true
}

// Withdraw ends a POST that has not brought its last piece: its client has gone.
func (c *conn) Withdraw(p *Post) {
	if !p.in {
		return
	}
	i := slices.Index(c.posts, p)
	c.posts = slices.Delete(c.posts, i, i+1)
	*p = Post{}
	if i == 0 {
		c.deliver()
	}
}

// pressed reports whether the hub gets more though it wants no more: several POSTs wait and no poll does, so perhaps they keep the poll away that would make room. (The Java client makes
// five requests at a time, in the order in which it has thought of them.) One POST may always be kept waiting; the others are taken, up to Limits.OwnedMax bytes.
func (c *conn) pressed() bool {
	p, polled := c.timed.(*Polled)
	if !polled || !c.paused || p.waits() || c.ahead >= c.limits.OwnedMax {
		return false
	}
	return len(c.posts) > 1 || len(c.posts) == 1 && c.held != nil && c.posts[0].has
}

// deliver gives the hub what it may have.
func (c *conn) deliver() {
	for len(c.posts) > 0 && !c.closed {
		if c.paused || c.held != nil {
			if !c.pressed() {
				return
			}
			if held := c.held; held != nil {
				c.held = nil
				held(true)
				continue
			}
		}
		p := c.posts[0]
		if !p.has {
			return // its next piece is on its way
		}
		piece, taken := p.piece, p.taken
		p.piece, p.taken, p.has = nil, nil, false
		if p.last {
			c.posts[0] = nil
			if c.posts = c.posts[1:]; len(c.posts) == 0 {
				c.posts = nil
			}
			p.in = false
		}
		c.held = taken
		if c.paused {
			c.ahead += len(piece)
		}
		if len(piece) > 0 {
			c.recv.OnPayload(piece)
		}
		if c.held == nil {
			return // it has been paused and resumed, or closed, meanwhile
		}
		if c.paused && !c.closed {
			continue
		}
		c.held = nil
		taken(true)
	}
}

// end is the last of a connection.
func (c *conn) end(r engine.CloseReason, err error) {
	if c.closed {
		return
	}
	c.closed = true
	if c.clock != nil {
		c.clock.remove(c)
	}
	held, posts := c.held, c.posts
	c.held, c.posts = nil, nil
	var waiting []func(ok bool)
	for _, p := range posts {
		if p.has {
			waiting = append(waiting, p.taken)
		}
		*p = Post{}
	}
	if held != nil {
		held(true) // those bytes are with the hub
	}
	for _, taken := range waiting {
		taken(false)
	}
	c.recv.OnClosed(r, err)
}

// written counts what was written for one connection alone. As in the engine, a piece of more than a quarter of OwnedMax is counted by number: else whatever came next would cut off
// who is taking a large one.
type written struct {
	bytes int // but for large pieces
	large int
}

// largeMax is how many large pieces may wait when another piece comes.
const largeMax = 2

// count counts a piece in (1) or out (-1).
func (w *written) count(size, by int, l *Limits) {
	if size > l.OwnedMax/4 {
		w.large += by
	} else {
		w.bytes += by * size
	}
}

// overflow says over which limit the outgoing bytes are, before more is added: so at most the limit and one piece wait, and a single large piece passes, as the engine has
// it. nil: none.
func (l *Limits) overflow(bytes int, own written, frames int) error {
	switch {
	case bytes > l.OutboundMax:
		return fmt.Errorf("longpoll: %d bytes wait to go out, at most %d may", bytes, l.OutboundMax)
	case own.large > largeMax:
		return fmt.Errorf("longpoll: %d pieces of the connection's own of more than %d bytes each wait to go out, at most %d may", own.large, l.OwnedMax/4, largeMax)
	case own.bytes > l.OwnedMax:
		return fmt.Errorf("longpoll: %d bytes of the connection's own wait to go out, at most %d may", own.bytes, l.OwnedMax)
	case frames >= l.FramesMax:
		return fmt.Errorf("longpoll: %d frames wait to go out, at most %d may", frames, l.FramesMax)
	}
	return nil
}
