package engine

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// Handler receives a connection's events. All methods run on the connection's loop and must not block.
type Handler interface {
	// OnData gets the bytes that were read, after those that the last call left. It returns how many it has consumed; the
	// rest is kept and shown again, with what comes behind it. p belongs to the handler during the call (it may be changed
	// in place) and is void afterwards. A handler that leaves bytes is called again only when more has come, or after
	// ResumeRead or SetHandler (once, in the same iteration, even if nothing more has come).
	OnData(c *Conn, p []byte) (n int)
	// OnEOF says that the peer has ended its direction; everything before it has been shown to OnData. A handler that
	// does not close here keeps writing to a half-closed connection.
	OnEOF(c *Conn)
	// OnDrain says that the bytes waiting to go out have fallen to half the outbound cap after having been over the cap.
	OnDrain(c *Conn)
	// OnDeadline says that the second set by SetDeadline has come. The deadline is cleared before the call.
	OnDeadline(c *Conn, now uint32)
	// OnClose is the last call. The descriptor is gone already; err may be nil.
	OnClose(c *Conn, r CloseReason, err error)
}

// Config tunes an Engine. The zero value has the stated defaults.
type Config struct {
	Backend     string        // "epoll" (default on Linux), "memory"
	Loops       int           // event loops; default GOMAXPROCS
	Outbound    int           // bytes waiting to go out per connection beyond the frame being written; default 64 KiB
	OutboundMax int           // hard cap in bytes: over it the connection is reset at once
	FramesMax   int           // hard cap in queued frames
	SendTimeout time.Duration // over Outbound without progress for so long: reset; default 10 s
	SendBuffer  int           // SO_SNDBUF of each connection
	Linger      time.Duration // how long Close waits for queued bytes to leave and for the peer's FIN; default 5 s
	Logger      *slog.Logger  // nil: silence
}

// Engine owns the loops and listeners.
type Engine struct{}

// New checks cfg, makes the loops and starts them.
func New(cfg Config) (*Engine, error) { panic("contract") }

// Loops returns the loops, in the order of their Index.
func (e *Engine) Loops() []*Loop { panic("contract") }

// Listen opens a listener per loop (tcp, tcp4, tcp6, with SO_REUSEPORT) or one for all (unix). open runs on the loop for each
// accepted connection and returns its handler; nil refuses the connection.
func (e *Engine) Listen(network, addr string, open func(c *Conn) Handler) (net.Addr, error) {
	panic("contract")
}

// StopListening closes the listeners; connections live on. Any goroutine.
func (e *Engine) StopListening() { panic("contract") }

// Attach moves a plain TCP or unix connection into the loops. prefix holds bytes already read from it; open runs on the loop
// that gets it. After a nil error nc must not be used. Any goroutine.
func (e *Engine) Attach(nc net.Conn, prefix []byte, open func(c *Conn) Handler) error {
	panic("contract")
}

// Dial makes a connection of the memory backend and returns the client's end, a net.Conn with deadlines. Any goroutine.
func (e *Engine) Dial(open func(c *Conn) Handler) (net.Conn, error) { panic("contract") }

// Shutdown stops listening, closes what is left with reason Shutdown and stops the loops; ctx bounds the wait for queued bytes.
func (e *Engine) Shutdown(ctx context.Context) error { panic("contract") }

// Stats is a snapshot of counters, summed over the loops.
type Stats struct {
	Open, Accepted, AcceptErrors, FDExhausted int64
	BytesIn, BytesOut                         int64
	Closed                                    [reasonCount]int64 // by CloseReason
	Pauses                                    int64
	LagMax                                    time.Duration // longest time between two looks at the sockets since the last call of Stats
}

// Stats may be called on any goroutine.
func (e *Engine) Stats() Stats { panic("contract") }

// Loop is one event loop.
type Loop struct{}

// Index is the loop's number, from 0.
func (l *Loop) Index() int { panic("contract") }

