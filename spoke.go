// Package spoke serves SignalR hubs from Go, on event loops.
package spoke

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/limits"
)

// The names that users meet.
type (
	Hub           = hubrt.Hub
	Context       = hubrt.Context
	Clients       = hubrt.Clients
	Groups        = hubrt.Groups
	Target        = hubrt.Target
	HubError      = hubrt.Error
	MethodOptions = method.Options
	Identity      = auth.Identity
	Rates         = limits.Rates
)

// HubOptions are the options of one hub; each hub starts with a copy of Config.Hub.
type HubOptions struct {
	hubrt.Options
	MinNegotiateVersion  int           // lowest negotiate version served; default 0
	WebSocketKeepAlive   time.Duration // default 2 min
	WebSocketPongTimeout time.Duration // default 0: off
	SubProtocol          func(offered []string) string
	AllowedOrigins       []string // exact origins for the upgrade; empty: all (origin defence is a later issue)
	ListAllTransports    bool     // negotiate lists all three transports though only WebSockets is served: for comparing with recordings
}

// Config: the zero value has the stated defaults.
type Config struct {
	Addr         string // host:port or unix:PATH; default 127.0.0.1:8080
	Engine       engine.Config
	Hub          HubOptions
	Authenticate auth.Authenticator
	Logger       *slog.Logger
	Drain        time.Duration // spread of the closes at shutdown; default 5 s
}

// RegisterFlags gives every setting a flag; SPOKE_… environment variables of the same names are the flags' defaults.
func (c *Config) RegisterFlags(fs *flag.FlagSet) { panic("contract") }

// Server serves hubs.
type Server struct{}

func New(cfg Config) (*Server, error) { panic("contract") }

// MapHub serves hub (a value with methods, or nil) on path; only before the server runs.
func (s *Server) MapHub(path string, hub any, opts ...func(*HubOptions)) (*Hub, error) {
	panic("contract")
}

// Handle serves a net/http handler on the same port; pattern as in http.ServeMux; only before the server runs.
func (s *Server) Handle(pattern string, h http.Handler) { panic("contract") }

// Listen opens the listeners (Run does it when it has not been called).
func (s *Server) Listen() (net.Addr, error) { panic("contract") }

// Run serves until ctx ends, then drains and returns nil.
func (s *Server) Run(ctx context.Context) error { panic("contract") }

// Shutdown drains and stops; ctx bounds it.
func (s *Server) Shutdown(ctx context.Context) error { panic("contract") }

// ServeHTTP lets hubs be mounted in a net/http mux.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("contract") }
