package hubrt

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// RuntimeConfig belongs to one server.
type RuntimeConfig struct {
	Loops       []*engine.Loop // in the order of their Index
	Workers     int            // goroutines that run hub methods and hooks, at most; default 256; started on demand
	WorkerQueue int            // calls waiting for a worker, all clients; default 64 x Workers
	// ClientResults is how many calls of hub methods may wait for a client's answer, all clients together; default 64 x Workers. Each holds its goroutine. Over it
	// Target.Invoke fails with ErrTooManyQuestions, since workers that wait for clients could keep all others waiting.
	ClientResults int
	// MaxDeparted is how many connections may wait for the workers after their transport has gone, most for their disconnected event; default 65,536. Over it
	// Hub.Crowded asks for no more connections.
	MaxDeparted int
	SendQueue   int // bytes of sends that wait for one loop; default 64 MiB; see ErrSendQueueFull
	// StatefulMemory is how many bytes all connections together may keep for stateful reconnect; default 256 MiB. A message to many counts once for each loop that keeps it.
	// Over it the connections that have been away for longest are dropped, no other may be away, no client gets the agreement, and one that lets more than
	// Options.StatefulBuffer wait is ended.
	StatefulMemory int
	AppendHeader   func(dst []byte, binary bool, n int) []byte // transport header of shared frames with Messages framing; nil: none
	AppendEvent    func(dst, records []byte) []byte            // the event of shared frames with Events framing; nil: the records alone
	Logger         *slog.Logger                                // nil: silence
}

const (
	defaultWorkers     = 256
	defaultWorkerQueue = 64 // times Workers
	defaultResults     = 64 // times Workers: all calls that may wait for a worker may ask
	defaultDeparted    = 65_536
	defaultSendQueue   = 64 << 20

	defaultStatefulMemory = 256 << 20
)

// Runtime holds the workers and hubs of a server. All methods may be called on any goroutine.
type Runtime struct {
	cfg    RuntimeConfig
	log    *slog.Logger
	start  time.Time
	locals []local // by loop
	pool   pool

	mu   sync.Mutex
	hubs []*Hub // under mu

	draining       atomic.Bool
	connections    atomic.Int64 // opened and not yet done with
	busy           atomic.Int64 // connections and jobs that have not ended: what Drain waits for
	idle           chan struct{}
	published      atomic.Int64
	refused        atomic.Int64 // sends and joins that found a queue full
	warned         atomic.Int64 // the second, from 1, of the last warning about it
	streams        atomic.Int64 // calls with streams that have not ended
	streamsRefused atomic.Int64
	streamsIdle    chan struct{} // has room for one: look at streams
	callsWaiting   atomic.Int64
	callsRunning   atomic.Int64
	inline         atomic.Bool  // a hub has inline methods
	questions      atomic.Int64 // of all hubs, that wait for a client's answer

	questionsRefused, questionsExpired atomic.Int64

	departed      atomic.Int64 // connections with flagDeparted
	eventsDropped atomic.Int64
}

// local is a loop's own scratch space and counters.
type local struct {
	loop    *engine.Loop
	message codec.Message // loop
	args    method.Args   // loop: of inline calls
	out     []byte        // loop: the record being written
	conns   []*Conn       // loop: those of a user, while they are sent to
	around  bool          // loop: a publication is being sent around those that are to be listed in apart
	apart   []*Conn       // loop: see publication.runAround

	mailboxes *mailbox // loop: spare ones
	spare     int      // loop: their number

	posts  atomic.Int64 // any goroutine (atomic): sends and membership changes that were posted to the loop
	queued atomic.Int64 // any goroutine (atomic): bytes of those that have not run

	ledger ledger

	counters counters
	_        [64]byte // the next loop's counters are on another cache line
}

// NewRuntime makes a runtime on loops that run. It starts no goroutine until there is work.
func NewRuntime(cfg RuntimeConfig) *Runtime {
	if cfg.Workers <= 0 {
		cfg.Workers = defaultWorkers
	}
	if cfg.WorkerQueue <= 0 {
		cfg.WorkerQueue = defaultWorkerQueue * cfg.Workers
	}
	if cfg.ClientResults <= 0 {
		cfg.ClientResults = defaultResults * cfg.Workers
	}
	if cfg.MaxDeparted <= 0 {
		cfg.MaxDeparted = defaultDeparted
	}
	if cfg.SendQueue <= 0 {
		cfg.SendQueue = defaultSendQueue
	}
	if cfg.AppendEvent == nil {
		cfg.AppendEvent = func(dst, records []byte) []byte { return append(dst, records...) }
	}
	if cfg.StatefulMemory <= 0 {
		cfg.StatefulMemory = defaultStatefulMemory
	}
	if cfg.AppendHeader == nil {
		cfg.AppendHeader = func(dst []byte, _ bool, _ int) []byte { return dst }
	}
	rt := &Runtime{
		cfg:    cfg,
		log:    cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		start:  time.Now(),
		locals: make([]local, len(cfg.Loops)),
		idle:   make(chan struct{}, 1),

		streamsIdle: make(chan struct{}, 1),
	}
	for i, l := range cfg.Loops {
		rt.locals[i].loop = l
		rt.locals[i].ledger.rt, rt.locals[i].ledger.local = rt, &rt.locals[i]
	}
	rt.pool.init(rt, cfg.Workers, cfg.WorkerQueue, cfg.ClientResults)
	return rt
}

// Stop ends the workers once they are idle, and waits for the end of streams; ctx bounds the wait, and its error is returned when it ended first. Work that
// comes later is dropped.
func (rt *Runtime) Stop(ctx context.Context) error {
	if err := rt.pool.stop(ctx); err != nil {
		return err
	}
	for rt.streams.Load() > 0 {
		select {
		case <-rt.streamsIdle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	signal(rt.streamsIdle) // others may wait, too
	return nil
}

// streamEnded says that a call with streams has ended.
func (rt *Runtime) streamEnded() {
	if rt.streams.Add(-1) == 0 {
		signal(rt.streamsIdle)
	}
	rt.done()
}

// now is the limiter's clock. Loop only.
func (l *local) now(rt *Runtime) time.Duration { return max(l.loop.Time().Sub(rt.start), 0) }

// scratch returns the loop's buffer for the record about to be written. It is void at the next scratch.
func (l *local) scratch() []byte { return l.out[:0] }

// keep remembers the scratch buffer, which may have grown, unless it has grown too large to hold on to.
func (l *local) keep(b []byte) {
	if cap(b) <= 64<<10 {
		l.out = b
	}
}

// begin and done bracket what Drain waits for.
func (rt *Runtime) begin() { rt.busy.Add(1) }

func (rt *Runtime) done() {
	if rt.busy.Add(-1) == 0 {
		rt.signalIdle()
	}
}

// signalIdle makes one waiting Drain look again, now or as soon as it waits.
func (rt *Runtime) signalIdle() { signal(rt.idle) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
