package hubrt

import (
	"net/netip"
	"sync/atomic"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/limits"
)

// Peer is what the transport knows of a new connection.
type Peer struct {
	ID        ID
	User      *auth.Identity // nil: anonymous
	Head      []byte         // raw request head, kept (not copied) for Context.Request; nil: none
	Remote    netip.AddrPort
	Transport string // "WebSockets"
	Binary    bool   // the transport can carry binary messages
}

// state is how far a connection has come. It only grows.
type state uint8

const (
	stateHandshake state = iota
	stateOpen            // the handshake is done; the connected event may still run
	stateEnding          // the Close message is written; the disconnected event runs
	stateEnded           // the transport has been told to end
	stateClosed          // the transport has gone; the disconnected event may still run
)

type flags uint16

const (
	flagBinary     flags = 1 << iota // the transport can carry binary messages
	flagBusy                         // Receive is at work on the input
	flagConnecting                   // the connected event has not ended
	flagConnected                    // the connected event has succeeded, so the disconnected one is due
	flagHook                         // a hook waits to be handed to a worker, or runs
	flagSubmitted                    // the hook has been handed over
	flagTurn                         // the connection waits for its turn to hand something to the workers
	flagPinged                       // the client's first ping has come
	flagShifted                      // pings have their place within the interval
	flagLeaving                      // the client's Close has come: nothing more is read, calls are finished
	flagDraining                     // calls are finished, new ones refused
	flagPaused                       // the link is paused
	flagRate                         // input waits for the rate limiter
	flagFull                         // input waits for waiting calls to become fewer
	flagSkip                         // for the length of one broadcast: leave this connection out
)

// Conn is a hub connection. Loop only.
type Conn struct {
	ctx  Context
	link Link    // nil once the transport has gone
	in   *buffer // received and not yet consumed; nil when empty

	first, last *call // the mailbox: calls that wait for their predecessors or for a worker
	ending      *ending
	subs        atomic.Pointer[subscriptions] // nil without groups
	user        sameUser
	buckets     limits.Buckets

	at        uint32 // place in the shard's conns
	scanned   uint32 // bytes of in that are known to hold no end of a record
	calls     uint32 // accepted and not finished
	waiting   uint32 // of these: not handed to a worker, or behind another there
	waitBytes uint32 // of the waiting calls and of the queued replies
	replies   uint32 // replies of inline calls that are queued to the loop
	pingAt    uint32 // second of the next ping; before: when the handshake must be done; leaving: when the patience with running calls ends
	seen      uint32 // second of the client's last message
	jobs      uint16 // out with workers
	flags     flags
	state     state
	proto     uint8 // the hub's protocol; constant from before the connection can be found by others: any goroutine
	frame     uint8 // the same while broadcasts are wanted, else 0
}

// Open begins a hub connection on link's loop; the handshake's clock starts. Loop only.
func (h *Hub) Open(link Link, p Peer) *Conn {
	h.seal()
	s := &h.shards[link.Ref().Loop().Index()]
	return s.open(link, p)
}

func (s *shard) open(link Link, p Peer) *Conn {
	c := &Conn{link: link, at: uint32(len(s.conns))}
	c.ctx = Context{conn: c, shard: s, id: p.ID, user: p.User, remote: p.Remote, transport: p.Transport}
	if p.Head != nil {
		c.ctx.request.Store(&request{head: p.Head})
	}
	if p.Binary {
		c.flags |= flagBinary
	}
	s.conns = append(s.conns, c)
	rt := s.hub.rt
	rt.connections.Add(1)
	rt.begin()
	if rt.draining.Load() {
		c.refuse(engine.Shutdown, nil)
		return c
	}
	c.pingAt = s.after(s.hub.handshakeTimeout)
	link.SetDeadline(c.pingAt)
	return c
}

// after is the second that is at least n whole seconds, and less than one more, from now.
func (s *shard) after(n uint32) uint32 { return s.loop.Now() + n + 1 }

// hub and protocol are short ways.
func (c *Conn) hub() *Hub { return c.ctx.shard.hub }

func (c *Conn) protocol() *protocol { return &c.ctx.shard.hub.protocols[c.proto] }

func (c *Conn) is(f flags) bool { return c.flags&f != 0 }

// write sends one record that was built in the loop's scratch space.
func (c *Conn) write(record []byte) {
	c.ctx.shard.local.keep(record)
	if c.link != nil {
		c.link.Write(record)
	}
}

// enroll makes the connection one that sends reach (wire contract, section 12.1, step 2).
func (c *Conn) enroll() {
	s := c.ctx.shard
	c.protocol().inUse.Add(1)
	s.size.Add(1)
	c.frame = c.proto
	if c.ctx.UserID() != "" {
		s.hub.users.add(c)
	}
	s.hub.registry.add(c)
}

// withdraw undoes enroll and ends all memberships.
func (c *Conn) withdraw() {
	if c.frame == 0 {
		return
	}
	s := c.ctx.shard
	s.hub.registry.remove(c)
	if c.ctx.UserID() != "" {
		s.hub.users.remove(c)
	}
	c.leaveAll()
	c.frame = 0
	s.size.Add(-1)
	c.protocol().inUse.Add(-1)
}

// forget takes the connection off its shard's list.
func (c *Conn) forget() {
	s := c.ctx.shard
	last := len(s.conns) - 1
	if int(c.at) != last {
		s.conns[c.at] = s.conns[last]
		s.conns[c.at].at = c.at
	}
	s.conns[last] = nil
	s.conns = s.conns[:last]
	if n := cap(s.conns); n > 1024 && last < n/4 {
		s.conns = append(make([]*Conn, 0, n/2), s.conns...)
	}
}