// Now is the loop's clock in whole seconds since the engine began, never 0. Loop only.
func (l *Loop) Now() uint32 { panic("contract") }

// Time is the iteration's time: read once an iteration. Loop only.
func (l *Loop) Time() time.Time { panic("contract") }

// Task is work for a loop. Tasks of one goroutine run in the order posted.
type Task interface{ Run(l *Loop) }

// Merger is a Task that can take over the work of the one behind it in the queue, so that runs of broadcasts become one.
type Merger interface {
	Task
	// Merge takes next's work and reports true, or reports false and leaves next alone. Runs on the loop.
	Merge(next Task) bool
}

// TaskFunc makes a Task of a function.
type TaskFunc func(l *Loop)

// Run calls the function.
func (f TaskFunc) Run(l *Loop) { f(l) }

// Post queues t and wakes the loop if it sleeps; false when the loop has stopped. Any goroutine.
func (l *Loop) Post(t Task) bool { panic("contract") }

// Timer is a fine timer of a loop.
type Timer struct{}

// AfterFunc runs f on the loop after d (millisecond precision). Loop only.
func (l *Loop) AfterFunc(d time.Duration, f func()) *Timer { panic("contract") }

// Stop prevents the run; false when it has run or was stopped. Loop only.
func (t *Timer) Stop() bool { panic("contract") }

// Conn is one connection. Loop only.
type Conn struct{}

func (c *Conn) Loop() *Loop            { panic("contract") }
func (c *Conn) Ref() Ref               { panic("contract") }
func (c *Conn) Handler() Handler       { panic("contract") }
func (c *Conn) SetHandler(h Handler)   { panic("contract") }
func (c *Conn) Remote() netip.AddrPort { panic("contract") } // zero for unix sockets and memory
func (c *Conn) Local() net.Addr        { panic("contract") }
func (c *Conn) Closed() bool           { panic("contract") }

// Send queues a pointer to a shared frame; it leaves at the end of the iteration at the latest, in order with Write.
func (c *Conn) Send(f *Frame) { panic("contract") }

// Write copies p to the connection's outgoing tail; it leaves at the end of the iteration, joined with its neighbours.
func (c *Conn) Write(p []byte) { panic("contract") }

// Buffered is the number of bytes waiting to go out.
func (c *Conn) Buffered() int { panic("contract") }

// PauseRead stops reading, so that TCP slows the peer. ResumeRead shows what was left and reads on. Neither nests.
func (c *Conn) PauseRead()  { panic("contract") }
func (c *Conn) ResumeRead() { panic("contract") }

// SetDeadline sets the second (of Loop.Now) at which OnDeadline runs; 0 clears it. One per connection; costs a store.
func (c *Conn) SetDeadline(at uint32) { panic("contract") }

// Close ends the connection after the queued bytes have gone: FIN, then up to Linger for the peer's FIN. Nothing more is shown
// to OnData; OnClose runs when it is over. Close after Close is nothing.
func (c *Conn) Close(r CloseReason, err error) { panic("contract") }

// Reset ends the connection at once, by RST; what is queued is lost. OnClose runs before Reset returns or at the end of
// the iteration.
func (c *Conn) Reset(r CloseReason, err error) { panic("contract") }

// Detach takes the connection out of the engine and returns it as a net.Conn whose Read first gives prefix (copied), then
// what is in the socket. Legal inside OnData too: what OnData then returns is ignored. OnClose is not called.
func (c *Conn) Detach(prefix []byte) (net.Conn, error) { panic("contract") }

// Ref names a connection on any goroutine; it stays valid, and names nobody once the connection is gone. Comparable.
type Ref struct{}

// Loop is the connection's loop. Any goroutine.
func (r Ref) Loop() *Loop { panic("contract") }

// Conn is the connection, or nil when it is gone. On its loop only.
func (r Ref) Conn() *Conn { panic("contract") }
