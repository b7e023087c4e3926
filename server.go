package spoke

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spokehub/spoke/endpoint"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/longpoll"
	"github.com/spokehub/spoke/ws"
)

// Server serves hubs on event loops and, on the same port, ordinary HTTP handlers. Map hubs and handlers before it runs; all else may be called on any goroutine.
type Server struct {
	cfg       Config
	engine    *engine.Engine
	hubs      *hubrt.Runtime
	endpoints *endpoint.Set
	http      http1.Config
	plain     plainHTTP
	security  security

	mu      sync.Mutex
	addr    net.Addr // under mu; nil: not listening
	serving bool     // under mu: no more hubs and handlers
	stopped bool     // under mu
	drain   atomic.Bool
}

// New checks cfg and makes a server, with its loops running but not yet listening. All problems of cfg are reported at once.
func New(cfg Config) (*Server, error) {
	if err := cfg.prepare(); err != nil {
		return nil, fmt.Errorf("spoke: %w", err)
	}
	if err := cfg.Hub.Options.Validate(); err != nil {
		return nil, fmt.Errorf("spoke: Config.Hub: %w", err)
	}
	cfg.Hub = cfg.Hub.clone()
	s := &Server{cfg: cfg}
	s.http = http1.Config{
		MaxHead:     cfg.HTTP.MaxHead,
		MaxHeaders:  cfg.HTTP.MaxHeaders,
		HeadTimeout: cfg.HTTP.HeadTimeout,
		BodyTimeout: cfg.HTTP.BodyTimeout,
		KeepAlive:   cfg.HTTP.KeepAlive,
		Serve:       s.serve,
		HandOver:    s.plain.take,
		Logger:      cfg.Logger,

		ProxyProtocol: cfg.ProxyProtocol,
	}
	if trust := cfg.trust(); !trust.None() {
		s.http.Trust = &trust
	}
	if err := s.http.Validate(); err != nil {
		return nil, fmt.Errorf("spoke: Config.HTTP: %w", err)
	}
	if err := s.security.load(&cfg); err != nil {
		return nil, fmt.Errorf("spoke: %w", err)
	}
	s.http.TLS, s.http.StrictTransport = s.security.hands, s.security.hsts
	eng, err := engine.New(cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("spoke: %w", err)
	}
	s.engine = eng
	s.hubs = hubrt.NewRuntime(hubrt.RuntimeConfig{
		Loops:          eng.Loops(),
		Workers:        cfg.Workers,
		WorkerQueue:    cfg.WorkerQueue,
		ClientResults:  cfg.ClientResults,
		MaxDeparted:    cfg.MaxDeparted,
		SendQueue:      cfg.SendQueue,
		StatefulMemory: cfg.StatefulMemory,
		AppendHeader:   ws.AppendHeader,
		AppendEvent:    longpoll.AppendChunk,
		Logger:         cfg.Logger,
	})
	s.endpoints = endpoint.NewSet(endpoint.Config{
		Engine:        eng,
		Authenticate:  cfg.Authenticate,
		AuthTimeout:   cfg.AuthTimeout,
		AuthCalls:     cfg.AuthCalls,
		AuthWaiting:   cfg.AuthWaiting,
		ParkedTimeout: cfg.ParkedTimeout,
		MaxParked:     cfg.MaxParked,
		Limits: longpoll.Limits{
			Outbound:    cfg.Engine.Outbound,
			OutboundMax: cfg.Engine.OutboundMax,
			OwnedMax:    cfg.Engine.OwnedMax,
			FramesMax:   cfg.Engine.FramesMax,
		},
		SendTimeout: cfg.Engine.SendTimeout,
		BodyTimeout: cfg.HTTP.BodyTimeout,
		Logger:      cfg.Logger,
	})
	s.plain.init(s)
	s.endpoints.Start()
	return s, nil
}

// MapHub serves hub, a value with methods or nil for functions alone, on path. The hub's options start as a copy of Config.Hub; each
// of opts may change them. Paths ignore case. Errors name each bad method and option.
func (s *Server) MapHub(path string, hub any, opts ...func(*HubOptions)) (*Hub, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	o := s.cfg.Hub.clone()
	for _, f := range opts {
		f(&o)
	}
	h, err := s.hubs.NewHub(strings.Trim(path, "/"), hub, o.Options)
	if err != nil {
		return nil, fmt.Errorf("spoke: hub %s: %w", path, err)
	}
	if _, err = s.endpoints.Map(path, h, endpoint.Options{
		Transports:          o.Transports,
		PollTimeout:         o.PollTimeout,
		MinNegotiateVersion: o.MinNegotiateVersion,
		AllowedOrigins:      o.AllowedOrigins,
		RequireUser:         o.RequireUser,
		KeepHead:            true,
		WebSocket: ws.Config{
			CloseTimeout:     o.WebSocketCloseTimeout,
			KeepAlive:        o.WebSocketKeepAlive,
			KeepAliveTimeout: o.WebSocketPongTimeout,
			SubProtocol:      o.SubProtocol,
		},
	}); err != nil {
		return nil, fmt.Errorf("spoke: %w", err)
	}
	return h, nil
}

