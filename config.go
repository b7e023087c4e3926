package spoke

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/endpoint"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/proxy"
)

// Config of a Server. The zero value is a working server on 127.0.0.1:8080; every field states its default. New copies it.
type Config struct {
	// Addr is where to listen: host:port, or unix:PATH. Port 0 takes a free one. Default 127.0.0.1:8080.
	Addr string
	// Engine tunes the event loops.
	Engine engine.Config
	// TLS has the server speak https and wss, with certificates from files or any tls.Config. Default: plain.
	TLS TLSOptions
	// HTTP bounds requests before they become hub connections.
	HTTP HTTPOptions
	// TrustedProxies are the addresses of proxies that are believed when they say whom they speak for: by the headers X-Forwarded-For, -Proto and -Host or Forwarded and, with
	// ProxyProtocol, by a PROXY header. The client's address, host and scheme are then what hubs, Authenticate, handlers and logs see. Nobody else is believed. An address is a
	// prefix of its full length. Default: none. See docs/deploy.md.
	TrustedProxies []netip.Prefix
	// TrustUnix believes whoever comes by a unix socket (Addr unix:PATH), too; the file's permissions say who can. Flag: the word unix in -trusted-proxies. Default: off.
	TrustUnix bool
	// ForwardedHeaders are those that are believed. A trusted proxy must write or delete each of them, or else its clients do. Default: all four; with any of X-Forwarded-*
	// in a request, Forwarded is not looked at.
	ForwardedHeaders ForwardedHeaders
	// ProxyProtocol has every connection of a trusted proxy begin with a PROXY protocol header of version 1 or 2, before TLS and HTTP, within HTTP.HeadTimeout; those without one are
	// refused. Only on the server's own port, not in ServeHTTP. Default: off.
	ProxyProtocol bool
	// Hub holds the options that each hub starts with a copy of.
	Hub HubOptions
	// Workers is how many goroutines run hub methods and hooks at most; they start on demand. A method that blocks holds one, unless it waits for a client (InvokeClient). Default 256.
	Workers int
	// WorkerQueue is how many calls of all clients may wait for a worker; over it the connections concerned are not read. Default 64 x Workers.
	WorkerQueue int
	// ClientResults is how many calls of hub methods may wait for a client's answer (InvokeClient), all clients together; over it InvokeClient fails with
	// ErrTooManyQuestions, so that clients that do not answer cannot take the workers from the others. Each that waits holds a goroutine, about 7 KB in all. Default 64 x Workers.
	ClientResults int
	// MaxDeparted is how many connections that have ended may wait for a worker, most for their disconnected event, which happens when all workers block. Over it new connections, and
	// negotiate, are answered with 503, so that clients that come and go cannot fill memory. About 400 bytes each, and the head of its request unless HubOptions.DropRequest is set. Default 65,536.
	MaxDeparted int
	// SendQueue is how many bytes of sends and joins may wait for one event loop; over it they fail with ErrSendQueueFull, so that a sender that is faster than the
	// loops cannot fill memory. A message to many counts in full at each loop. Default 64 MiB.
	SendQueue int
	// StatefulMemory is how many bytes may be kept for clients with stateful reconnect, all connections together; default 256 MiB. A message to many counts once for
	// each loop. Over it new clients do not get the agreement, and connections whose client is away are dropped, longest away first. See docs/stateful-reconnect.md.
	StatefulMemory int
	// Authenticate says who a request comes from, before anything else is done with it. Default: nobody is a user.
	Authenticate auth.Authenticator
	// AuthTimeout is how long one call of Authenticate may take until its context ends; the wait for its turn counts. Default 15 s.
	AuthTimeout time.Duration
	// AuthCalls is how many calls of Authenticate run at once; others wait for their turn. Default 256.
	AuthCalls int
	// AuthWaiting is how many requests may wait for their turn; over it they are answered with 503. Default 16,384.
	AuthWaiting int
	// ParkedTimeout is how long a negotiated connection waits for its transport, and a polled one for the next poll once the answer to the last one has left. Default 15 s.
	ParkedTimeout time.Duration
	// MaxParked is how many negotiated connections may wait; over it negotiate answers 503. About 250 bytes each. Default 262,144.
	MaxParked int
	// Drain is the time over which Shutdown spreads the closing of connections, so that their clients do not come back all at once. Default 5 s; negative: at once.
	Drain time.Duration
	// DrainLimit is how long Run waits, after Drain, for calls and hooks that still run; then it gives them up and returns ErrDrainLimit. Without it a method that never
	// returns would hold Run for ever. Default 30 s; negative: no limit. Shutdown has its context instead.
	DrainLimit time.Duration
	// Logger gets the server's records; tokens, arguments and claims never appear in them. Default: silence.
	Logger *slog.Logger

	envErrors []error // what was wrong in SPOKE_… variables
}

