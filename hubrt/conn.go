package hubrt

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// Peer is what the transport knows of a new connection.
type Peer struct {
	ID        ID
	User      *auth.Identity // nil: anonymous
	Head      []byte         // raw request head, kept (not copied) for Context.Request; nil: none
	Remote    netip.AddrPort
	Origin    *proxy.Origin        // what trusted proxies have said, for Context.Request; nil: nothing
	TLS       *tls.ConnectionState // of the request, for Context.Request; nil: it was plain
	Transport Transport
	Framing   Framing // of the shared frames that Link.Send gets
	Binary    bool    // the transport can carry binary messages
	// Keeper, if not nil, says that the client has agreed to stateful reconnect, if its handshake does, too.
	Keeper Keeper
	// Acks says the same of a client that cannot come back, since its transport has no way to: what it sends is counted and acknowledged, and nothing is kept for it.
	Acks bool
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
	flagDeparted                     // counted in Runtime.departed
	flagSkip                         // for the length of one broadcast: leave this connection out
)

// Conn is a hub connection. Loop only. There may be a million, so it has 144 bytes, and can be a part of its transport's object: see Begin.
type Conn struct {
	// What a broadcast touches.
	link  Link // loop; nil once the transport has gone
	flags flags
	frame uint8 // loop: proto while broadcasts are wanted, else 0
	proto uint8 // the hub's protocol; constant from before the connection can be found by others: any goroutine

	gone  atomic.Bool          // any goroutine (atomic): the connection has ended, or is about to
	rare  atomic.Pointer[rare] // any goroutine (atomic); nil: none of it
	shard *shard               // constant
	box   *mailbox             // loop; nil: nothing waits

	state     state
	transport Transport // constant
	framing   Framing   // constant
	userKind  userKind  // constant; see setUser
	pingAt    uint32    // second of the next ping; before: when the handshake must be done; leaving: when the patience with running calls ends
	seen      uint32    // second of the client's last message
	meter     uint32    // place in the shard's meters, from 1; 0: the token buckets are full
	number    uint32    // in the shard's roster; constant

	remote address // constant; see rare.remote
	id     ID      // constant
	user   userRef // constant; nil: anonymous; see setUser

	subs subscriptions
}

// Open begins a hub connection on link's loop; the handshake's clock starts. Loop only.
func (h *Hub) Open(link Link, p Peer) *Conn {
	c := new(Conn)
	c.Begin(h, link, p)
	return c
}

// Begin is Hub.Open for a Conn that is a part of another object, which saves one. It must be zero, and may not be copied afterwards. The hub, and
// the hub's methods, may keep the object in memory for longer than the connection lasts.
func (c *Conn) Begin(h *Hub, link Link, p Peer) {
	h.seal()
	s := &h.shards[link.Loop().Index()]
	c.link, c.shard = link, s
	c.id, c.transport, c.framing = p.ID, p.Transport, p.Framing
	c.setUser(p.User)
	if p.Keeper != nil || p.Acks {
		c.link = &resumable{conn: c, keeper: p.Keeper, link: link}
	}
	var fits bool
	if c.remote, fits = packAddress(p.Remote); p.Head != nil || !fits {
		c.alter(func(r *rare) {
			r.head, r.origin, r.tls = p.Head, p.Origin, p.TLS
			if !fits && r.origin == nil {
				r.origin = &proxy.Origin{Client: p.Remote}
			}
		})
	}
	if p.Binary {
		c.flags |= flagBinary
	}
	c.number = s.conns.Add(c)
	rt := h.rt
	rt.connections.Add(1)
	rt.begin()
	switch {
	case rt.draining.Load():
		c.refuse(engine.Shutdown, nil)
		return
	case c.number == 0:
		c.refuse(engine.Refused, fmt.Errorf("hubrt: the loop has %d connections of the hub, which is the most that can be numbered: use more loops", s.conns.Len()))
		return
	}
	c.pingAt = s.after(h.handshakeTimeout)
	link.SetDeadline(c.pingAt)
}

// context is the connection as hub methods see it.
func (c *Conn) context() *Context { return (*Context)(c) }

// after is the second that is at least n whole seconds, and less than one more, from now.
func (s *shard) after(n uint32) uint32 { return s.loop.Now() + n + 1 }

// Loop is the connection's, for life. Any goroutine, once the connection can be found by others.
func (c *Conn) Loop() *engine.Loop { return c.shard.loop }

// ID is the public id. As Loop.
func (c *Conn) ID() ID { return c.id }

// User is who the client was when it came; nil: anonymous. As Loop.
func (c *Conn) User() *auth.Identity { return c.context().User() }

// Remote is Context.Remote. As Loop.
func (c *Conn) Remote() netip.AddrPort { return c.context().Remote() }

// hub and protocol are short ways.
func (c *Conn) hub() *Hub { return c.shard.hub }

func (c *Conn) protocol() *protocol { return &c.shard.hub.protocols[c.proto] }

func (c *Conn) is(f flags) bool { return c.flags&f != 0 }

// write sends one record that was built in the loop's scratch space.
func (c *Conn) write(record []byte) {
	c.shard.local.keep(record)
	if c.link != nil {
		c.link.Write(record)
	}
}

// control is write for a record that stateful reconnect does not count (wire contract, section 18.2).
func (c *Conn) control(record []byte) {
	r := c.resumable()
	if r == nil {
		c.write(record)
		return
	}
	c.shard.local.keep(record)
	r.control(record)
}

// Drained says that there is room on the way out again, after Link.Room had said that there is none. Loop only.
func (c *Conn) Drained() {
	if r := c.resumable(); r != nil {
		r.forward()
	}
	c.goOn()
	c.settle()
}

// enroll makes the connection one that sends reach (wire contract, section 12.1, step 2).
func (c *Conn) enroll() {
	s := c.shard
	c.protocol().inUse.Add(1)
	s.size.Add(1)
	c.frame = c.proto
	if c.context().UserID() != "" {
		s.hub.users.add(c)
	}
	s.hub.registry.add(c)
}

// withdraw undoes enroll and ends all memberships.
func (c *Conn) withdraw() {
	if c.frame == 0 {
		return
	}
	s := c.shard
	s.hub.registry.remove(c)
	if c.context().UserID() != "" {
		s.hub.users.remove(c)
	}
	c.leaveAll()
	c.frame = 0
	s.size.Add(-1)
	c.protocol().inUse.Add(-1)
}

// forget takes the connection off its shard's lists. It must have withdrawn: nothing may have its place any more.
func (c *Conn) forget() {
	if c.number != 0 {
		c.shard.conns.Remove(c.number)
	}
	c.dropMeter()
}
