// Package hubrt is the hub runtime: connections after the transport, handshake, dispatch, clients, groups, workers and hub timers.
// It knows no transport: it sees a Link. Wire contract, sections 8 to 17 and 22.
package hubrt

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/limits"
)

// Link is a hub connection's way out. The transports implement it; all methods on the connection's loop.
type Link interface {
	Ref() engine.Ref
	// Format says once, after a successful handshake and before its response is written, whether messages are binary from now on.
	Format(binary bool)
	// Send sends a shared frame made with RuntimeConfig.AppendHeader.
	Send(f *engine.Frame)
	// Write sends whole records, copied, as (a part of) one transport message.
	Write(records []byte)
	PauseRead()
	ResumeRead()
	// SetDeadline asks for Conn.Deadline at that second of the loop's clock; 0: never.
	SetDeadline(at uint32)
	// End ends the transport after what was written has gone (WebSocket: close frame 1000).
	End(r engine.CloseReason, err error)
	// Fail ends it with the transport's sign for an internal error (WebSocket: close frame 1011).
	Fail(err error)
}

// RuntimeConfig belongs to one server.
type RuntimeConfig struct {
	Loops        []*engine.Loop
	Workers      int                                         // goroutines that run hub methods and hooks, at most; default 256; started on demand
	WorkerQueue  int                                         // calls waiting for a worker, all clients; default 64 x Workers
	AppendHeader func(dst []byte, binary bool, n int) []byte // transport header of shared frames
	Logger       *slog.Logger
}

// Runtime holds the workers and hubs of a server.
type Runtime struct{}

func NewRuntime(cfg RuntimeConfig) *Runtime { panic("contract") }

// NewHub makes a hub of value (nil: functions only). Errors name each bad method.
func (rt *Runtime) NewHub(name string, value any, opt Options) (*Hub, error) { panic("contract") }

// Drain sends every connection a Close with allowReconnect, spread evenly over spread, and ends it once its running calls have finished; it returns when all connections and calls have ended, or
// ctx has. New connections are closed at once.
func (rt *Runtime) Drain(ctx context.Context, spread time.Duration) error { panic("contract") }

// Stop ends the workers once they are idle; ctx bounds the wait.
func (rt *Runtime) Stop(ctx context.Context) error { panic("contract") }

// Stats are counters since the start, and gauges. Any goroutine.
type Stats struct {
	Connections, Handshakes, MessagesIn, Calls, CallsFailed, Panics, Published int64
	CallsWaiting, CallsRunning, Workers                                        int64
	RateWaits, RateRejects, RateCloses                                         int64
}

func (rt *Runtime) Stats() Stats { panic("contract") }

// Options of one hub. Zero values are the defaults of the wire contract, section 21.
type Options struct {
	HandshakeTimeout  time.Duration // 15 s
	KeepAliveInterval time.Duration // 15 s
	ClientTimeout     time.Duration // 30 s
	MaxMessage        int           // 32,768 bytes, framing included
	InputBuffer       int           // 64 KiB: unread input and waiting calls of one connection
	MaxParallelCalls  int           // 1
	MaxGroups         int           // 1,000 per connection
	DetailedErrors    bool
	RequireUser       bool // the endpoint answers 401 to anonymous requests
	DropRequest       bool // free the request after the connected event; Context.Request is nil then
	Rates             limits.Rates
	Protocols         []codec.Protocol          // JSON
	Methods           map[string]method.Options // by Go method name
}

// Hub is a set of methods and the connections that are on it. All methods may be called on any goroutine.
type Hub struct{}

// Handle registers a function as a hub method; only before the first connection.
func (h *Hub) Handle(name string, fn any, opt ...method.Options) error { panic("contract") }

// OnConnected and OnDisconnected set the hooks (a hub value's methods of these names are set by NewHub); only before the first connection.
func (h *Hub) OnConnected(f func(c *Context) error)                 { panic("contract") }
func (h *Hub) OnDisconnected(f func(c *Context, cause error) error) { panic("contract") }

func (h *Hub) Name() string     { panic("contract") }
func (h *Hub) Options() Options { panic("contract") }

// Clients selects receivers from outside a hub method.
func (h *Hub) Clients() Clients { panic("contract") }
func (h *Hub) Groups() Groups   { panic("contract") }

// Peer is what the transport knows of a new connection.
type Peer struct {
	ID        ID
	User      *auth.Identity
	Head      []byte // raw request head, kept (not copied) for Context.Request; nil: none
	Remote    netip.AddrPort
	Transport string // "WebSockets"
	Binary    bool   // the transport can carry binary messages
}