// trust is whom the server believes.
func (c *Config) trust() proxy.Trust {
	return proxy.Trust{Prefixes: c.TrustedProxies, Unix: c.TrustUnix, Headers: c.ForwardedHeaders}
}

// ForwardedHeaders is a set of headers of proxies.
type ForwardedHeaders = proxy.Headers

// The headers of proxies.
const (
	XForwardedFor   = proxy.XForwardedFor
	XForwardedProto = proxy.XForwardedProto
	XForwardedHost  = proxy.XForwardedHost
	Forwarded       = proxy.Forwarded
)

// HTTPOptions bound HTTP requests. Zero values are the stated defaults.
type HTTPOptions struct {
	MaxHead     int           // bytes of request line and headers; default 16 KiB; over it: 431
	MaxHeaders  int           // header lines; default 100; over it: 431
	HeadTimeout time.Duration // for a head to complete; default 10 s; then 408
	BodyTimeout time.Duration // for a body to complete; default 30 s; then 408
	KeepAlive   time.Duration // idle between two requests; default 60 s
}

// Transports is a set of SignalR transports.
type Transports = endpoint.Transports

// The transports.
const (
	WebSockets       = endpoint.WebSockets
	ServerSentEvents = endpoint.ServerSentEvents
	LongPolling      = endpoint.LongPolling
)

// HubOptions are the options of one hub.
type HubOptions struct {
	hubrt.Options
	// Transports that are served, and that negotiate offers. Default: all three.
	Transports Transports
	// PollTimeout is how long a poll waits for something to say. Default 90 s.
	PollTimeout time.Duration
	// MinNegotiateVersion is the lowest negotiate version served, 0 (default) or 1.
	MinNegotiateVersion int
	// WebSocketKeepAlive is the interval of the WebSocket layer's own keep-alive, an unsolicited pong. Independent of the hub's pings. Default 2 min; negative: off.
	WebSocketKeepAlive time.Duration
	// WebSocketPongTimeout makes the keep-alive a ping whose pong must come within it. Default 0: off.
	WebSocketPongTimeout time.Duration
	// WebSocketCloseTimeout is how long the client's close frame is waited for. Default 5 s.
	WebSocketCloseTimeout time.Duration
	// SubProtocol picks the WebSocket sub-protocol among those that the client offers; "" is none. Default: none.
	SubProtocol func(offered []string) string
	// AllowedOrigins are the exact Origin values with which a hub may be used. Empty (default): all. Requests without Origin, so not from browsers, pass.
	AllowedOrigins []string
}

// clone shares nothing with o that may be changed.
func (o HubOptions) clone() HubOptions {
	o.AllowedOrigins = slices.Clone(o.AllowedOrigins)
	o.Protocols = slices.Clone(o.Protocols)
	o.Methods = maps.Clone(o.Methods)
	o.Middleware = slices.Clone(o.Middleware)
	o.ConnectedMiddleware = slices.Clone(o.ConnectedMiddleware)
	o.DisconnectedMiddleware = slices.Clone(o.DisconnectedMiddleware)
	return o
}

// EnvPrefix is the beginning of the environment variables that RegisterFlags reads.
const EnvPrefix = "SPOKE_"

