package hubrt

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/limits"
)

// Options of one hub. Zero values are the defaults of the wire contract, section 21. Times are kept to the second: they are rounded up,
// and what they bound happens up to a second late, never early.
type Options struct {
	HandshakeTimeout  time.Duration // default 15 s
	KeepAliveInterval time.Duration // between two pings to the client; default 15 s
	// ClientTimeout is how long a client that has pinged once may be silent; default 30 s. The clock stands still while messages of the
	// client wait to be dispatched.
	ClientTimeout    time.Duration
	MaxMessage       int // bytes of one message, framing included; default 32,768
	InputBuffer      int // bytes of unread input and waiting calls of one connection; over it reading pauses; default 64 KiB
	MaxParallelCalls int // calls of one connection that run at a time; default 1: strictly one after the other
	// StreamBuffer is how many items of one upload may wait for the method that reads them (StreamBufferCapacity); default 10. Over it the client is slowed down.
	StreamBuffer int
	MaxStreams   int // streams of one connection, in both directions together, and questions to its client, that may be under way; default 100; over it new ones are refused
	// ClientResultTimeout is how long Target.Invoke waits for a client's answer when its context has no deadline; one that has waits for that. Default 30 s; negative: for ever.
	// ASP.NET Core has no such limit.
	ClientResultTimeout time.Duration
	// StatefulReconnect lets clients that ask for it come back to their connection after a loss (wire contract, section 18). Default: off.
	StatefulReconnect bool
	// StatefulBuffer is how many bytes wait for the client's acknowledgement until senders wait (StatefulReconnectBufferSize); default 100,000.
	StatefulBuffer int
	// StatefulMax is how many bytes of its own a client may leave without acknowledgement, and a sixteenth of what it may of messages to many, which costs
	// a pointer each; default 1 MiB. Over it the connection ends (engine.OutboundOverflow).
	// One message of its own that is larger than half of it does not count until its acknowledgement, whatever its size.
	StatefulMax int
	// DisconnectTimeout is how long a connection with stateful reconnect waits for its client to come back after a loss; default 15 s. Then the hub sees an ordinary end.
	DisconnectTimeout time.Duration
	MaxGroups         int // groups of one connection; default 1,000. Joining and leaving take time in proportion to the connection's groups
	DetailedErrors    bool
	RequireUser       bool // the endpoint answers 401 to anonymous requests
	DropRequest       bool // free the request after the connected event; Context.Request is nil then
	Rates             limits.Rates
	Protocols         []codec.Protocol          // default JSON and MessagePack; at most three. A client picks one in its handshake; a broadcast is encoded once for each in use
	Methods           map[string]method.Options // by Go method name
	// MethodName makes the names on the wire of the Go names of a hub value's methods, for example LowerCamel; names in Methods and in tags win. Default: they are the same.
	MethodName func(goName string) string
	// Middleware around the hub's methods and events, the first one outermost; see Hub.Use, which adds more inside. Default: none.
	Middleware             []Middleware
	ConnectedMiddleware    []ConnectedMiddleware
	DisconnectedMiddleware []DisconnectedMiddleware
}

const (
	defaultHandshakeTimeout = 15 * time.Second
	defaultKeepAlive        = 15 * time.Second
	defaultClientTimeout    = 30 * time.Second
	defaultMaxMessage       = 32 << 10
	defaultInputBuffer      = 64 << 10
	defaultMaxGroups        = 1000
	defaultStreamBuffer     = 10
	defaultMaxStreams       = 100
	defaultStatefulBuffer   = 100_000
	defaultStatefulMax      = 1 << 20
	defaultDisconnect       = 15 * time.Second
	defaultClientResult     = 30 * time.Second

	maxTime      = 24 * 365 * time.Hour
	maxBytes     = 1 << 30
	maxParallel  = 1 << 14
	maxGroups    = 1 << 24
	maxStreams   = 1 << 16
	maxProtocols = 3 // of one hub; a broadcast carries a frame for each
)