// ID is the public connection id: 16 random bytes, base64url on the wire.
type ID [16]byte

func (id ID) String() string            { panic("contract") }
func ParseID(s string) (id ID, ok bool) { panic("contract") }

// Open begins a hub connection on link's loop; the handshake's clock starts. Loop only.
func (h *Hub) Open(link Link, p Peer) *Conn { panic("contract") }

// Conn is a hub connection. Loop only.
type Conn struct{}

// Receive takes the next bytes of the client's stream; p is void after the call. It takes everything: over its input buffer it pauses the link.
func (c *Conn) Receive(p []byte) { panic("contract") }

// Deadline: the second set by Link.SetDeadline has come.
func (c *Conn) Deadline(now uint32) { panic("contract") }

// Closed says that the transport has gone. err is the cause for the disconnected event: nil for an ordinary end.
func (c *Conn) Closed(r engine.CloseReason, err error) { panic("contract") }

// Context is a hub method's view of its connection. There is one per connection: it may be kept, and used on any goroutine, also after the
// connection has gone (sends then go nowhere). As a context.Context it ends with the connection.
type Context struct{}

func (c *Context) Deadline() (time.Time, bool) { panic("contract") }
func (c *Context) Done() <-chan struct{}       { panic("contract") }
func (c *Context) Err() error                  { panic("contract") }
func (c *Context) Value(key any) any           { panic("contract") }

func (c *Context) ConnectionID() string   { panic("contract") }
func (c *Context) UserID() string         { panic("contract") }
func (c *Context) User() *auth.Identity   { panic("contract") } // nil: anonymous
func (c *Context) Request() *http.Request { panic("contract") } // what the connection began with
func (c *Context) Remote() netip.AddrPort { panic("contract") }
func (c *Context) Transport() string      { panic("contract") }
func (c *Context) Items() *Items          { panic("contract") }
func (c *Context) Abort()                 { panic("contract") } // ends the connection without permission to reconnect
func (c *Context) Hub() *Hub              { panic("contract") }
func (c *Context) Clients() CallerClients { panic("contract") }
func (c *Context) Groups() Groups         { panic("contract") }

// Join and Leave are Groups().Add and Remove for this connection.
func (c *Context) Join(group string) error  { panic("contract") }
func (c *Context) Leave(group string) error { panic("contract") }

// Items is a connection's bag of values. Safe for concurrent use.
type Items struct{}

func (i *Items) Get(key any) (any, bool) { panic("contract") }
func (i *Items) Set(key, value any)      { panic("contract") }
func (i *Items) Delete(key any)          { panic("contract") }

// Target is a set of receivers. Send encodes once per protocol in use and queues; it returns when the message is queued, not when it
// is received. Errors: an argument that cannot be encoded; an empty group name.
type Target struct{}

func (t Target) Send(method string, args ...any) error { panic("contract") }

// Clients selects receivers. Unknown ids, groups and users select nobody.
type Clients struct{}

func (c Clients) All() Target                                    { panic("contract") }
func (c Clients) AllExcept(ids ...string) Target                 { panic("contract") }
func (c Clients) Client(id string) Target                        { panic("contract") }
func (c Clients) Clients(ids ...string) Target                   { panic("contract") }
func (c Clients) Group(group string) Target                      { panic("contract") }
func (c Clients) Groups(groups ...string) Target                 { panic("contract") }
func (c Clients) GroupExcept(group string, ids ...string) Target { panic("contract") }
func (c Clients) User(id string) Target                          { panic("contract") }
func (c Clients) Users(ids ...string) Target                     { panic("contract") }

// CallerClients adds the selectors that need a caller.
type CallerClients struct{ Clients }

func (c CallerClients) Caller() Target                    { panic("contract") }
func (c CallerClients) Others() Target                    { panic("contract") }
func (c CallerClients) OthersInGroup(group string) Target { panic("contract") }

// Groups changes memberships, by connection id. Idempotent; an unknown connection is a no-op. Errors: an empty name; over MaxGroups.
type Groups struct{}

func (g Groups) Add(connectionID, group string) error    { panic("contract") }
func (g Groups) Remove(connectionID, group string) error { panic("contract") }

// Error is the only error whose text reaches a client when detailed errors are off (.NET's HubException).
type Error struct{ Text string }

func (e *Error) Error() string     { return e.Text }
func (e *Error) ErrorName() string { return "HubException" }

// Errorf makes an Error.
func Errorf(format string, a ...any) *Error { panic("contract") }