// RegisterFlags gives every setting a flag on fs. The default of each is the field's present value or, when it is set, the environment variable of the same
// name: -max-message is SPOKE_MAX_MESSAGE; an empty one counts as not set. A flag on the command line wins. A variable with an unusable value is reported by New, by its name.
func (c *Config) RegisterFlags(fs *flag.FlagSet) {
	c.envErrors = nil
	str := func(p *string, name, usage string) { fs.StringVar(p, name, *p, usage) }
	num := func(p *int, name, usage string) { fs.IntVar(p, name, *p, usage) }
	dur := func(p *time.Duration, name, usage string) { fs.DurationVar(p, name, *p, usage) }
	yes := func(p *bool, name, usage string) { fs.BoolVar(p, name, *p, usage) }
	rate := func(p *float64, name, usage string) { fs.Float64Var(p, name, *p, usage) }

	before := make(map[string]bool)
	fs.VisitAll(func(f *flag.Flag) { before[f.Name] = true })

	str(&c.Addr, "addr", "where to listen: host:port or unix:PATH (default 127.0.0.1:8080)")
	str(&c.Engine.Backend, "engine", "connection backend: epoll (default on Linux), gnet (default elsewhere; see engine.Config.Backend for its weaker bounds) or memory")
	num(&c.Engine.Loops, "loops", "event loops (default: GOMAXPROCS)")
	num(&c.Engine.Outbound, "outbound", "bytes that may wait to go out to one client before streams to it and its next calls wait (default 64 KiB)")
	num(&c.Engine.OutboundMax, "outbound-max", "bytes waiting for one client at which it is cut off at once; messages shared with others count in full (default 64 MiB)")
	num(&c.Engine.OwnedMax, "outbound-owned-max", "bytes waiting for one client that nobody shares, at which it is cut off at once; two messages of more than a quarter of that do not count (default 1 MiB)")
	num(&c.Engine.FramesMax, "frames-max", "messages waiting for one client at which it is cut off at once (default 65536)")
	dur(&c.Engine.SendTimeout, "send-timeout", "a client over -outbound that takes nothing for so long is cut off (default 10s); so is one that takes nothing of an ordinary HTTP answer")
	num(&c.Engine.SendBuffer, "send-buffer", "SO_SNDBUF of each connection in bytes (default 128 KiB, -1: up to the kernel)")
	dur(&c.Engine.Linger, "linger", "how long the end of a connection waits for its last bytes (default 5s)")
	num(&c.Workers, "workers", "goroutines that run hub methods, at most (default 256)")
	num(&c.WorkerQueue, "worker-queue", "calls that may wait for a worker (default 64 x workers)")
	num(&c.ClientResults, "client-results", "calls of hub methods that may wait for a client's answer; over it asking fails (default 64 x workers)")
	num(&c.MaxDeparted, "max-departed", "connections that have ended and wait for their disconnected event; over it new ones get 503 (default 65536)")
	num(&c.SendQueue, "send-queue", "bytes of sends that may wait for one event loop; over it sends fail (default 64 MiB)")

	num(&c.StatefulMemory, "stateful-memory", "bytes kept for clients with stateful reconnect, all together; over it those that are away are dropped (default 256 MiB)")

	str(&c.TLS.CertFile, "tls-cert", "certificate `file`, with its chain, in PEM: serve https and wss; several, separated by commas, for several names (default: plain HTTP)")
	str(&c.TLS.KeyFile, "tls-key", "private key `file` of -tls-cert, in PEM; several in the same order (default: plain HTTP)")
	dur(&c.TLS.Reload, "tls-reload", "how often the files of -tls-cert and -tls-key are looked at for changes (default 10s, negative: never)")
	dur(&c.TLS.HandshakeTimeout, "tls-handshake-timeout", "time for a TLS handshake (default 10s)")
	num(&c.TLS.Handshakes, "tls-handshakes", "TLS handshakes that may be under way at once; more connections are reset (default 4096)")
	num(&c.TLS.HandshakesComputing, "tls-handshakes-computing", "TLS handshakes that compute at once (default: half of GOMAXPROCS)")
	dur(&c.TLS.HSTS, "tls-hsts", "max-age of the Strict-Transport-Security header on answers under TLS, not for localhost (default 720h, negative: no header)")

	num(&c.HTTP.MaxHead, "http-max-head", "bytes of an HTTP head (default 16 KiB)")
	num(&c.HTTP.MaxHeaders, "http-max-headers", "lines of an HTTP head (default 100)")
	dur(&c.HTTP.HeadTimeout, "http-head-timeout", "time for an HTTP head to arrive (default 10s)")
	dur(&c.HTTP.BodyTimeout, "http-body-timeout", "time for an HTTP body to arrive (default 30s)")
	dur(&c.HTTP.KeepAlive, "http-keep-alive", "how long an idle HTTP connection is kept (default 1m)")

	fs.Var((*trusted)(c), "trusted-proxies", "whose word about their clients is taken: addresses and prefixes of proxies, and unix for unix sockets, separated by commas (default: nobody's)")
	fs.Var((*forwarded)(&c.ForwardedHeaders), "forwarded-headers", "headers of trusted proxies that are believed, separated by commas: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded (default: all)")
	yes(&c.ProxyProtocol, "proxy-protocol", "connections of trusted proxies begin with a PROXY protocol header, and are refused without one")

	h := &c.Hub
	dur(&h.HandshakeTimeout, "handshake-timeout", "time for the hub handshake (default 15s)")
	dur(&h.KeepAliveInterval, "keep-alive", "interval of the hub's pings (default 15s)")
	dur(&h.ClientTimeout, "client-timeout", "silence after which a client that pings is given up (default 30s)")
	num(&h.MaxMessage, "max-message", "bytes of one hub message from a client (default 32768)")
	num(&h.InputBuffer, "input-buffer", "unread input of one client before it is slowed down (default 64 KiB)")
	num(&h.MaxParallelCalls, "parallel-calls", "calls of one client that run at once (default 1)")
	num(&h.StreamBuffer, "stream-buffer", "items of one upload stream that may wait for the method that reads them (default 10)")
	num(&h.MaxStreams, "max-streams", "streams of one client, and questions to it, under way at once; over it new ones are refused (default 100)")
	dur(&h.ClientResultTimeout, "client-result-timeout", "how long a hub method without a deadline of its own waits for a client's answer (default 30s, negative: for ever)")
	num(&h.MaxGroups, "max-groups", "groups that one connection may be in (default 1000)")
	fs.Var((*protocols)(&h.Protocols), "protocols", "hub protocols, separated by commas: json, messagepack (default: both)")
	yes(&h.StatefulReconnect, "stateful-reconnect", "let clients that ask for it come back to their connection after a loss")
	num(&h.StatefulBuffer, "stateful-buffer", "bytes that a client with stateful reconnect may leave without acknowledgement until replies and streams to it wait (default 100000)")
	num(&h.StatefulMax, "stateful-max", "bytes without acknowledgement at which such a client is cut off; of messages to many a sixteenth counts (default 1 MiB)")
	dur(&h.DisconnectTimeout, "disconnect-timeout", "how long a connection with stateful reconnect waits for its client to come back (default 15s)")
	yes(&h.DetailedErrors, "detailed-errors", "tell clients the text of errors: for development only, it may give secrets away")
	yes(&h.DropRequest, "drop-request", "free each connection's HTTP request once it is connected (saves its size in memory)")
	rate(&h.Rates.Messages, "rate-messages", "messages a second from one client (default 0: no limit)")
	num(&h.Rates.MessagesBurst, "rate-messages-burst", "messages that may come at once (default: one second's worth)")
	rate(&h.Rates.Bytes, "rate-bytes", "bytes a second from one client (default 0: no limit)")
	num(&h.Rates.BytesBurst, "rate-bytes-burst", "bytes that may come at once (default: one second's worth)")
	fs.TextVar(&h.Rates.Mode, "rate-mode", h.Rates.Mode, "what happens over a rate: wait, reject or close")
	fs.Var((*transports)(&h.Transports), "transports", "transports that are served, separated by commas: WebSockets, ServerSentEvents, LongPolling (default: all)")
	dur(&h.PollTimeout, "poll-timeout", "how long a poll of a client without WebSockets waits (default 90s)")
	dur(&h.WebSocketKeepAlive, "websocket-keep-alive", "interval of the WebSocket layer's keep-alive (default 2m, negative: off)")
	dur(&h.WebSocketPongTimeout, "websocket-pong-timeout", "time for a pong to the WebSocket layer's ping (default 0: not asked for)")
	dur(&h.WebSocketCloseTimeout, "websocket-close-timeout", "time for the client's close frame (default 5s)")
	fs.Var((*list)(&h.AllowedOrigins), "allowed-origins", "origins that may connect, separated by commas (default: all)")

	dur(&c.AuthTimeout, "auth-timeout", "time for a request to be authenticated (default 15s)")
	num(&c.AuthCalls, "auth-calls", "requests that are authenticated at once (default 256)")
	num(&c.AuthWaiting, "auth-waiting", "requests that may wait to be authenticated; others get 503 (default 16384)")
	dur(&c.ParkedTimeout, "parked-timeout", "how long a negotiated connection waits for its transport, and a polled one for the next poll (default 15s)")
	num(&c.MaxParked, "max-parked", "negotiated connections that may wait (default 262144)")
	dur(&c.Drain, "drain", "time over which a stopping server spreads the closing of connections (default 5s, negative: at once)")
	dur(&c.DrainLimit, "drain-limit", "how long, after -drain, a stopping server waits for calls that still run; then it gives them up and fails (default 30s, negative: for ever)")

	fs.VisitAll(func(f *flag.Flag) {
		if before[f.Name] {
			return
		}
		name := EnvPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := os.Getenv(name); v != "" {
			if err := f.Value.Set(v); err != nil {
				c.envErrors = append(c.envErrors, fmt.Errorf("%s=%q: %w", name, v, err))
			}
		}
	})
}

