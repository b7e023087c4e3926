package hubrt

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/spokehub/spoke/hubrt/method"
)

// Middleware wraps the calls of a hub's methods: it is called once, when it is registered, with what comes after it, and returns what is called instead, for each call and on any
// number of goroutines at a time. It sees a call after its arguments are bound and its user is known to be allowed (wire contract, section 22), may change arguments and
// result, and need not call next. Its errors and panics are the method's. For an inline method it runs on the event loop, and must not block.
type Middleware func(next Invoker) Invoker

// Invoker runs a call and returns its result, nil for none. The result of a method that streams is its channel or iterator, of which nothing has been taken.
type Invoker func(inv *Invocation) (any, error)

// ConnectedMiddleware wraps the connected event, DisconnectedMiddleware the disconnected one, as Middleware does calls. With one the event is there though the hub
// has no hook for it; next does nothing then. A connected event that fails refuses the connection.
type (
	ConnectedMiddleware    func(next func(c *Context) error) func(c *Context) error
	DisconnectedMiddleware func(next func(c *Context, cause error) error) func(c *Context, cause error) error
)

// Invocation is a call on its way through the middleware. It belongs to one goroutine at a time. That may be one which a middleware has started and does not wait for any longer: what
// it gets then goes nowhere, and its panics are not recovered. A call of next that begins when the outermost Invoker has returned fails.
type Invocation struct {
	// Context ends with the call, or with the connection. The method's context.Context parameter, if it has one, is what is here when the method is called.
	Context context.Context
	// Args are the arguments in the order of the wire, each of its parameter's type; streams are not among them. They may be changed; one of a type that cannot be assigned to the
	// parameter fails the call with an error that says so.
	Args []any
	// Uploads are the streams that the client sends, in the order of the parameters, each a channel or iterator of its parameter's type. They may be changed as Args may.
	Uploads []any

	caller *Context
	method *method.Method[*Context]
	bound  *method.Args // constant: the call's own
	over   atomic.Bool  // any goroutine (atomic)
}

// Caller is the calling connection.
func (inv *Invocation) Caller() *Context { return inv.caller }

// Method is the registered name of the method that is called.
func (inv *Invocation) Method() string { return inv.method.Name }

var (
	errInvocationOver = errors.New("hubrt: a middleware has called next after the call was over")
	errNoContext      = errors.New("hubrt: a middleware has set Invocation.Context to nil")
)

// invoke calls the method.
func (inv *Invocation) invoke() (any, error) {
	switch {
	case inv.over.Load():
		return nil, errInvocationOver
	case inv.Context == nil:
		return nil, errNoContext
	}
	if err := inv.method.SetValues(inv.bound, inv.Args); err != nil {
		return nil, fmt.Errorf("hubrt: what a middleware has left as arguments does not fit: %w", err)
	}
	if err := inv.method.SetStreams(inv.bound, inv.Uploads); err != nil {
		return nil, fmt.Errorf("hubrt: what a middleware has left as upload streams does not fit: %w", err)
	}
	r, err := inv.method.Call(inv.caller, inv.Context, inv.bound)
	if err != nil {
		return nil, err
	}
	return r.Any(), nil
}

// stages are middleware in the order of registration. F is the type of what they wrap.
type stages[F any] struct {
	first, last *stage[F]
}

// stage is one middleware. It knows its successor only when that has been registered, so what it got as next looks there.
type stage[F any] struct {
	run  F
	next *stage[F] // constant once the hub is sealed
}

func (s *stages[F]) add(n *stage[F]) {
	if s.last == nil {
		s.first = n
	} else {
		s.last.next = n
	}
	s.last = n
}

// Use adds middleware around the hub's methods; the first one is outermost, those of Options.Middleware are outside of all. It panics after the first connection, and when one is nil or
// returns nil.
func (h *Hub) Use(mw ...Middleware) { h.register(h.use(mw)) }

