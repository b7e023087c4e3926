// Package endpoint maps paths to hubs: negotiate, the registry of connections by their secret tokens, the HTTP status rules,
// and the way from a request to a hub connection. It serves requests of our own HTTP (http1) and of net/http alike.
// Wire contract, sections 2, 3 and 7.
package endpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/longpoll"
	"github.com/spokehub/spoke/ws"
)

// Config belongs to all endpoints of a server. The zero value has the stated defaults.
type Config struct {
	Engine       *engine.Engine
	Authenticate auth.Authenticator // nil: nobody is a user
	// AuthTimeout is how long one Authenticate call may take until its context ends. Default 15 s.
	AuthTimeout time.Duration
	// AuthCalls is how many Authenticate calls run at once; others wait. Default 256.
	AuthCalls int
	// AuthWaiting is how many requests may wait for their turn; over it they get 503. Default 16,384.
	AuthWaiting int
	// ParkedTimeout is how long a negotiated connection waits for its transport, and a polled one for the next poll once the answer to the last one has left. Default 15 s.
	ParkedTimeout time.Duration
	// MaxParked is how many negotiated connections may wait, all hubs; over it negotiate answers 503. About 200 bytes each. Default 262,144.
	MaxParked int
	// Limits are those of what waits to go out to a client without a socket of its own.
	Limits longpoll.Limits
	// SendTimeout is how long one write of an event stream, or of a piece of the answer to a poll, may take on a net/http server. Default 10 s.
	SendTimeout time.Duration
	// BodyTimeout is how long a piece of a POST's body may be in coming on a net/http server. Default 30 s.
	BodyTimeout time.Duration
	Logger      *slog.Logger // nil: silence
}

// Options of one endpoint.
type Options struct {
	// Transports that are served, and that negotiate offers. Default: all three.
	Transports Transports
	// PollTimeout is how long a poll waits for something to say. Default 90 s.
	PollTimeout time.Duration
	// MinNegotiateVersion is the lowest negotiate version served: 0 (default) or 1.
	MinNegotiateVersion int
	// AllowedOrigins are the exact values of the Origin header with which a transport may be opened and used, compared with regard to case.
	// Empty (default): all. A request without Origin, so not from a browser, is let through.
	AllowedOrigins []string
	// RequireUser answers 401 to requests without a user.
	RequireUser bool
	// KeepHead keeps a copy of the request's head for hubrt.Context.Request.
	KeepHead  bool
	WebSocket ws.Config
}

// Set is the endpoints of a server.
type Set struct {
	cfg      Config
	registry *registry
	clocks   []*longpoll.Clock    // by loop; made by Start
	byPath   map[string]*Endpoint // lower case, without a slash at the end; read only once serving
	auth     authPool
	busy     atomic.Int64 // any goroutine (atomic): answers 503
}

