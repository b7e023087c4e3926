package hubrt

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/internal/roster"
	"github.com/spokehub/spoke/limits"
)

// Hub is a set of methods and the connections that are on it. All methods may be called on any goroutine.
type Hub struct {
	rt      *Runtime
	name    string
	opt     Options
	limiter *limits.Limiter // nil: off

	mu           sync.Mutex // registration
	sealed       atomic.Bool
	methods      method.Table[*Context]              // constant once sealed
	connected    func(c *Context) error              // constant once sealed; nil: none
	disconnected func(c *Context, cause error) error // constant once sealed; nil: none

	// Middleware; constant once sealed.
	calls          stages[Invoker]
	connects       stages[func(*Context) error]
	disconnects    stages[func(*Context, error) error]
	onConnected    func(c *Context) error // the hook inside connected, if there is middleware
	onDisconnected func(c *Context, cause error) error

	protocols  []protocol // [0] is no protocol; see framed
	shards     []shard    // by loop
	numberBits int        // of a place: see makeShards
	registry   registry
	groups     directory
	users      users
	questions  questions

	handshakeTimeout, keepAlive, clientTimeout uint32 // seconds
}

// protocol is a hub protocol and what the hub prepares for it.
type protocol struct {
	codec.Protocol
	framing Framing
	resume  resumer       // nil: it always searches from the start
	ping    *engine.Frame // shared by all connections
	inUse   atomic.Int64  // connections; written by the loops, read by whoever sends
}

// resumer is a Protocol that can go on searching for the end of a record where it stopped.
type resumer interface {
	// NextFrom is Next for a src whose first from bytes hold no end of a record.
	NextFrom(src []byte, from, max int) (rec []byte, n int, err error)
}

// shard is one loop's part of a hub.
type shard struct {
	hub    *Hub
	local  *local
	loop   *engine.Loop
	index  uint32              // constant: the loop's
	conns  roster.Roster[Conn] // all that are open, also before the handshake
	groups map[string]*group   // loop
	// numbered are the same groups, by the numbers that memberships have.
	numbered roster.Roster[group] // loop
	size     atomic.Int64         // connections that get broadcasts; written by the loop

	meters    []meter // loop
	nextMeter int     // loop: the next one to look at
}

// ErrSealed says that methods and hooks are registered before the hub's first connection only.
var ErrSealed = errors.New("hubrt: the hub has had connections: register methods and hooks before")

const (
	onConnected    = "OnConnected"
	onDisconnected = "OnDisconnected"
)

// NewHub makes a hub of value: its exported methods are the hub's methods; methods OnConnected(*Context) error and
// OnDisconnected(*Context, error) error are its hooks. nil: functions only, see Handle. Errors name each bad method and option.
func (rt *Runtime) NewHub(name string, value any, opt Options) (*Hub, error) {
	opt, limiter, err := opt.resolve()
	errs := []error{err}
	h := &Hub{
		rt: rt, name: name, opt: opt, limiter: limiter,
		handshakeTimeout: wholeSeconds(opt.HandshakeTimeout),
		keepAlive:        wholeSeconds(opt.KeepAliveInterval),
		clientTimeout:    wholeSeconds(opt.ClientTimeout),
	}
	errs = append(errs, h.useOptions(&opt))
	h.methods.MethodName = opt.MethodName
	if value != nil {
		errs = append(errs, h.methods.AddValue(value, opt.Methods, onConnected, onDisconnected), h.addHooks(value))
	} else if len(opt.Methods) > 0 {
		errs = append(errs, errors.New("options for methods are given, but the hub has no value with methods: give them to Handle"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	h.protocols = make([]protocol, 1+framings*len(opt.Protocols))
	for i, p := range opt.Protocols {
		for f := range Framing(framings) {
			q := &h.protocols[h.framed(uint8(1+i), f)]
			q.Protocol, q.framing = p, f
			q.resume, _ = p.(resumer)
			q.ping = rt.frame(f, p.Binary(), p.AppendPing(nil))
		}
	}
	h.makeShards(len(rt.locals))
	for i := range h.shards {
		h.shards[i].local = &rt.locals[i]
		h.shards[i].loop = rt.locals[i].loop
	}
	rt.mu.Lock()
	rt.hubs = append(rt.hubs, h)
	rt.mu.Unlock()
	return h, nil
}

// addHooks takes the hooks that value has. A method of a hook's name with another signature is an error, not a hub method: clients
// must not be able to call what was meant as a hook.
func (h *Hub) addHooks(value any) error {
	var errs []error
	v := reflect.ValueOf(value)
	if m := v.MethodByName(onConnected); m.IsValid() {
		f, ok := m.Interface().(func(*Context) error)
		if !ok {
			errs = append(errs, fmt.Errorf("hook %s is a %v: want func(*Context) error", onConnected, m.Type()))
		}
		h.connected = f
	}
	if m := v.MethodByName(onDisconnected); m.IsValid() {
		f, ok := m.Interface().(func(*Context, error) error)
		if !ok {
			errs = append(errs, fmt.Errorf("hook %s is a %v: want func(*Context, error) error", onDisconnected, m.Type()))
		}
		h.disconnected = f
	}
	return errors.Join(errs...)
}

// Handle registers a function as a hub method; only before the first connection. Errors: a name that is taken (ignoring ASCII case), a
// function that cannot be a hub method, more than one option, ErrSealed.
func (h *Hub) Handle(name string, fn any, opt ...method.Options) error {
	var o method.Options
	switch len(opt) {
	case 0:
	case 1:
		o = opt[0]
	default:
		return fmt.Errorf("hub method %s: %d options are given: want at most one", name, len(opt))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sealed.Load() {
		return fmt.Errorf("hub method %s: %w", name, ErrSealed)
	}
	return h.methods.Add(name, fn, o)
}

// OnConnected sets the hook that runs after the handshake and before any message of the client; its failure ends the connection
// (wire contract, section 12.1). It panics after the first connection.
func (h *Hub) OnConnected(f func(c *Context) error) {
	h.unsealed(func() { h.connected = f })
}

// OnDisconnected sets the hook that runs at the end of a connection whose connected hook succeeded. cause is nil for an ordinary end
// (wire contract, section 16). It panics after the first connection.
func (h *Hub) OnDisconnected(f func(c *Context, cause error) error) {
	h.unsealed(func() { h.disconnected = f })
}

func (h *Hub) unsealed(set func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sealed.Load() {
		panic(ErrSealed)
	}
	set()
}

// seal ends the registration.
func (h *Hub) seal() {
	if h.sealed.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sealed.Load() {
		return // another loop was faster
	}
	for _, m := range h.methods.All() {
		if m.Inline {
			h.rt.inline.Store(true)
		}
	}
	h.wrapHooks()
	h.sealed.Store(true)
}

// Name is the name that NewHub was given.
func (h *Hub) Name() string { return h.name }

// Options are the hub's, with the defaults filled in.
func (h *Hub) Options() Options { return h.opt }

// Clients selects receivers from outside a hub method.
func (h *Hub) Clients() Clients { return Clients{h} }

// Groups changes memberships from outside a hub method.
func (h *Hub) Groups() Groups { return Groups{h} }