// UseConnected adds middleware around the connected event, whether its hook is set before or after. Otherwise as Use.
func (h *Hub) UseConnected(mw ...ConnectedMiddleware) { h.register(h.useConnected(mw)) }

// UseDisconnected adds middleware around the disconnected event. Otherwise as Use.
func (h *Hub) UseDisconnected(mw ...DisconnectedMiddleware) { h.register(h.useDisconnected(mw)) }

func (h *Hub) register(set func(), err error) {
	if err != nil {
		panic(err)
	}
	h.unsealed(set)
}

var errNilMiddleware = errors.New("hubrt: a middleware is nil, or has returned nil: want a function that returns one")

func (h *Hub) use(mw []Middleware) (set func(), err error) {
	all := make([]*stage[Invoker], len(mw))
	for i, m := range mw {
		s := new(stage[Invoker])
		if m != nil {
			s.run = m(func(inv *Invocation) (any, error) {
				if s.next != nil {
					return s.next.run(inv)
				}
				return inv.invoke()
			})
		}
		if s.run == nil {
			return nil, errNilMiddleware
		}
		all[i] = s
	}
	return func() {
		for _, s := range all {
			h.calls.add(s)
		}
	}, nil
}

func (h *Hub) useConnected(mw []ConnectedMiddleware) (set func(), err error) {
	all := make([]*stage[func(*Context) error], len(mw))
	for i, m := range mw {
		s := new(stage[func(*Context) error])
		if m != nil {
			s.run = m(func(c *Context) error {
				switch {
				case s.next != nil:
					return s.next.run(c)
				case h.onConnected != nil:
					return h.onConnected(c)
				}
				return nil
			})
		}
		if s.run == nil {
			return nil, errNilMiddleware
		}
		all[i] = s
	}
	return func() {
		for _, s := range all {
			h.connects.add(s)
		}
	}, nil
}

func (h *Hub) useDisconnected(mw []DisconnectedMiddleware) (set func(), err error) {
	all := make([]*stage[func(*Context, error) error], len(mw))
	for i, m := range mw {
		s := new(stage[func(*Context, error) error])
		if m != nil {
			s.run = m(func(c *Context, cause error) error {
				switch {
				case s.next != nil:
					return s.next.run(c, cause)
				case h.onDisconnected != nil:
					return h.onDisconnected(c, cause)
				}
				return nil
			})
		}
		if s.run == nil {
			return nil, errNilMiddleware
		}
		all[i] = s
	}
	return func() {
		for _, s := range all {
			h.disconnects.add(s)
		}
	}, nil
}

// useOptions registers the middleware of the options.
func (h *Hub) useOptions(opt *Options) error {
	calls, err1 := h.use(opt.Middleware)
	connects, err2 := h.useConnected(opt.ConnectedMiddleware)
	disconnects, err3 := h.useDisconnected(opt.DisconnectedMiddleware)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	calls()
	connects()
	disconnects()
	return nil
}

// wrapHooks puts the middleware around the hooks, now that both are known. Under mu.
func (h *Hub) wrapHooks() {
	if s := h.connects.first; s != nil {
		h.onConnected, h.connected = h.connected, s.run
	}
	if s := h.disconnects.first; s != nil {
		h.onDisconnected, h.disconnected = h.disconnected, s.run
	}
}

// through runs a call through the middleware. call is the context of the call; nil: it gets one.
func (h *Hub) through(c *Context, call context.Context, t *method.Method[*Context], args *method.Args) (method.Result, error) {
	if call == nil {
		var cancel context.CancelFunc
		call, cancel = context.WithCancel(c)
		defer cancel()
	}
	// The next call gets others: a goroutine that a middleware has not waited for must not find that one's arguments in its own.
	own := new(method.Args)
	*own, *args = *args, *own
	inv := &Invocation{Context: call, Args: t.Values(own), Uploads: t.Streams(own), caller: c, method: t, bound: own}
	defer inv.over.Store(true)
	v, err := h.calls.first.run(inv)
	if err != nil {
		return method.Result{}, err
	}
	return method.ResultOf(v), nil
}
