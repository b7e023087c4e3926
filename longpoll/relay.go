package longpoll

import (
	"context"
	"errors"
	"net/http"
	"os"
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
	out   []piece       // under mu
	bytes int           // under mu: of out, and of what is being written
	own   written       // under mu: of these, nobody else's
	over  bool          // under mu: the hub is owed OnDrain
	last  bool          // under mu: nothing comes after out
	broke bool          // under mu: the answer is not to end properly
	wake  chan struct{} // holds one token while there is something to see
}

// piece is one event's records.
type piece struct {
	p     []byte
	owned bool // nobody else's
}

// NewRelay makes the stream of a request; Begin comes next, on the clock's loop, and Serve on the request's goroutine. timeout is how long one write may take.
func NewRelay(clock *Clock, recv Receiver, limits *Limits, timeout time.Duration) *Relay {
	r := &Relay{
		conn:    conn{loop: clock.loop, recv: recv, limits: limits, clock: clock},
		timeout: timeout,
		wake:    make(chan struct{}, 1),
	}
	r.timed = r
	return r
}

// Begin starts the stream.
func (r *Relay) Begin() { r.clock.add(&r.conn) }

// due has nothing to look at: the writer keeps the time of its writes.
func (r *Relay) due(uint32) {}

// Send sends a shared frame without a header.
func (r *Relay) Send(f *engine.Frame) { r.push(f.Bytes(), false) }

// Write sends records, copied.
func (r *Relay) Write(records []byte) { r.push(append([]byte(nil), records...), true) }

func (r *Relay) push(p []byte, owned bool) {
	if r.ended || r.closed {
		return
	}
	r.mu.Lock()
	err := r.limits.overflow(r.bytes, r.own, len(r.out))
	if err == nil {
		r.out = append(r.out, piece{p, owned})
		r.bytes += len(p)
		if owned {
			r.own.count(len(p), 1, r.limits)
		}
		r.over = r.over || r.bytes > r.limits.Outbound
	}
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
	_ = ctl.SetReadDeadline(time.Time{}) // not every writer can set deadlines, and then the server's own timeouts hold
	write := func(p []byte) error {
		_ = ctl.SetWriteDeadline(time.Now().Add(r.timeout))
		_, err := w.Write(p)
		if err == nil {
			err = ctl.Flush()
		}
		_ = ctl.SetWriteDeadline(time.Time{}) // one that passes while nothing is being written ends an HTTP/2 stream
		return err
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
		for len(out) > 0 && err == nil && !broke {
			event = event[:0]
			n := 0
			for n < len(out) && (n == 0 || len(event) < maxWrite) {
				event = AppendEvent(event, out[n].p)
				n++
			}
			if err = write(event); err == nil {
				broke = r.wrote(out[:n])
			}
			out = out[n:]
		}
		if broke {
			panic(http.ErrAbortHandler)
		}
		if cap(event) > 2*maxWrite {
			event = nil
		}
		if last && err == nil {
			r.loop.Post(engine.TaskFunc(func(*engine.Loop) { r.end(r.reason, r.cause) }))
			return
		}
	}
	reason := engine.IOError
	switch {
	case ctx.Err() != nil:
		reason, err = engine.PeerClosed, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		reason = engine.SendTimeout
	}
	r.gone(reason, err)
}

// maxWrite is about how many bytes are written at a time; each write has its own deadline, so that who takes some is not taken for dead.
const maxWrite = 32 << 10

// take is what there is to write.
func (r *Relay) take() (out []piece, last, broke bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, r.out = r.out, nil
	return out, r.last, r.broke
}

// wrote says that it is written. broke: the rest need not be.
func (r *Relay) wrote(out []piece) (broke bool) {
	r.mu.Lock()
	for _, p := range out {
		r.bytes -= len(p.p)
		if p.owned {
			r.own.count(len(p.p), -1, r.limits)
		}
	}
	drained := r.over && r.bytes <= r.limits.Outbound/2
	if drained {
		r.over = false
	}
	broke = r.broke
	r.mu.Unlock()
	if drained {
		r.loop.Post(engine.TaskFunc(func(*engine.Loop) {
			if !r.closed && !r.ended {
				r.recv.OnDrain()
			}
		}))
	}
	return broke
}

// gone tells the loop that the client has gone.
func (r *Relay) gone(reason engine.CloseReason, err error) {
	r.loop.Post(engine.TaskFunc(func(*engine.Loop) { r.end(reason, err) }))
}
