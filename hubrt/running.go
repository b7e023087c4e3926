package hubrt

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/hubrt/method"
)

// running are the calls with streams, and the calls that the client can cancel, by invocation id (wire contract, section 14). Loop only.
type running struct {
	all     map[*streaming]struct{} // the calls with streams, in either direction, that have not been answered
	streams map[string]*streaming   // of these: those whose result is a stream, by id; an id is in use once (row J)
	calls   map[string]cancelable   // others, by id. A client that uses an id twice at a time can cancel the last one
	slots   int                     // what counts for Options.MaxStreams
	flow    *flow                   // of the streams to the client; nil: there has been none

	unanswered ring[*streaming] // of all: have ended, and their answers wait for room on the way out
}

// cancelable is a call that the client can cancel.
type cancelable interface {
	// canceled ends the call's context because of cause.
	canceled(cause error)
}

// ErrCallCanceled is what context.Cause says of the context of a call that the client has cancelled (CancelInvocation), and what errors.Is finds in the error of its upload
// streams. It is a context.Canceled for errors.Is. The client still gets an answer: whatever the method returns.
var ErrCallCanceled error = &canceledError{"The client has canceled the call."}

var (
	errConnectionClosed error = &canceledError{"The underlying connection was closed."}
	errStreamsDrain     error = &canceledError{"The server is shutting down."}
	errMethodEnded      error = &canceledError{"The method has ended."}
)

// canceledError is a context.Canceled that says why.
type canceledError struct{ text string }

func (e *canceledError) Error() string        { return e.text }
func (e *canceledError) ErrorName() string    { return "OperationCanceledException" }
func (e *canceledError) Is(target error) bool { return target == context.Canceled }

func (r *running) empty() bool { return len(r.all) == 0 && len(r.calls) == 0 && r.slots == 0 }

// drop is for a connection that has ended. Contexts have ended with the connection's own.
func (r *running) drop(*Conn) {
	for s := range r.all {
		s.endUploads(errConnectionClosed)
	}
	for s, ok := r.unanswered.pop(); ok; s, ok = r.unanswered.pop() {
		s.out.free()
		s.out = nil
	}
	*r = running{}
}

// drained lets those go on that have waited for room on the way out: answers, then streams.
func (r *running) drained(c *Conn) {
	for c.link != nil && c.link.Room() {
		s, ok := r.unanswered.pop()
		if !ok {
			if r.flow != nil {
				r.flow.room()
			}
			return
		}
		s.conclude()
	}
}

// add takes a call with streams in.
func (r *running) add(s *streaming) {
	if r.all == nil {
		r.all = make(map[*streaming]struct{})
	}
	r.all[s] = struct{}{}
	r.slots += s.slots
	switch {
	case s.method.Stream:
		if r.streams == nil {
			r.streams = make(map[string]*streaming)
		}
		r.streams[s.id] = s
		if r.flow == nil {
			r.flow = new(flow)
		}
		s.flow = r.flow
	case s.id != "":
		r.addCall(s.id, s)
	}
}

// remove undoes add, but for the slots.
func (r *running) remove(s *streaming) {
	if _, ok := r.all[s]; !ok {
		return // the connection has ended meanwhile
	}
	delete(r.all, s)
	if s.method.Stream {
		delete(r.streams, s.id)
	} else {
		r.removeCall(s.id, s)
	}
}

func (r *running) addCall(id string, k cancelable) {
	if r.calls == nil {
		r.calls = make(map[string]cancelable)
	}
	r.calls[id] = k
}

func (r *running) removeCall(id string, k cancelable) {
	if r.calls[id] == k {
		delete(r.calls, id)
	}
}

// streaming says that calls with streams have not been answered.
func (c *Conn) streaming() bool {
	l := c.lively()
	return l != nil && len(l.running.all) > 0
}

// streamOf is the stream to the client with that id; nil: there is none.
func (c *Conn) streamOf(id []byte) *streaming {
	if l := c.lively(); l != nil {
		return l.running.streams[string(id)]
	}
	return nil
}

// cancel takes a CancelInvocation; an unknown id is ignored. A stream and a plain call may have the same id, as they have nothing to do with each other.
func (c *Conn) cancel(m *codec.Message) {
	l := c.lively()
	if l == nil {
		return
	}
	if s := c.streamOf(m.ID); s != nil {
		s.canceled(ErrCallCanceled)
	}
	if k := l.running.calls[string(m.ID)]; k != nil {
		k.canceled(ErrCallCanceled)
	}
}

// stopStreams ends what would not end by itself, because of cause: streams to the client are cancelled, uploads that the client has not finished fail. Calls that take such
// uploads are finished.
func (c *Conn) stopStreams(cause error) {
	l := c.lively()
	if l == nil {
		return
	}
	for s := range l.running.all {
		if s.method.Stream {
			s.canceled(cause)
		} else {
			s.endUploads(cause)
		}
	}
}

// cancelWith gives the call a context that the client can cancel.
func (k *call) cancelWith(c *Conn) {
	k.ctx, k.cancel = context.WithCancelCause(c.context())
	k.size += contextOverhead
	if k.idLen > 0 {
		c.live().running.addCall(string(k.in.b[:k.idLen]), k)
	}
}

// contextOverhead is what a waiting call's context counts for: about the memory that it takes, with its place in running.
const contextOverhead = 320

func (k *call) canceled(cause error) { k.cancel(cause) }

// forget is for a call that has been answered or dropped.
func (k *call) forget(c *Conn) {
	if k.cancel == nil {
		return
	}
	k.cancel(nil)
	if l := c.lively(); l != nil && k.idLen > 0 {
		l.running.removeCall(k.id(), k)
		c.idle()
	}
}

// startStream starts a call with streams, in either direction: at once, whatever else runs (wire contract, section 12.2).
func (c *Conn) startStream(m *codec.Message, t *method.Method[*Context]) {
	opt := &c.hub().opt
	slots := t.Uploads
	if t.Stream {
		slots++
	}
	if t.Stream && c.streamOf(m.ID) != nil {
		c.refuseKind(m, t, true)
		return
	}
	under := 0
	if l := c.lively(); l != nil {
		under = l.under()
	}
	if under+slots > opt.MaxStreams {
		c.hub().rt.streamsRefused.Add(1)
		err := Errorf("the limit is %d streams and questions of one connection at a time, of which %d are under way", opt.MaxStreams, under)
		c.refuseCall(m, t.Name, fmt.Sprintf(textStreams, c.spelling(m, t), opt.MaxStreams), err, slog.LevelDebug)
		return
	}
	s := c.newStreaming(m, t, slots)
	l := c.live()
	l.running.add(s)
	l.uploads.add(c, s, m.StreamIDs)
	s.start()
}

// spelling is a method's name in error texts: the registered one, but for MessagePack's stream invocations (wire contract, section 13).
func (c *Conn) spelling(m *codec.Message, t *method.Method[*Context]) string {
	if m.Kind == codec.StreamInvocation && c.protocol().Name() == "messagepack" {
		return string(m.Target)
	}
	return t.Name
}
