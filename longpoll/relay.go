package longpoll

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/spokehub/spoke/engine"
)

// Relay is an event stream on an http.ResponseWriter: a goroutine of net/http writes what the loop hands it. Its connection's shared frames come without a header, since
// net/http makes its own chunks. Loop only, except for Serve.
type Relay struct {
	conn
	timeout time.Duration // for a write

	ended  bool
	reason engine.CloseReason
	cause  error

	mu    sync.Mutex
	out   [][]byte      // under mu
	bytes int           // under mu: of out, and of what is being written
	owned int           // under mu: of these, nobody else's
	over  bool          // under mu: the hub is owed OnDrain
	last  bool          // under mu: nothing comes after out
	broke bool          // under mu: the answer is not to end properly
	wake  chan struct{} // holds one token while there is something to see
}

// NewRelay makes the stream of a request; Begin comes next, on the clock's loop, and Serve on the request's goroutine. timeout is how long one write may take.
func NewRelay(clock *Clock, recv Receiver, limits *Limits, timeout time.Duration) *Relay {
	return &Relay{
		conn:    conn{loop: clock.loop, recv: recv, limits: limits, clock: clock},
		timeout: timeout,
		wake:    make(chan struct{}, 1),
	}
}

// Begin starts the stream.
func (r *Relay) Begin() { r.clock.add(&r.conn) }

// Send sends a shared frame without a header.
func (r *Relay) Send(f *engine.Frame) { r.push(f.Bytes(), false) }

// Write sends records, copied.
func (r *Relay) Write(records []byte) { r.push(append([]byte(nil), records...), true) }

func (r *Relay) push(p []byte, owned bool) {
	if r.ended || r.closed {
		return
	}
	r.mu.Lock()
	r.out = append(r.out, p)
	r.bytes += len(p)
	if owned {
		r.owned += len(p)
	}
	r.over = r.over || r.bytes > r.limits.Outbound
	err := r.limits.overflow(r.bytes, r.owned, len(r.out))
	r.mu.Unlock()
	if err != nil {
		r.close(engine.OutboundOverflow, err, true)
		return
	}
	r.signal()
}

func (r *Relay) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Room says that what can wait may be written.
func (r *Relay) Room() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes <= r.limits.Outbound
}

// End ends the answer properly once what was written has gone.
func (r *Relay) End(reason engine.CloseReason, err error) {
	if r.ended || r.closed {
		return
	}
	r.ended, r.reason, r.cause = true, reason, err
	r.mu.Lock()
	r.last = true
	r.mu.Unlock()
	r.signal()
}

// Fail breaks the answer off.
func (r *Relay) Fail(err error) { r.close(engine.InternalError, err, true) }

// Close ends the connection from outside.
func (r *Relay) Close(reason engine.CloseReason, err error) { r.close(reason, err, true) }

func (r *Relay) close(reason engine.CloseReason, err error, broke bool) {
	r.mu.Lock()
	r.last, r.broke, r.out = true, broke, nil
	r.mu.Unlock()
	r.signal()
	r.end(reason, err)
}

// Serve writes the stream, until it or ctx ends. It is for the goroutine of the request, and panics with http.ErrAbortHandler, as net/http wants it, to break the answer off.
func (r *Relay) Serve(ctx context.Context, w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = []string{"text/event-stream"}
	h["Cache-Control"] = []string{"no-cache,no-store"}
	h["Content-Encoding"] = []string{"identity"}
	h["Pragma"] = []string{"no-cache"}
	ctl := http.NewResponseController(w)
	write := func(p []byte) error {
		_ = ctl.SetWriteDeadline(time.Now().Add(r.timeout)) // not every writer can, and then the server's own timeouts hold
		if _, err := w.Write(p); err != nil {
			return err
		}
		return ctl.Flush()
	}
	w.WriteHeader(http.StatusOK)
	err := write([]byte(Hello))
	var event []byte
	for err == nil {
		select {
		case <-r.wake:
		case <-ctx.Done():
			r.gone(engine.PeerClosed, nil)
			return
		}
		out, last, broke := r.take()
		if broke {
			panic(http.ErrAbortHandler)
		}
		event = event[:0]
		for _, p := range out {
			event = AppendEvent(event, p)
		}
		if len(event) > 0 {
			err = write(event)
		}
		if cap(event) > 64<<10 {
			event = nil
		}
		r.wrote(out)
		if last && err == nil {
			r.loop.Post(engine.TaskFunc(func(*engine.Loop) { r.end(r.reason, r.cause) }))
			return
		}
	}
	reason := engine.IOError
	if ctx.Err() != nil {
		reason, err = engine.PeerClosed, nil
	}
	r.gone(reason, err)
}

// take is what there is to write.
func (r *Relay) take() (out [][]byte, last, broke bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, r.out = r.out, nil
	return out, r.last, r.broke
}

// wrote says that it is written.
func (r *Relay) wrote(out [][]byte) {
	r.mu.Lock()
	for _, p := range out {
		r.bytes -= len(p)
	}
	r.owned = min(r.owned, r.bytes)
	drained := r.over && r.bytes <= r.limits.Outbound/2
	if drained {
		r.over = false
	}
	r.mu.Unlock()
	if drained {
		r.loop.Post(engine.TaskFunc(func(*engine.Loop) {
			if !r.closed && !r.ended {
				r.recv.OnDrain()
			}
		}))
	}
}

// gone tells the loop that the client has gone.
func (r *Relay) gone(reason engine.CloseReason, err error) {
	r.loop.Post(engine.TaskFunc(func(*engine.Loop) { r.end(reason, err) }))
}
