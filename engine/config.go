package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// Config tunes an Engine. The zero value has the stated defaults. It is copied by New.
type Config struct {
	// Backend is "epoll" (Linux only; the default there), "gnet" (gnet's own event loops: Linux, macOS, BSD, Windows; the default
	// but on Linux) or "memory" (no sockets: tests and simulations; the default where there is nothing else).
	//
	// All three keep the same contract, but gnet has no means for some of it, so that backend costs more where it matters little:
	//   - A paused connection is read on until 16 KiB wait, so it holds up to 80 KiB besides what its handler has left; then it is
	//     taken out of gnet, and TCP slows the peer.
	//   - A connection that is paused for long or whose peer has ended its direction takes a second descriptor for a moment. If there
	//     is none, the first is read on up to InputMax and then reset (InputOverflow), the second ends at once (PeerClosed).
	//   - There is one listener for all loops, and a connection takes two descriptors while it is accepted.
	//   - On Windows there are 64 KiB and a goroutine per connection, what a peer does not take is copied (64 KiB per connection), and
	//     there are no unix sockets.
	//
	// gnet has a logger for the process too: with several engines, what it says there goes to the Logger of the one made last.
	Backend string
	// Loops is the number of event loops, each a goroutine; default GOMAXPROCS, at most 1,024.
	Loops int
	// Outbound is the number of bytes that may wait to go out per connection beyond the frame being written, before the
	// connection counts as slow; default 64 KiB. Being over it costs nothing at once: see SendTimeout and OnDrain. Half of
	// OwnedMax and half of FramesMax count alike, which small pieces reach with fewer bytes.
	Outbound int
	// OutboundMax is the hard cap in bytes that wait per connection; default 64 MiB. A connection that has more when the next
	// piece comes is reset at once with OutboundOverflow, so that it holds at most the cap and one piece. Shared frames count
	// in full though a waiting frame costs 16 bytes per connection: the cap bounds what one dead reader keeps alive that
	// everybody else has sent already. A healthy reader may lag by a burst of that size.
	OutboundMax int
	// OwnedMax is the hard cap of the part of the waiting bytes that was copied for this connection alone (Write), counted
	// by the buffers that hold it; default 1 MiB. Checked before each piece like OutboundMax, so a single large Write passes. Buffers of more
	// than a quarter of the cap do not count for it: of these two may wait, with anything behind them; over a third the next piece resets, too.
	OwnedMax int
	// FramesMax is the hard cap of the number of waiting pieces (frames, and runs of written bytes); default 65,536, that
	// is 1 MiB of queue. Over it: OutboundOverflow.
	FramesMax int
	// SendTimeout is how long a connection may be over Outbound while the kernel takes nothing; then it is reset with
	// reason SendTimeout. Default 10 s; it acts within a second more.
	SendTimeout time.Duration
	// SendBuffer is SO_SNDBUF of each connection in bytes, TCP and unix; default 128 KiB (the kernel doubles it for its bookkeeping). A
	// peer that has stopped reading then holds about 310 KiB in both kernels' buffers, at the same rate for those who read; -1
	// leaves it to the kernel, which takes 3.8 MB (BenchmarkSendBuffer). It bounds a connection's rate to its size per
	// round trip; below 64 KiB the loopback device, whose segments are as large, waits for delayed acknowledgements.
	SendBuffer int
	// InputMax is the hard cap of the bytes that a handler may leave unconsumed per connection; default 1 MiB. Over it the
	// connection is reset with InputOverflow. Handlers have caps of their own that are far below.
	InputMax int
	// Linger is how long Close waits for queued bytes to leave and for the peer's FIN; default 5 s; it acts within a second
	// more. Bytes that have not left by then are lost, by RST.
	Linger time.Duration
	// Logger gets the closes (debug) and what goes wrong with listeners (warn); nil is silence.
	Logger *slog.Logger

	wrap func(*Loop, driver) driver // tests: puts faults between a loop and its system calls
	calm bool                       // tests: panics of handlers are handled as without Poison
}

// The names of the backends.
const (
	backendEpoll  = "epoll"
	backendGnet   = "gnet"
	backendMemory = "memory"
)

const (
	maxLoops           = 1024
	defaultOutbound    = 64 << 10
	defaultOutboundMax = 64 << 20
	defaultOwnedMax    = 1 << 20
	defaultFramesMax   = 64 << 10
	defaultSendTimeout = 10 * time.Second
	defaultSendBuffer  = 128 << 10
	defaultInputMax    = 1 << 20
	defaultLinger      = 5 * time.Second
)

// check fills in the defaults and reports all that is wrong at once.
func (cfg *Config) check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("engine: "+format, a...)) }
	size := func(name string, v *int, def int) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0:
			bad("%s is %d, but a number of at least 1 is expected, or 0 for the default of %d", name, *v, def)
		}
	}
	span := func(name string, v *time.Duration, def time.Duration) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0 || *v > 24*time.Hour:
			bad("%s is %v, but at most 24h is expected, or 0 for the default of %v", name, *v, def)
		}
	}
	switch cfg.Backend {
	case "":
		cfg.Backend = defaultBackend
	case backendEpoll:
		if defaultBackend != backendEpoll {
			bad("backend %q is for Linux; on %s the default is %q", cfg.Backend, runtime.GOOS, defaultBackend)
		}
	case backendGnet:
		if defaultBackend == backendMemory {
			bad("backend %q is for Linux, macOS, BSD and Windows; on %s there is %q", cfg.Backend, runtime.GOOS, backendMemory)
		}
	case backendMemory:
	default:
		bad("backend %q is unknown; there are %q (Linux), %q and %q", cfg.Backend, backendEpoll, backendGnet, backendMemory)
	}
	size("Loops", &cfg.Loops, runtime.GOMAXPROCS(0))
	if cfg.Loops > maxLoops {
		bad("Loops is %d, but at most %d are expected: one per processor", cfg.Loops, maxLoops)
	}
	size("Outbound", &cfg.Outbound, defaultOutbound)
	size("OutboundMax", &cfg.OutboundMax, max(defaultOutboundMax, cfg.Outbound))
	size("OwnedMax", &cfg.OwnedMax, max(defaultOwnedMax, cfg.Outbound))
	size("FramesMax", &cfg.FramesMax, defaultFramesMax)
	size("InputMax", &cfg.InputMax, defaultInputMax)
	if cfg.OutboundMax < cfg.Outbound {
		bad("OutboundMax is %d, but the hard cap must not be below Outbound, which is %d", cfg.OutboundMax, cfg.Outbound)
	}
	if cfg.SendBuffer != -1 {
		size("SendBuffer", &cfg.SendBuffer, defaultSendBuffer)
	}
	span("SendTimeout", &cfg.SendTimeout, defaultSendTimeout)
	span("Linger", &cfg.Linger, defaultLinger)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}

// seconds is d in whole seconds, rounded up, and one more: added to Loop.Now it gives a second that is at least d away.
func seconds(d time.Duration) uint32 { return uint32((d+time.Second-1)/time.Second) + 1 }
