package hubrt

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// Context is a hub method's view of its connection. There is one per connection: it may be kept, and used on any goroutine, also
// after the connection has gone (sends then go nowhere). As a context.Context it ends with the connection.
type Context Conn

// life is the context that ends with the connection. It is one of package context's, so that contexts derived from it cost no goroutine.
type life struct {
	context.Context
	cancel context.CancelFunc
}

// Deadline implements context.Context: there is none.
func (c *Context) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the connection ends.
func (c *Context) Done() <-chan struct{} {
	if l := c.life(); l != nil {
		return l.Done()
	}
	mine := new(life)
	mine.Context, mine.cancel = context.WithCancel(context.Background())
	l := (*Conn)(c).alter(func(r *rare) {
		if r.life == nil {
			r.life = mine
		}
	}).life
	if l != mine {
		mine.cancel()
	}
	// Either the end sees this life, or this sees the end.
	if c.gone.Load() {
		l.cancel()
	}
	return l.Done()
}

// life is nil until it has been asked for.
func (c *Context) life() *life {
	if r := c.rare.Load(); r != nil {
		return r.life
	}
	return nil
}

// Err is context.Canceled once the connection has ended.
func (c *Context) Err() error {
	if l := c.life(); l != nil {
		return l.Err()
	}
	if c.gone.Load() {
		return context.Canceled
	}
	return nil
}

// Value has no values of its own; see Items.
func (c *Context) Value(key any) any {
	if l := c.life(); l != nil {
		return l.Value(key)
	}
	return nil
}

// leave ends the context; false: it had ended.
func (c *Context) leave() bool {
	if !c.gone.CompareAndSwap(false, true) {
		return false
	}
	if l := c.life(); l != nil {
		l.cancel()
	}
	return true
}

// ConnectionID is the public id; others may know it.
func (c *Context) ConnectionID() string { return c.id.String() }

// UserID is "" for an anonymous client.
func (c *Context) UserID() string {
	return (*Conn)(c).userID()
}

// User is nil for an anonymous client. It must not be changed. An identity that is nothing but a user id is kept as that, and made anew for each
// call: it equals the Authenticator's, and is not the same.
func (c *Context) User() *auth.Identity { return (*Conn)(c).identity() }

// Remote is the client's address; invalid where there is none, as on unix sockets.
func (c *Context) Remote() netip.AddrPort {
	if r := c.rare.Load(); r != nil && r.origin != nil {
		return r.origin.Client
	}
	return c.remote.unpack()
}

// Transport is its name in SignalR, for example "WebSockets".
func (c *Context) Transport() string { return c.transport.String() }

// Hub is the hub that the connection is on.
func (c *Context) Hub() *Hub { return c.shard.hub }

// Items is the connection's bag of values.
func (c *Context) Items() *Items {
	if r := c.rare.Load(); r != nil && r.items != nil {
		return r.items
	}
	return (*Conn)(c).alter(func(r *rare) {
		if r.items == nil {
			r.items = new(Items)
		}
	}).items
}

// Clients selects receivers; Caller is this connection.
func (c *Context) Clients() CallerClients {
	return CallerClients{Clients{c.shard.hub}, (*Conn)(c)}
}

// Groups changes memberships.
func (c *Context) Groups() Groups { return Groups{c.shard.hub} }

// Join is Groups().Add for this connection.
func (c *Context) Join(group string) error {
	if group == "" {
		return errNoGroupName
	}
	return (*Conn)(c).join(group)
}

// Leave is Groups().Remove for this connection.
func (c *Context) Leave(group string) error {
	if group == "" {
		return errNoGroupName
	}
	(*Conn)(c).leave(group)
	return nil
}

// Abort ends the connection without permission to reconnect. What was sent before still goes out; the context ends at once, and
// the result of a running call is dropped.
func (c *Context) Abort() {
	if c.leave() {
		c.shard.loop.Post((*abort)(c))
	}
}

// abort is a Conn as the task that ends it.
type abort Conn

func (a *abort) Run(*engine.Loop) {
	(*Conn)(a).end(engine.Aborted, nil, "", false)
}

// Request is what the connection began with; it is parsed when first asked for, has no body, and must not be changed. nil: it is not kept. RemoteAddr and Host are the
// client's, as far as trusted proxies have said who that is, and proxy.Scheme tells its scheme. TLS has no keying material.
func (c *Context) Request() *http.Request {
	have := (*Conn)(c).extra()
	if have.head == nil {
		return have.request
	}
	parsed := parseRequest(have.head, have.origin, c)
	if parsed != nil {
		parsed.TLS = have.tls
	}
	return (*Conn)(c).alter(func(r *rare) {
		if r.head != nil { // others have not been faster
			r.head, r.tls, r.request = nil, nil, parsed
		}
	}).request
}

// parseRequest returns nil for a head that net/http does not take.
func parseRequest(head []byte, origin *proxy.Origin, c *Context) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil
	}
	r.Body = http.NoBody
	if remote := c.Remote(); remote.IsValid() {
		r.RemoteAddr = remote.String()
	}
	if origin == nil || origin.Host == "" && origin.Scheme == "" { // nothing but the address
		return r.WithContext(c)
	}
	if origin.Host != "" {
		r.Host = origin.Host
	}
	return r.WithContext(proxy.NewContext(c, origin))
}