// NewSet makes an empty set.
func NewSet(cfg Config) *Set {
	cfg.AuthTimeout = orDefault(cfg.AuthTimeout, 15*time.Second)
	cfg.AuthCalls = orDefault(cfg.AuthCalls, 256)
	cfg.AuthWaiting = orDefault(cfg.AuthWaiting, 16384)
	cfg.ParkedTimeout = orDefault(cfg.ParkedTimeout, 15*time.Second)
	cfg.MaxParked = orDefault(cfg.MaxParked, 262144)
	cfg.Limits = cfg.Limits.Defaults()
	cfg.SendTimeout = orDefault(cfg.SendTimeout, 10*time.Second)
	cfg.BodyTimeout = orDefault(cfg.BodyTimeout, 30*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Set{
		cfg:      cfg,
		registry: newRegistry(cfg.ParkedTimeout, cfg.MaxParked),
		byPath:   make(map[string]*Endpoint),
		auth:     authPool{slots: make(chan struct{}, cfg.AuthCalls), max: int64(cfg.AuthCalls + cfg.AuthWaiting)},
	}
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Endpoint is one mapped path.
type Endpoint struct {
	set    *Set
	number int // among those of the set
	path   string
	hub    *hubrt.Hub
	opt    Options

	modes [4]mode // of WebSockets; constant
}

// mode is that of a WebSocket.
func (e *Endpoint) mode(binary, stateful bool) *mode {
	i := 0
	if binary {
		i = 1
	}
	if stateful {
		i += 2
	}
	return &e.modes[i]
}

// Map serves hub on path; only before the first request. Errors say what is wrong with the path or the options.
func (s *Set) Map(path string, hub *hubrt.Hub, opt Options) (*Endpoint, error) {
	var errs []error
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#%{} ") {
		errs = append(errs, fmt.Errorf("endpoint: path %q: want a slash and then plain text, without a query, escapes or patterns", path))
	}
	if opt.Transports == 0 {
		opt.Transports = allTransports
	}
	if opt.PollTimeout < 0 {
		errs = append(errs, fmt.Errorf("endpoint: the poll timeout of %s is %v: want 0 (default 90 s) or more", path, opt.PollTimeout))
	}
	opt.PollTimeout = orDefault(opt.PollTimeout, 90*time.Second)
	if opt.Transports&^allTransports != 0 {
		errs = append(errs, fmt.Errorf("endpoint: transports %#x of %s: unknown bits", uint8(opt.Transports), path))
	}
	if v := opt.MinNegotiateVersion; v < 0 || v > highestVersion {
		errs = append(errs, fmt.Errorf("endpoint: minimum negotiate version %d of %s: want 0 or %d", v, path, highestVersion))
	}
	if slices.Contains(opt.AllowedOrigins, "*") {
		errs = append(errs, fmt.Errorf("endpoint: allowed origin * of %s: name each origin exactly, or none to allow all", path))
	}
	key := pathKey(path)
	if old := s.byPath[key]; old != nil {
		errs = append(errs, fmt.Errorf("endpoint: path %s is mapped already, as %s (paths ignore case)", path, old.path))
	}
	if strings.HasSuffix(key, negotiateSuffix) {
		errs = append(errs, fmt.Errorf("endpoint: path %s ends in %s, which the hub in front of it answers itself", path, negotiateSuffix))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	opt.AllowedOrigins = slices.Clone(opt.AllowedOrigins)
	e := &Endpoint{set: s, number: len(s.byPath), path: path, hub: hub, opt: opt}
	for i := range e.modes {
		e.modes[i] = mode{endpoint: e, transport: WebSockets, binary: i&1 != 0, stateful: i&2 != 0}
	}
	s.byPath[key] = e
	return e, nil
}

const negotiateSuffix = "/negotiate"

// pathKey is how paths are compared: ignoring case and slashes at the end (wire contract, section 3).
func pathKey(path string) string { return strings.ToLower(strings.TrimRight(path, "/")) }

// match finds the endpoint of a request path, and whether its negotiate is meant.
func (s *Set) match(path string) (e *Endpoint, negotiate bool) {
	key := pathKey(path)
	if e = s.byPath[key]; e != nil {
		return e, false
	}
	if hub, ok := strings.CutSuffix(key, negotiateSuffix); ok {
		return s.byPath[hub], true
	}
	return nil, false
}

// Owns reports whether a request is for one of the hubs.
func (s *Set) Owns(r *http.Request) bool {
	e, _ := s.match(r.URL.Path)
	return e != nil
}

// Start makes the set ready to serve, and begins the once-a-second removal of parked connections whose time is over, on the first loop. It ends with the engine.
func (s *Set) Start() {
	for _, l := range s.cfg.Engine.Loops() {
		s.clocks = append(s.clocks, longpoll.NewClock(l))
	}
	loop := s.cfg.Engine.Loops()[0]
	var tick func()
	tick = func() {
		s.registry.sweep(time.Now())
		loop.AfterFunc(time.Second, tick)
	}
	loop.Post(engine.TaskFunc(func(*engine.Loop) { loop.AfterFunc(time.Second, tick) }))
}

// Stop ends the event streams and polled connections that are left once Drain has been given up, before the engine is shut down: the loops end without waiting for
// them, since they have no socket there.
func (s *Set) Stop() {
	for _, k := range s.clocks {
		k.Stop()
	}
}

// Stats are gauges and counters. Any goroutine.
type Stats struct {
	Connections int   // known by token: parked and connected
	Parked      int64 // negotiated, waiting for a transport
	Expired     int64 // negotiated, and nobody came in time
	Refused     int64 // refused by Authenticate
	Busy        int64 // answered with 503: too many are parked, wait to be authenticated, or wait for their disconnected event
}

// Stats may be called on any goroutine.
func (s *Set) Stats() Stats {
	return Stats{
		Connections: s.registry.size(),
		Parked:      s.registry.parked.Load(),
		Expired:     s.registry.expired.Load(),
		Refused:     s.auth.refused.Load(),
		Busy:        s.busy.Load(),
	}
}
