package hubrt

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
)

// Context is a hub method's view of its connection. There is one per connection: it may be kept, and used on any goroutine, also
// after the connection has gone (sends then go nowhere). As a context.Context it ends with the connection.
type Context struct {
	conn      *Conn
	shard     *shard
	id        ID
	user      *auth.Identity
	remote    netip.AddrPort
	transport string

	request atomic.Pointer[request] // nil: none
	items   atomic.Pointer[Items]   // nil until asked for
	life    atomic.Pointer[life]    // nil until asked for
	gone    atomic.Bool             // the connection has ended, or is about to
}

// life is the context that ends with the connection. It is one of package context's, so that contexts derived from it cost no goroutine.
type life struct {
	context.Context
	cancel context.CancelFunc
}

// Deadline implements context.Context: there is none.
func (c *Context) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the connection ends.
func (c *Context) Done() <-chan struct{} {
	l := c.life.Load()
	if l == nil {
		l = new(life)
		l.Context, l.cancel = context.WithCancel(context.Background())
		if !c.life.CompareAndSwap(nil, l) {
			l = c.life.Load()
		}
		// Either the end sees this life, or this sees the end.
		if c.gone.Load() {
			l.cancel()
		}
	}
	return l.Context.Done()
}

// Err is context.Canceled once the connection has ended.
func (c *Context) Err() error {
	if l := c.life.Load(); l != nil {
		return l.Err()
	}
	if c.gone.Load() {
		return context.Canceled
	}
	return nil
}

// Value has no values of its own; see Items.
func (c *Context) Value(key any) any {
	if l := c.life.Load(); l != nil {
		return l.Value(key)
	}
	return nil
}

// leave ends the context; false: it had ended.
func (c *Context) leave() bool {
	if !c.gone.CompareAndSwap(false, true) {
		return false
	}
	if l := c.life.Load(); l != nil {
		l.cancel()
	}
	return true
}

// ConnectionID is the public id; others may know it.
func (c *Context) ConnectionID() string { return c.id.String() }

// UserID is "" for an anonymous client.
func (c *Context) UserID() string {
	if c.user == nil {
		return ""
	}
	return c.user.UserID
}

// User is nil for an anonymous client. It must not be changed.
func (c *Context) User() *auth.Identity { return c.user }

// Remote is the client's address; invalid where there is none, as on unix sockets.
func (c *Context) Remote() netip.AddrPort { return c.remote }

// Transport is its name in SignalR, for example "WebSockets".
func (c *Context) Transport() string { return c.transport }

// Hub is the hub that the connection is on.
func (c *Context) Hub() *Hub { return c.shard.hub }

// Items is the connection's bag of values.
func (c *Context) Items() *Items {
	if i := c.items.Load(); i != nil {
		return i
	}
	c.items.CompareAndSwap(nil, new(Items))
	return c.items.Load()
}

// Clients selects receivers; Caller is this connection.
func (c *Context) Clients() CallerClients {
	return CallerClients{Clients{c.shard.hub}, c.conn}
}

// Groups changes memberships.
func (c *Context) Groups() Groups { return Groups{c.shard.hub} }

// Join is Groups().Add for this connection.
func (c *Context) Join(group string) error {
	if group == "" {
		return errNoGroupName
	}
	return c.conn.join(group)
}

// Leave is Groups().Remove for this connection.
func (c *Context) Leave(group string) error {
	if group == "" {
		return errNoGroupName
	}
	c.conn.leave(group)
	return nil
}

// Abort ends the connection without permission to reconnect. What was sent before still goes out; the context ends at once, and
// the result of a running call is dropped.
func (c *Context) Abort() {
	if c.leave() {
		c.shard.loop.Post((*abort)(c.conn))
	}
}

// abort is a Conn as the task that ends it.
type abort Conn

func (a *abort) Run(*engine.Loop) {
	(*Conn)(a).end(engine.Aborted, nil, "", false)
}

// Request is what the connection began with; it is parsed when first asked for, has no body, and must not be changed. nil: it is not kept.
func (c *Context) Request() *http.Request {
	r := c.request.Load()
	if r == nil {
		return nil
	}
	r.once.Do(func() {
		r.parsed = parseRequest(r.head, c)
		r.head = nil
	})
	return r.parsed
}

// request is a request head, parsed when it is needed.
type request struct {
	head   []byte
	once   sync.Once
	parsed *http.Request
}

// parseRequest returns nil for a head that net/http does not take.
func parseRequest(head []byte, c *Context) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil
	}
	r.Body = http.NoBody
	if c.remote.IsValid() {
		r.RemoteAddr = c.remote.String()
	}
	return r.WithContext(c)
}