// list is a flag of comma-separated words.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = nil
	for w := range strings.SplitSeq(s, ",") {
		if w = strings.TrimSpace(w); w != "" {
			*l = append(*l, w)
		}
	}
	return nil
}

// trusted is a flag of trusted proxies.
type trusted Config

func (t *trusted) String() string {
	trust := (*Config)(t).trust()
	return trust.String()
}

// Set takes addresses, prefixes and the word unix; none at all are nobody.
func (t *trusted) Set(s string) error {
	trust, err := proxy.ParseTrust(s)
	if err != nil {
		return err
	}
	t.TrustedProxies, t.TrustUnix = trust.Prefixes, trust.Unix
	return nil
}

// forwarded is a flag of headers of proxies.
type forwarded proxy.Headers

func (f *forwarded) String() string { return proxy.Headers(*f).String() }

// Set takes names in any case; none at all are the default.
func (f *forwarded) Set(s string) error {
	h, err := proxy.ParseHeaders(s)
	if err != nil {
		return err
	}
	*f = forwarded(h)
	return nil
}

// protocols is a flag of comma-separated names of hub protocols.
type protocols []codec.Protocol

func (p *protocols) String() string {
	var names []string
	for _, q := range *p {
		if q != nil {
			names = append(names, q.Name())
		}
	}
	return strings.Join(names, ",")
}