// Handle serves a net/http handler on the server's port; pattern is as in http.ServeMux, whose panics on bad patterns it shares. Hub paths come first.
// Call it before the server runs.
func (s *Server) Handle(pattern string, h http.Handler) {
	if err := s.open(); err != nil {
		panic(err)
	}
	s.plain.handle(pattern, h)
}

var errServing = errors.New("spoke: hubs and handlers must be mapped before the server runs")

func (s *Server) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving {
		return errServing
	}
	return nil
}

// Listen opens the listeners, if they are not open yet, and returns their address. Run does it when it has not been called.
func (s *Server) Listen() (net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return nil, http.ErrServerClosed
	case s.addr != nil:
		return s.addr, nil
	}
	network, addr := "tcp", s.cfg.Addr
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	s.serving = true
	a, err := s.engine.Listen(network, addr, s.http.Open)
	if err != nil {
		return nil, fmt.Errorf("spoke: listen on %s: %w", s.cfg.Addr, err)
	}
	s.addr = a
	s.plain.start()
	s.security.start()
	s.cfg.Logger.Info("listening", "addr", a.String(), "tls", s.security.hands != nil, "loops", len(s.engine.Loops()))
	return a, nil
}

// Ready reports whether the server takes new connections: until Shutdown begins.
func (s *Server) Ready() bool { return !s.drain.Load() }

// Run serves until ctx ends, then drains: no new connections, every client is sent a Close that lets it reconnect, spread over Config.Drain,
// running calls finish, for Config.DrainLimit at most. It returns nil after a whole drain, and what errors.Is takes for ErrDrainLimit when calls or hooks were given up.
func (s *Server) Run(ctx context.Context) error {
	if _, err := s.Listen(); err != nil {
		return errors.Join(err, s.Shutdown(context.Background()))
	}
	<-ctx.Done()
	ctx = context.WithoutCancel(ctx)
	if s.cfg.DrainLimit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(s.cfg.Drain, 0)+s.cfg.DrainLimit)
		defer cancel()
	}
	err := s.Shutdown(ctx)
	if err == nil || ctx.Err() == nil {
		return err
	}
	st := s.hubs.Stats()
	s.cfg.Logger.Error("drain given up", "limit", s.cfg.DrainLimit, "calls running", st.CallsRunning, "connections", st.Connections)
	return fmt.Errorf("%w: after %v, %d calls are running and %d connections or hooks have not ended (Config.DrainLimit): let methods end when their context does",
		ErrDrainLimit, s.cfg.DrainLimit, st.CallsRunning, st.Connections)
}

// ErrDrainLimit is what errors.Is finds in the error of a Run whose drain was given up.
var ErrDrainLimit = errors.New("spoke: the drain was not over within its limit")

// Shutdown drains and stops the server. ctx bounds it: when it ends, what is left is cut off and its error returned. Calling it again does nothing.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil
	}
	s.stopped, s.serving = true, true
	s.mu.Unlock()
	s.drain.Store(true)
	s.engine.StopListening()
	s.security.shutdown()
	err := s.hubs.Drain(ctx, max(s.cfg.Drain, 0))
	s.endpoints.Stop()
	err = errors.Join(err, s.plain.shutdown(ctx))
	err = errors.Join(err, s.engine.Shutdown(ctx))
	return errors.Join(err, s.hubs.Stop(ctx))
}

// ServeHTTP serves the hubs, and what Handle was given, from a net/http server. In an http.ServeMux a hub needs two patterns, "/chat" and "/chat/": with the
// latter alone the mux redirects the WebSocket. A WebSocket is taken from net/http (by HTTP/1.1 only) and moved into the event loops. One under TLS, or whose connection is
// wrapped in another way, stays where it is and has two goroutines that carry its bytes to and from the loops: see engine.Engine.Bridge for what that costs, and docs/tls.md.
// Event streams and polls stay with net/http, on any version of HTTP; so stop this server before that one, which waits for them.
//
// r.RemoteAddr must be as net/http has set it: if it is one of Config.TrustedProxies, the request is served as its client has sent it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.serving = true
	s.mu.Unlock()
	r, err := s.http.Trust.Request(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.endpoints.Owns(r) {
		s.endpoints.ServeHTTP(w, r)
		return
	}
	s.plain.ServeHTTP(w, r)
}

// serve answers a request that came in on a loop.
func (s *Server) serve(x *http1.Exchange) {
	switch {
	case s.endpoints.Owns(x.Request()):
		s.endpoints.Serve(x)
	case s.plain.mux == nil:
		x.Reply(http.StatusNotFound, nil, nil)
	default:
		x.HandOver()
	}
}

// Stats are counters and gauges of all parts.
type Stats struct {
	Engine    engine.Stats
	Hubs      hubrt.Stats
	Endpoints endpoint.Stats
}

// Stats may be called on any goroutine; it costs a look at each loop.
func (s *Server) Stats() Stats {
	return Stats{s.engine.Stats(), s.hubs.Stats(), s.endpoints.Stats()}
}