// Validate reports everything that is wrong with o at once. Each error names the field, what it is, and what is allowed.
func (o Options) Validate() error {
	_, _, err := o.resolve()
	return err
}

// resolve fills the defaults in and checks.
func (o Options) resolve() (Options, *limits.Limiter, error) {
	var errs []error
	duration := func(name string, d *time.Duration, def time.Duration) {
		if *d < 0 || *d > maxTime {
			errs = append(errs, fmt.Errorf("%s is %v: want 0 (default %v) to %v", name, *d, def, maxTime))
		}
		*d = cmp.Or(*d, def)
	}
	number := func(name string, n *int, def, most int) {
		if *n < 0 || *n > most {
			errs = append(errs, fmt.Errorf("%s is %d: want 0 (default %d) to %d", name, *n, def, most))
		}
		*n = cmp.Or(*n, def)
	}
	duration("HandshakeTimeout", &o.HandshakeTimeout, defaultHandshakeTimeout)
	duration("KeepAliveInterval", &o.KeepAliveInterval, defaultKeepAlive)
	duration("ClientTimeout", &o.ClientTimeout, defaultClientTimeout)
	number("MaxMessage", &o.MaxMessage, defaultMaxMessage, maxBytes)
	number("InputBuffer", &o.InputBuffer, defaultInputBuffer, maxBytes)
	number("MaxParallelCalls", &o.MaxParallelCalls, 1, maxParallel)
	number("StreamBuffer", &o.StreamBuffer, defaultStreamBuffer, maxStreams)
	number("MaxStreams", &o.MaxStreams, defaultMaxStreams, maxStreams)
	number("StatefulBuffer", &o.StatefulBuffer, defaultStatefulBuffer, maxBytes)
	number("StatefulMax", &o.StatefulMax, max(defaultStatefulMax, o.StatefulBuffer), maxBytes)
	if o.StatefulMax < o.StatefulBuffer {
		errs = append(errs, fmt.Errorf("StatefulMax is %d: the hard cap must not be below StatefulBuffer, which is %d", o.StatefulMax, o.StatefulBuffer))
	}
	duration("DisconnectTimeout", &o.DisconnectTimeout, defaultDisconnect)
	if o.ClientResultTimeout > maxTime {
		errs = append(errs, fmt.Errorf("ClientResultTimeout is %v: want 0 (default %v) to %v, or less than 0 for none", o.ClientResultTimeout, defaultClientResult, maxTime))
	}
	o.ClientResultTimeout = cmp.Or(o.ClientResultTimeout, defaultClientResult)
	number("MaxGroups", &o.MaxGroups, defaultMaxGroups, maxGroups)

	if len(o.Protocols) == 0 {
		o.Protocols = []codec.Protocol{codec.JSON, codec.MessagePack}
	} else {
		o.Protocols = slices.Clone(o.Protocols)
	}
	if len(o.Protocols) > maxProtocols {
		errs = append(errs, fmt.Errorf("Protocols has %d entries: want at most %d", len(o.Protocols), maxProtocols))
	}
	for i, p := range o.Protocols {
		if p == nil {
			errs = append(errs, fmt.Errorf("Protocols[%d] is nil: want a codec.Protocol", i))
			continue
		}
		for _, q := range o.Protocols[:i] {
			if q != nil && strings.EqualFold(p.Name(), q.Name()) {
				errs = append(errs, fmt.Errorf("Protocols names %q twice: want each protocol once", p.Name()))
			}
		}
	}
	o.Methods = maps.Clone(o.Methods)
	o.Middleware = slices.Clone(o.Middleware)
	o.ConnectedMiddleware = slices.Clone(o.ConnectedMiddleware)
	o.DisconnectedMiddleware = slices.Clone(o.DisconnectedMiddleware)
	limiter, err := limits.NewLimiter(o.Rates, min(max(o.MaxMessage, 0), maxBytes))
	if err != nil {
		errs = append(errs, err)
	}
	return o, limiter, errors.Join(errs...)
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) uint32 {
	return uint32((d + time.Second - 1) / time.Second)
}
