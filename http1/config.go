// Package http1 speaks HTTP/1.1 (and 1.0) on an event loop: one request after the other per connection.
//
// A head is taken in three steps. It is collected under limits of bytes, lines and time; then it must pass a check that refuses whatever two
// readers could understand differently (RFC 9112, section 11: two lengths, a folded line, a bare CR or LF, ...); only then it is parsed, by net/http's own
// reader, so that a request means here what it means there.
package http1

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/proxy"
)

// Config tunes a server. The zero value of each limit has the stated default; Serve must be set. It must not change once Open has been called.
// All times are kept by the loop's clock: they are never cut short, and act within a second more.
type Config struct {
	MaxHead     int               // bytes of request line and headers; default 16 KiB; over it: 431
	MaxHeaders  int               // header lines; default 100; over it: 431
	HeadTimeout time.Duration     // to complete a head, from its first byte (or the accept); default 10 s; 408
	BodyTimeout time.Duration     // to complete a body; default 30 s; 408
	KeepAlive   time.Duration     // idle between two requests; default 60 s
	Trust       *proxy.Trust      // proxies whose headers are believed; nil: nobody's. An untrue one is answered with 400
	Serve       func(x *Exchange) // on the loop, once a head is complete; must answer, sooner or later, exactly once. A panic is answered with 500
	// HandOver gets connections given away by Exchange.HandOver, on a goroutine of its own. peer, if not nil, is whom a PROXY header has said to be at the other end.
	HandOver func(nc net.Conn, peer *proxy.Peer)
	// TLS, if not nil, has every connection that Open opens begin with a TLS handshake, behind its PROXY header if there is one. (A listener with TLS has done that before Open.)
	TLS *engine.Handshaker
	// ProxyProtocol has every connection of a trusted peer begin with a PROXY protocol header, of version 1 or 2; those without one are refused, as is one that takes longer than HeadTimeout. Other
	// peers must not send one: what it says cannot be believed, and a server that guesses whether there is one can be lied to (proxy-protocol.txt, section 2).
	ProxyProtocol bool
	// StrictTransport is the Strict-Transport-Security header of answers to requests that came by TLS (RFC 6797), unless the host asked for is localhost; "": none.
	StrictTransport string
	Logger          *slog.Logger // faults of Serve and HandOver; nil: silence. What peers do wrong is in the reason with which a connection closes
}

const (
	defaultMaxHead     = 16 << 10
	defaultMaxHeaders  = 100
	defaultHeadTimeout = 10 * time.Second
	defaultBodyTimeout = 30 * time.Second
	defaultKeepAlive   = 60 * time.Second

	// The largest values: beyond them the engine's own cap of unconsumed input (1 MiB by default) would act first.
	maxMaxHead    = 512 << 10
	maxMaxHeaders = 10_000
	maxTimeout    = 24 * time.Hour
)

// Validate reports all that is wrong with cfg at once. Each error names the field and its range.
func (cfg *Config) Validate() error {
	var errs []error
	size := func(name string, v, least, most, def int) {
		if v != 0 && (v < least || v > most) {
			errs = append(errs, fmt.Errorf("http1: %s is %d: want %d to %d, or 0 for the default of %d", name, v, least, most, def))
		}
	}
	span := func(name string, v, def time.Duration) {
		if v < 0 || v > maxTimeout {
			errs = append(errs, fmt.Errorf("http1: %s is %v: want at most %v, or 0 for the default of %v", name, v, maxTimeout, def))
		}
	}
	size("MaxHead", cfg.MaxHead, 64, maxMaxHead, defaultMaxHead)
	size("MaxHeaders", cfg.MaxHeaders, 1, maxMaxHeaders, defaultMaxHeaders)
	span("HeadTimeout", cfg.HeadTimeout, defaultHeadTimeout)
	span("BodyTimeout", cfg.BodyTimeout, defaultBodyTimeout)
	span("KeepAlive", cfg.KeepAlive, defaultKeepAlive)
	if cfg.Serve == nil {
		errs = append(errs, errors.New("http1: Serve is nil: want the function that answers requests"))
	}
	if cfg.ProxyProtocol && cfg.Trust.None() {
		errs = append(errs, errors.New("http1: ProxyProtocol is on and nobody is trusted: want the proxies that speak it in Trust"))
	}
	return errors.Join(errs...)
}

func (cfg *Config) maxHead() int {
	if cfg.MaxHead > 0 {
		return cfg.MaxHead
	}
	return defaultMaxHead
}

func (cfg *Config) maxHeaders() int {
	if cfg.MaxHeaders > 0 {
		return cfg.MaxHeaders
	}
	return defaultMaxHeaders
}

func (cfg *Config) headTimeout() time.Duration {
	if cfg.HeadTimeout > 0 {
		return cfg.HeadTimeout
	}
	return defaultHeadTimeout
}

func (cfg *Config) bodyTimeout() time.Duration {
	if cfg.BodyTimeout > 0 {
		return cfg.BodyTimeout
	}
	return defaultBodyTimeout
}

func (cfg *Config) keepAlive() time.Duration {
	if cfg.KeepAlive > 0 {
		return cfg.KeepAlive
	}
	return defaultKeepAlive
}

func (cfg *Config) logger() *slog.Logger {
	if cfg.Logger != nil {
		return cfg.Logger
	}
	return silence
}

var silence = slog.New(slog.DiscardHandler)

// Open returns the handler of a fresh connection: the open function of an engine's listener. Loop only.
func (cfg *Config) Open(c *engine.Conn) engine.Handler {
	if cfg.ProxyProtocol && cfg.Trust.Socket(c.Remote()).Trusted {
		after(c, cfg.headTimeout())
		return &preface{cfg: cfg}
	}
	if cfg.TLS != nil {
		return cfg.TLS.Open(func(c *engine.Conn) engine.Handler { return cfg.begin(c, nil) })(c)
	}
	return cfg.begin(c, nil)
}

// begin returns the handler of a connection whose next bytes are HTTP. peer is whom a PROXY header has said to be at the other end.
func (cfg *Config) begin(c *engine.Conn, peer *proxy.Peer) *conn {
	after(c, cfg.headTimeout())
	return &conn{cfg: cfg, peer: peer, begun: true}
}

// after sets c's deadline to the first second of the loop's clock that is at least d away: the second that runs now has run in part already.
func after(c *engine.Conn, d time.Duration) {
	c.SetDeadline(c.Loop().Now() + uint32((d+time.Second-1)/time.Second) + 1)
}
