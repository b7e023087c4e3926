package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"
)

// TLS says how connections are secured: with which configuration of crypto/tls, and what handshakes may cost. Only Config has no default.
type TLS struct {
	// Config has the certificates, and all else that crypto/tls offers to servers: GetCertificate and GetConfigForClient are asked at each handshake, so that
	// certificates can be replaced while the server runs; session tickets and client certificates work as in net/http. It is copied. A MinVersion below TLS 1.2 is an
	// error; without NextProtos it is http/1.1. A configuration that GetConfigForClient returns is used as it is (so that its session tickets work), and a handshake
	// fails whose outcome is below TLS 1.2.
	//
	// The functions in it run on goroutines that hold one of the places of Computing: one that waits for something else, as for an answer over the network, should end
	// with the ClientHelloInfo's Context, and Computing should be higher.
	Config *tls.Config
	// HandshakeTimeout is the time from the beginning of a handshake (with Listen, from the connection on) to its end; default 10 s, at most 24 h. It acts within a second
	// more, with reason TLSHandshakeTimeout.
	HandshakeTimeout time.Duration
	// Handshakes is how many handshakes may be under way at once, over all loops; default 4,096. One is under way from a complete ClientHello on, and costs a goroutine and
	// some 23 KB (with a ClientHello of the usual size, see BenchmarkStalledTLS) while it waits for the rest of the client's part. A connection above that takes the
	// place of the one that has waited for its client for longest, if that is more than a second (TLSHandshakeTimeout for that), or else is reset with reason Refused.
	// A connection whose ClientHello is not complete does not count: it holds what has come of it, at most 16 KiB, until the timeout.
	Handshakes int
	// Computing is how many of these may compute at once: the others wait for their client or for their turn; default half of GOMAXPROCS, at least 1, so that
	// the loops always find a processor.
	Computing int
}

const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultHandshakes       = 4096
)

// check fills in the defaults and reports all that is wrong at once.
func (cfg *TLS) check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("engine: TLS: "+format, a...)) }
	if cfg.Config == nil {
		bad("Config is nil, but a configuration with a certificate is needed")
	} else {
		cfg.Config = cfg.Config.Clone()
		if err := checkVersions(cfg.Config); err != nil {
			bad("%w", err)
		}
		if len(cfg.Config.Certificates) == 0 && cfg.Config.GetCertificate == nil && cfg.Config.GetConfigForClient == nil {
			bad("Config has no certificate: Certificates, GetCertificate or GetConfigForClient is needed")
		}
		cfg.Config.MinVersion = max(cfg.Config.MinVersion, tls.VersionTLS12)
		if len(cfg.Config.NextProtos) == 0 {
			cfg.Config.NextProtos = []string{"http/1.1"}
		}
	}
	switch d := &cfg.HandshakeTimeout; {
	case *d == 0:
		*d = defaultHandshakeTimeout
	case *d < 0 || *d > 24*time.Hour:
		bad("HandshakeTimeout is %v, but at most 24h is expected, or 0 for the default of %v", *d, defaultHandshakeTimeout)
	}
	size := func(name string, v *int, def int) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0:
			bad("%s is %d, but a number of at least 1 is expected, or 0 for the default of %d", name, *v, def)
		}
	}
	size("Handshakes", &cfg.Handshakes, defaultHandshakes)
	size("Computing", &cfg.Computing, max(1, runtime.GOMAXPROCS(0)/2))
	return errors.Join(errs...)
}

// checkVersions refuses what would allow a version before TLS 1.2 (RFC 8996). 0 is crypto/tls's default.
func checkVersions(cfg *tls.Config) error {
	if v := cfg.MinVersion; v != 0 && v < tls.VersionTLS12 {
		return fmt.Errorf("Config.MinVersion is %s, but at least TLS 1.2 is expected, or 0 for that", tls.VersionName(v))
	}
	if v := cfg.MaxVersion; v != 0 && v < tls.VersionTLS12 {
		return fmt.Errorf("Config.MaxVersion is %s, but at least TLS 1.2 is expected, or 0 for the newest", tls.VersionName(v))
	}
	return nil
}

// Handshaker runs the TLS handshakes of connections of one engine, off the loops and within the bounds of its TLS: see there. Any goroutine.
type Handshaker struct {
	cfg  TLS // constant
	pool handshakePool
}

// NewHandshaker checks cfg. The error names every field that is wrong.
func NewHandshaker(cfg TLS) (*Handshaker, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	h := &Handshaker{cfg: cfg}
	h.pool.init(cfg.Handshakes, cfg.Computing)
	return h, nil
}

// Open is what opens a connection of Listen, Attach or Dial that begins with a TLS handshake. then runs on the loop when the handshake has succeeded, and returns the
// handler, which sees nothing of TLS but Conn.TLS; nil refuses the connection. It does not run when the handshake fails.
func (h *Handshaker) Open(then func(c *Conn) Handler) func(c *Conn) Handler {
	return func(c *Conn) Handler { return newHandshake(h, c, then) }
}

// Secure begins a TLS handshake, as a server, on a connection that was plain so far: with what its handler leaves unconsumed, when called inside OnData, and what comes
// after it. What has been queued before leaves as it is, and a pause ends. then is that of Handshaker.Open; before it runs the connection has no other handler, and
// cannot be detached. A connection that speaks TLS already is reset.
func (c *Conn) Secure(h *Handshaker, then func(c *Conn) Handler) {
	if c.flags&(flagDead|flagClosing) != 0 {
		return
	}
	if c.flags&flagTLS != 0 {
		c.Reset(InternalError, errors.New("engine: Secure of a connection that speaks TLS already"))
		return
	}
	c.SetHandler(newHandshake(h, c, then))
	c.ResumeRead()
}

// TLS is what the handshake has agreed on; false when the connection is plain, or has gone. It makes a copy of some hundred bytes: ask once. Encrypted is cheaper.
func (c *Conn) TLS() (tls.ConnectionState, bool) {
	if s := c.loop.sealedConn(c); s != nil {
		return s.tc.ConnectionState(), true
	}
	return tls.ConnectionState{}, false
}

// Encrypted reports that the connection speaks TLS.
func (c *Conn) Encrypted() bool { return c.flags&flagTLS != 0 }

// ListenTLS is Listen for connections that begin with a TLS handshake, within the bounds of cfg. open runs on the loop when the handshake has succeeded; it is not
// called when that fails. From then on the connection is as any other, but that
//
//   - the peer's close_notify is its end, as a FIN is. So is a FIN without one between two records, since many clients end so: what frames its messages, as WebSockets
//     and HTTP with a Content-Length or chunks do, sees by itself if anything is missing. A FIN within a record, or anything else that is wrong with the records, resets
//     the connection with TLSError.
//   - Close ends with close_notify, then FIN. Reset has none.
//   - Stats.BytesIn and BytesOut count what the handlers see, without the handshake and what the records take.
//   - a connection that the peer does not read has up to 17 KiB of encrypted bytes besides its queue.
//
// To secure connections of another origin, or after a plain beginning, see Handshaker.Open and Conn.Secure.
func (e *Engine) ListenTLS(network, addr string, cfg TLS, open func(c *Conn) Handler) (net.Addr, error) {
	h, err := NewHandshaker(cfg)
	if err != nil {
		return nil, err
	}
	return e.Listen(network, addr, h.Open(open))
}
