// Package ws is the server side of RFC 6455 as a state machine over partial bytes.
//
// Payload is unmasked in place and passed on in pieces as it comes, so nothing is buffered and a header that announces 2^40
// bytes costs nothing; how much of a message is too much is for the layer above to say, piece by piece. What needs to be whole
// before it means anything (a header, a control frame: 131 bytes at most) stays with the engine until it is.
//
// The package is strict where RFC 6455 leaves the choice: a length in more bytes than needed is refused, UTF-8 is checked
// byte by byte as it comes, no extension is ever accepted.
package ws

import (
	"time"

	"github.com/spokehub/spoke/engine"
)

// Config is shared by the connections of an endpoint; it must not change while there are any. Zero value (or a nil
// pointer): defaults. Times are kept to the second and rounded up.
type Config struct {
	// CloseTimeout is how long Conn.Close waits for the peer's close frame before it resets TCP, the time included in which
	// what was queued before leaves. Default (also for a negative value) 5 s.
	CloseTimeout time.Duration
	// KeepAlive is the interval of the layer's own sign of life, which is independent of the hub's pings: an empty pong
	// that nobody asked for, or with KeepAliveTimeout a ping. Default 2 min; negative: off. Wire contract, section 4.
	KeepAlive time.Duration
	// KeepAliveTimeout is the time in which the pong to a ping must come, or TCP is reset. Default 0 (also for a negative
	// value): no pings. While reading is paused the clock stands still, as the pong may be waiting unread.
	KeepAliveTimeout time.Duration
	// SubProtocol selects one of the offered sub-protocols, which are given in the client's order; "" selects none. A
	// name that was not offered counts as none (RFC 6455, section 4.2.2). nil: none. It runs on the loop and must not block.
	SubProtocol func(offered []string) string
}

// Defaults of Config.
const (
	DefaultCloseTimeout = 5 * time.Second
	DefaultKeepAlive    = 2 * time.Minute
)

// Receiver gets what comes in. All methods run on the connection's loop.
type Receiver interface {
	// OnPayload gets a piece of the payload of data messages, unmasked, in order; piece and message boundaries mean
	// nothing. p is never empty, may be changed, and is void after the call. It is not called any more after Conn.Close,
	// and not while reading is paused.
	OnPayload(c *Conn, p []byte)
	// OnDrain is engine.Handler's: the waiting bytes have fallen to half the outbound cap. Not called after Conn.Close.
	OnDrain(c *Conn)
	// OnDeadline says that the second set by Conn.SetDeadline has come. It is cleared before the call.
	OnDeadline(c *Conn, now uint32)
	// OnClosed is the last call, and comes exactly once: as soon as it is certain how the WebSocket has ended, while the
	// engine may still be busy with sending the close frame and ending TCP. It is never called from within Conn.Close.
	// graceful: a close frame came from the peer, and code is its code (1005 if it had none); otherwise code is 1006. After
	// Conn.Close, r and err are what was given there.
	OnClosed(c *Conn, r engine.CloseReason, graceful bool, code uint16, err error)
}

// seconds is d in whole seconds, rounded up, and at least 1.
func seconds(d time.Duration) uint32 {
	const most = 1 << 30 // a stamp stays far from the end of uint32
	s := (d + time.Second - 1) / time.Second
	return uint32(min(max(s, 1), most))
}

func (cfg *Config) closeTimeout() uint32 {
	if cfg.CloseTimeout <= 0 {
		return seconds(DefaultCloseTimeout)
	}
	return seconds(cfg.CloseTimeout)
}

// keepAlive is the interval; 0: off.
func (cfg *Config) keepAlive() uint32 {
	switch {
	case cfg.KeepAlive < 0:
		return 0
	case cfg.KeepAlive == 0:
		return seconds(DefaultKeepAlive)
	}
	return seconds(cfg.KeepAlive)
}

// keepAliveTimeout is 0 when no pongs are asked for.
func (cfg *Config) keepAliveTimeout() uint32 {
	if cfg.KeepAliveTimeout <= 0 {
		return 0
	}
	return seconds(cfg.KeepAliveTimeout)
}
