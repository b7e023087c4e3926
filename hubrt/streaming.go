package hubrt

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// streaming is a call with streams, in either direction. It has a goroutine of its own from its beginning: a worker that waited for items of a client, or for a client to take
// some, would be lost to all others, and a few clients could hold all workers. Options.MaxStreams bounds what a connection may have of them.
type streaming struct {
	conn    *Conn                    // constant
	method  *method.Method[*Context] // constant
	name    string                   // constant: in error texts
	id      string                   // constant: "" for none
	in      *buffer                  // the goroutine: the raw arguments
	nargs   int                      // constant
	slots   int                      // constant: what it counts for Options.MaxStreams
	ctx     context.Context          // any goroutine: ends with the call
	cancel  context.CancelCauseFunc  // any goroutine
	uploads []*upload                // constant once started: by parameter
	ended   chan struct{}            // closed when the method, or its stream, has ended; nil without uploads
	pumps   sync.WaitGroup           // of uploads that are channels

	flow  *flow         // constant; nil: the result is no stream
	waits int           // under flow.mu: the bytes that wait to be let through; 0: none
	pass  chan struct{} // has room for one: they have been

	// The answer: the goroutine's, then the loop's.
	out    *buffer // nil: none
	err    error   // why an item or the result cannot be encoded
	fatal  bool    // that is the case
	linger bool    // the goroutine is not done yet, so that the slots are still in use
}

// A channel that is not read any more is emptied for this long, or of so many items, so that its producer can see that its context has ended.
const (
	lingerTime  = 5 * time.Second
	lingerItems = 10_000
)

func (c *Conn) newStreaming(m *codec.Message, t *method.Method[*Context], slots int) *streaming {
	s := &streaming{conn: c, method: t, name: c.spelling(m, t), id: string(m.ID), nargs: m.NArgs, slots: slots}
	s.in = getBuffer(len(m.Args))
	s.in.b = append(s.in.b, m.Args...)
	s.ctx, s.cancel = context.WithCancelCause(c.context())
	if t.Stream {
		s.pass = make(chan struct{}, 1)
	}
	if t.Uploads > 0 {
		s.ended = make(chan struct{})
	}
	return s
}

// start begins the call. Loop only.
func (s *streaming) start() {
	rt := s.conn.hub().rt
	rt.begin()
	rt.streams.Add(1)
	go s.serve()
}

// canceled implements cancelable. The uploads end as well: the method may be waiting for them. Loop only.
func (s *streaming) canceled(cause error) {
	s.cancel(cause)
	for _, u := range s.uploads {
		u.abort(cause, false)
	}
}

// endUploads ends those that the client has not ended; what has come is still read. Loop only.
func (s *streaming) endUploads(cause error) {
	for _, u := range s.uploads {
		u.end(cause)
	}
}

// serve is the call's goroutine.
func (s *streaming) serve() {
	var stream method.Stream
	whole, finished, text := true, false, textRowC
	defer func() {
		if !finished {
			s.fail(text, errExit, slog.LevelError) // runtime.Goexit
		}
		s.finish(&stream, whole)
	}()
	if result, ok := s.call(); ok {
		if s.method.Stream {
			if stream, ok = result.Stream(); ok {
				whole, text = false, textRowH
				whole = s.produce(&stream)
			} else {
				s.refuse(fmt.Sprintf(textRowI, s.method.Name), errNoStream, slog.LevelWarn)
			}
		} else {
			s.answer(&result)
		}
	}
	finished = true
}

var streamArgs = sync.Pool{New: func() any { return new(method.Args) }}

// call binds, checks and runs the method; ok false: it has failed, and is answered.
func (s *streaming) call() (result method.Result, ok bool) {
	c, t, h := s.conn.context(), s.method, s.conn.hub()
	count := &c.shard.local.counters
	count.calls.Add(1)
	args := streamArgs.Get().(*method.Args)
	if err := t.Bind(s.conn.protocol().Protocol, s.in.b, s.nargs, args); err != nil {
		s.fail(textRowA, err, slog.LevelDebug)
		return result, false
	}
	s.in.free() // bound values share nothing with it
	s.in = nil
	if t.RequireUser && c.user == nil {
		s.refuse(fmt.Sprintf(textRowD, s.name), errUnauthorized, slog.LevelWarn)
		return result, false
	}
	if len(s.uploads) > 0 {
		sources := make([]method.Source, len(s.uploads))
		for i, u := range s.uploads {
			sources[i] = u
		}
		t.Open(args, sources)
	}
	result, err := h.run(c, s.ctx, t, args, count)
	args.Reset()
	streamArgs.Put(args)
	if err != nil {
		s.fail(textRowC, err, failureLevel(c, s.ctx, err))
		return result, false
	}
	return result, true
}

// produce sends the stream's items; whole: it has ended by itself.
func (s *streaming) produce(stream *method.Stream) (whole bool) {
	whole, err := s.items(stream)
	switch {
	case s.fatal:
		s.count(s.err, slog.LevelWarn)
	case err == nil, s.ctx.Err() != nil && canceled(err):
		s.reply(s.conn.protocol().AppendCompletion(s.room(), s.id))
	default:
		s.fail(textRowH, err, failureLevel(s.conn.context(), s.ctx, err))
	}
	return whole
}