// Set takes names in any case; none at all are the default.
func (p *protocols) Set(s string) error {
	var names list
	if err := names.Set(s); err != nil {
		return err
	}
	var chosen []codec.Protocol
	for _, name := range names {
		switch strings.ToLower(name) {
		case codec.JSON.Name():
			chosen = append(chosen, codec.JSON)
		case codec.MessagePack.Name():
			chosen = append(chosen, codec.MessagePack)
		default:
			return fmt.Errorf("%q is no hub protocol: want json, messagepack or both, separated by a comma", name)
		}
	}
	*p = chosen
	return nil
}

// transports is a flag of comma-separated names of transports.
type transports Transports

func (t *transports) String() string { return Transports(*t).String() }

// Set takes names in any case; none at all are the default.
func (t *transports) Set(s string) error {
	var names list
	if err := names.Set(s); err != nil {
		return err
	}
	var chosen Transports
next:
	for _, name := range names {
		for _, known := range []Transports{WebSockets, ServerSentEvents, LongPolling} {
			if strings.EqualFold(name, known.String()) {
				chosen |= known
				continue next
			}
		}
		return fmt.Errorf("%q is no transport: want WebSockets, ServerSentEvents, LongPolling, or some of them, separated by commas", name)
	}
	*t = transports(chosen)
	return nil
}

// prepare checks what the parts do not check themselves and fills in defaults.
func (c *Config) prepare() error {
	errs := c.envErrors
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8080"
	}
	if c.Drain == 0 {
		c.Drain = 5 * time.Second
	}
	if c.DrainLimit == 0 {
		c.DrainLimit = 30 * time.Second
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"Workers", int64(c.Workers)}, {"WorkerQueue", int64(c.WorkerQueue)}, {"ClientResults", int64(c.ClientResults)}, {"MaxDeparted", int64(c.MaxDeparted)}, {"SendQueue", int64(c.SendQueue)}, {"StatefulMemory", int64(c.StatefulMemory)},
		{"MaxParked", int64(c.MaxParked)}, {"AuthTimeout", int64(c.AuthTimeout)}, {"AuthCalls", int64(c.AuthCalls)}, {"AuthWaiting", int64(c.AuthWaiting)},
		{"ParkedTimeout", int64(c.ParkedTimeout)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("Config.%s is %d: want 0 (the default) or more", n.name, n.value))
		}
	}
	trust := c.trust()
	if err := trust.Normalize(); err != nil {
		errs = append(errs, fmt.Errorf("Config.TrustedProxies: %w", err))
	}
	c.TrustedProxies = trust.Prefixes
	if c.ProxyProtocol && trust.None() {
		errs = append(errs, errors.New("Config.ProxyProtocol is on and nobody is trusted: want the addresses of the proxies that speak it in Config.TrustedProxies"))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Engine.Logger == nil {
		c.Engine.Logger = c.Logger
	}
	return errors.Join(errs...)
}