// items runs the stream. A panic fails it alone.
func (s *streaming) items(stream *method.Stream) (whole bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			whole, err = true, s.conn.hub().panicked(s.conn.context(), s.method.Name, v)
		}
	}()
	return stream.Run(s.ctx.Done(), s.item)
}

// item sends one item, when it may; false: no more of them.
func (s *streaming) item(item *method.Result) bool {
	if s.ctx.Err() != nil {
		return false
	}
	p := s.conn.protocol().Protocol
	record := getBuffer(minBuffer)
	b, err := item.Append(p.BeginStreamItem(record.b, s.id), p)
	if err != nil {
		record.free()
		s.err, s.fatal = err, true // as with results (wire contract, section 12.4)
		return false
	}
	record.b = p.End(b, 0)
	n := len(record.b)
	if !s.flow.pass(s, n) {
		record.free()
		return false
	}
	d := deliveries.Get().(*delivery)
	*d = delivery{conn: s.conn, records: record, flow: s.flow, streamed: n}
	if !s.conn.shard.loop.Post(d) {
		d.free()
		return false
	}
	s.conn.shard.local.counters.itemsOut.Add(1)
	return true
}

// answer is for a plain result.
func (s *streaming) answer(result *method.Result) {
	if s.id == "" {
		return
	}
	p := s.conn.protocol().Protocol
	b, err := result.Append(p.BeginResult(s.room(), s.id), p)
	if err != nil {
		s.err, s.fatal = err, true
		s.count(err, slog.LevelWarn)
		return
	}
	s.reply(p.End(b, 0))
}

// room is an empty buffer for the answer.
func (s *streaming) room() []byte {
	s.out.free()
	s.out = getBuffer(minBuffer)
	return s.out.b
}

func (s *streaming) reply(record []byte) { s.out.b = record }

// count counts and logs a failure.
func (s *streaming) count(err error, level slog.Level) {
	s.conn.shard.local.counters.callsFailed.Add(1)
	s.conn.hub().logCall(s.conn.context(), s.method.Name, err, level)
}

// fail answers with a text with the method's name in it, or without, and what may be shown of err.
func (s *streaming) fail(text string, err error, level slog.Level) {
	if text != textRowH {
		text = fmt.Sprintf(text, s.name)
	}
	s.refuse(s.conn.hub().describe(text, err), err, level)
}

// refuse answers with this text.
func (s *streaming) refuse(text string, err error, level slog.Level) {
	s.count(err, level)
	if s.id != "" {
		s.reply(s.conn.protocol().AppendError(s.room(), s.id, text))
	}
}

// finish ends the call: its context, its uploads, its answer.
func (s *streaming) finish(stream *method.Stream, whole bool) {
	c := s.conn
	rt := c.hub().rt
	s.cancel(nil)
	if s.ended != nil {
		close(s.ended)
		for _, u := range s.uploads {
			u.abort(errMethodEnded, false)
		}
		s.pumps.Wait()
	}
	s.linger = !whole && stream.Channel()
	linger := s.linger
	posted := c.shard.loop.Post(s)
	if linger {
		s.emptyChannel(stream)
		if posted {
			c.shard.loop.Post((*lingered)(s))
		}
	}
	rt.streamEnded()
}

// emptyChannel takes what a producer still sends that has not noticed yet that its context has ended. One that never does so is left blocked: it is the method's.
func (s *streaming) emptyChannel(stream *method.Stream) {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	if stream.Drain(timer.C, lingerItems) {
		return
	}
	h := s.conn.hub()
	h.rt.log.LogAttrs(context.Background(), slog.LevelWarn, "a hub method goes on sending to its channel after the end of its stream: it must stop when its context.Context ends, and close the channel",
		slog.String("hub", h.name), slog.String("method", s.method.Name), slog.String("connection", s.conn.id.String()))
}

// Run brings the answer, behind the items, to the connection, on its loop. One for which there is no room on the way out waits, and its streams count for Options.MaxStreams until then: so a
// client that asks faster than it takes the answers is slowed down, not cut off, as with plain calls.
func (s *streaming) Run(*engine.Loop) {
	c := s.conn
	if l := c.lively(); l != nil && s.out != nil && c.state == stateOpen && !c.gone.Load() && !c.link.Room() {
		l.running.unanswered.push(s)
		return
	}
	s.conclude()
	c.settle()
}

// conclude writes the answer and forgets the call. Loop only.
func (s *streaming) conclude() {
	c := s.conn
	if l := c.lively(); l != nil {
		l.running.remove(s)
		l.uploads.remove(s)
		if !s.linger {
			l.running.slots -= s.slots
		}
		c.idle()
	}
	if c.state == stateOpen && !c.gone.Load() { // gone: Abort has ended the stream, and the Close is on its way
		switch {
		case s.fatal:
			c.fail(engine.ResultFailed, s.err)
		case s.out != nil:
			c.link.Write(s.out.b)
		}
	}
	s.in.free()
	s.out.free()
	s.in, s.out = nil, nil
}

// lingered is a streaming as the task that says that its goroutine has ended.
type lingered streaming

func (s *lingered) Run(*engine.Loop) {
	c := s.conn
	switch l := c.lively(); {
	case l == nil:
	case s.out != nil:
		s.linger = false // the answer waits still
	default:
		l.running.slots -= s.slots
		c.idle()
	}
	c.settle()
}
