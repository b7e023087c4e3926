package hubrt

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// kind of a job.
type kind uint8

const (
	kindCall kind = iota
	kindConnected
	kindDisconnected
	kindReply // of an inline call: nothing to run, only queued to the loop
)

// call is one call, or one run of a hook. It is handed from the loop to a worker and posted back; who has it may touch it.
type call struct {
	next   *call // the one behind it, in the mailbox or in its job; constant once handed over
	conn   *Conn
	method *method.Method[*Context] // nil: it has been refused, and out is the answer
	in     *buffer                  // the invocation id, then the raw arguments
	idLen  int
	nargs  int
	size   uint32 // what it counts for in mailbox.waitBytes
	kind   kind
	last   bool          // of its job
	step   atomic.Uint32 // any goroutine (atomic): who has the calls behind it in its job

	ctx    context.Context         // nil: the method takes none
	cancel context.CancelCauseFunc // any goroutine

	// The worker's answer.
	out   *buffer // the reply; nil: none
	err   error   // a hook's failure, or why the result cannot be encoded
	fatal bool    // the latter
}

// The values of call.step. The worker and the loop may both want what is behind a call in its job; who changes stepOpen has it.
const (
	stepOpen   = iota // nobody yet
	stepPassed        // the worker, which goes on with them
	stepCut           // the loop, which has taken them back
	stepHeld          // the loop, once it gets this call: the worker has answered enough for now
)

// replyWindow is how many bytes of answers a worker makes of one job before it leaves the rest to the loop, which hands it out again when the client has taken some: see Conn.answerable. At
// least one call is answered, whatever its size.
const replyWindow = 64 << 10

// pass returns the next call of the job, for the worker that has run k; nil: there is none, or it is the loop's now. It comes before k is posted. enough: the job has had its share.
func (k *call) pass(enough bool) *call {
	if k.next == nil {
		return nil
	}
	if enough {
		k.step.CompareAndSwap(stepOpen, stepHeld)
		return nil
	}
	if !k.step.CompareAndSwap(stepOpen, stepPassed) {
		return nil
	}
	return k.next
}

// cut takes what is behind k in its job back from the worker; nil: there is nothing, or the worker was faster. Loop only.
func (k *call) cut() *call {
	if k.next == nil || !k.step.CompareAndSwap(stepOpen, stepCut) {
		return nil
	}
	return k.next
}

var calls = sync.Pool{New: func() any { return new(call) }}

// callOverhead is what a waiting call counts for beside its buffer: about the memory that it takes.
const callOverhead = 136

// newCall copies what a call needs out of the message.
func (c *Conn) newCall(m *codec.Message, t *method.Method[*Context]) *call {
	k := calls.Get().(*call)
	n := len(m.ID) + len(m.Args)
	in := getBuffer(n)
	in.b = append(append(in.b, m.ID...), m.Args...)
	*k = call{conn: c, method: t, in: in, idLen: len(m.ID), nargs: m.NArgs, size: uint32(cap(in.b) + callOverhead)}
	return k
}

// free returns the call and its buffers.
func (k *call) free() {
	k.in.free()
	k.out.free()
	*k = call{}
	calls.Put(k)
}

// id is the invocation id, "" for none; it lives as long as the call.
func (k *call) id() string { return text(k.in.b[:k.idLen]) }

func (k *call) args() []byte { return k.in.b[k.idLen:] }

// text is b as a string without a copy, for the length of a call that does not keep it: the codec wants ids as strings, and a copy would be the only
// allocation of a call.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Run brings the answer to the connection, on its loop.
func (k *call) Run(*engine.Loop) {
	c := k.conn
	switch k.kind {
	case kindCall:
		c.called(k)
	case kindReply:
		c.box.replies--
		c.box.waitBytes -= k.size
		c.answer(k)
		k.free()
		c.settle()
	default:
		kind, err := k.kind, k.err
		k.free()
		c.hookDone(kind, err)
	}
}

// answer writes the reply, or ends the connection because there can be none (wire contract, section 12.4).
func (c *Conn) answer(k *call) {
	if c.state != stateOpen {
		return // later writes are dropped (wire contract, section 12.2)
	}
	switch {
	case k.fatal:
		c.fail(engine.ResultFailed, k.err)
	case k.out != nil:
		c.link.Write(k.out.b)
	}
}

// invoke handles an Invocation or StreamInvocation; the order of the checks is that of wire contract, section 12.3.
func (c *Conn) invoke(m *codec.Message, stream bool) {
	s := c.shard
	h := s.hub
	t := h.methods.Lookup(m.Target)
	switch {
	case t == nil:
		name := string(m.Target)
		c.refuseCall(m, name, h.describe(fmt.Sprintf(textRowA, name), errNoMethod), errNoMethod, slog.LevelDebug)
	case m.ArgsErr != nil:
		c.refuseCall(m, t.Name, h.describe(fmt.Sprintf(textRowA, c.spelling(m, t)), m.ArgsErr), m.ArgsErr, slog.LevelDebug)
	case stream != t.Stream || len(m.StreamIDs) != t.Uploads:
		c.refuseKind(m, t, stream)
	case c.is(flagDraining):
		c.refuseCall(m, t.Name, fmt.Sprintf(textDrain, c.spelling(m, t)), errDraining, slog.LevelDebug)
	case t.Inline && !c.box.calling() && c.answerable():
		c.callInline(m, t)
	case t.Stream || t.Uploads > 0:
		c.startStream(m, t)
	default:
		k := c.newCall(m, t)
		if t.TakesCall {
			k.cancelWith(c)
		}
		c.enqueue(k)
	}
}

// refuseKind answers a call that cannot become one, whatever the method would do: rows E to G and J, unless rows B or D come first.
func (c *Conn) refuseKind(m *codec.Message, t *method.Method[*Context], stream bool) {
	h := c.hub()
	var text string
	err := t.Bind(c.protocol().Protocol, m.Args, m.NArgs, &c.shard.local.args)
	name := c.spelling(m, t)
	if err != nil {
		text = h.describe(fmt.Sprintf(textRowA, name), err)
	} else if t.RequireUser && c.user == nil {
		text, err = fmt.Sprintf(textRowD, name), errUnauthorized
	} else if stream && !t.Stream {
		text = fmt.Sprintf(textRowF, name)
	} else if !stream && t.Stream {
		text = fmt.Sprintf(textRowE, name)
	} else if len(m.StreamIDs) != t.Uploads {
		text = fmt.Sprintf(textRowG, name, len(m.StreamIDs), t.Uploads)
	} else {
		text = fmt.Sprintf(textRowJ, m.ID)
	}
	if err == nil {
		err = Errorf("%s", text)
	}
	c.refuseCall(m, t.Name, text, err, slog.LevelDebug)
}

// refuseCall answers a call that was not run with an error; without an id it is only logged.
func (c *Conn) refuseCall(m *codec.Message, name, text string, err error, level slog.Level) {
	s := c.shard
	s.local.counters.callsFailed.Add(1)
	s.hub.logCall(c.context(), name, err, level)
	switch {
	case len(m.ID) == 0 || c.state != stateOpen:
	case c.answerable() || c.streamOf(m.ID) != nil: // what is told of an id that is in use (row J) must not come behind the end of its stream
		c.write(c.protocol().AppendError(s.local.scratch(), string(m.ID), text))
	default:
		c.enqueue(c.newRefusal(m, text))
	}
}

// newRefusal is a call of which nothing is left but its answer. It waits among the calls until there is room for that: see answerable.
func (c *Conn) newRefusal(m *codec.Message, text string) *call {
	k := calls.Get().(*call)
	out := getBuffer(minBuffer)
	out.b = c.protocol().AppendError(out.b, string(m.ID), text)
	*k = call{conn: c, out: out, size: uint32(cap(out.b) + callOverhead)}
	return k
}

// callInline runs a call on the loop.
func (c *Conn) callInline(m *codec.Message, t *method.Method[*Context]) {
	s := c.shard
	posts := s.local.posts.Load()
	out, err, fatal := s.hub.perform(c.context(), nil, t, text(m.ID), m.Args, m.NArgs, &s.local.args, s.local.scratch(), &s.local.counters)
	if len(out) == 0 && !fatal || c.state != stateOpen {
		return
	}
	if !c.box.answering() && !fatal && s.local.posts.Load() == posts && !c.gone.Load() {
		c.write(out)
		return
	}
	// The method has queued something, as far as can be told, and this must come behind it.
	s.local.keep(out)
	k := calls.Get().(*call)
	*k = call{conn: c, kind: kindReply, size: callOverhead, err: err, fatal: fatal}
	if !fatal {
		k.out = getBuffer(len(out))
		k.out.b = append(k.out.b, out...)
		k.size += uint32(cap(k.out.b))
	}
	box := c.mailbox()
	box.replies++
	box.waitBytes += k.size
	if box.bytes() > s.hub.opt.InputBuffer {
		c.flags |= flagFull // the client must not pile them up
	}
	if !s.loop.Post(k) {
		k.free()
	}
}

// work is a worker's part: it runs the call and leaves the answer in it.
func (k *call) work(args *method.Args) {
	c := k.conn.context()
	h := c.shard.hub
	switch k.kind {
	case kindConnected:
		k.err = h.runConnected(c)
		return
	case kindDisconnected:
		cause := k.err
		k.err = h.runDisconnected(c, cause)
		return
	}
	if k.cancel != nil {
		defer k.cancel(nil)
	}
	if k.out != nil || c.gone.Load() {
		return // it has been refused, or nobody waits for it
	}
	out := getBuffer(minBuffer)
	b, err, fatal := h.perform(c, k.ctx, k.method, k.id(), k.args(), k.nargs, args, out.b, &c.shard.local.counters)
	k.err, k.fatal = err, fatal
	if len(b) == 0 || fatal {
		out.free()
		return
	}
	out.b = b
	k.out = out
}

// exited is the answer of a method that has ended its goroutine by runtime.Goexit.
func (k *call) exited() {
	c := k.conn.context()
	if k.kind != kindCall {
		k.err = errExit
		return
	}
	h := c.shard.hub
	k.out = getBuffer(minBuffer)
	k.out.b = h.failed(c, k.method, k.id(), fmt.Sprintf(textRowC, k.method.Name), errExit, slog.LevelError, k.out.b, &c.shard.local.counters)
	if len(k.out.b) == 0 {
		k.out.free()
		k.out = nil
	}
}

// perform binds, checks and runs a call, and appends the reply to dst, which is empty, if the caller wants one. call is as in run. fatal: the result
// cannot be encoded, and err says why. Any goroutine.
func (h *Hub) perform(c *Context, call context.Context, t *method.Method[*Context], id string, raw []byte, n int, args *method.Args, dst []byte, count *counters) (out []byte, err error, fatal bool) {
	p := (*Conn)(c).protocol()
	count.calls.Add(1)
	if err := t.Bind(p.Protocol, raw, n, args); err != nil {
		return h.failed(c, t, id, fmt.Sprintf(textRowA, t.Name), err, slog.LevelDebug, dst, count), nil, false
	}
	if t.RequireUser && c.user == nil {
		count.callsFailed.Add(1)
		h.logCall(c, t.Name, errUnauthorized, slog.LevelWarn)
		if id == "" {
			return nil, nil, false
		}
		return p.AppendError(dst, id, fmt.Sprintf(textRowD, t.Name)), nil, false
	}
	result, err := h.run(c, call, t, args, count)
	if err != nil {
		return h.failed(c, t, id, fmt.Sprintf(textRowC, t.Name), err, failureLevel(c, call, err), dst, count), nil, false
	}
	if id == "" {
		return nil, nil, false
	}
	out = p.BeginResult(dst, id)
	out, err = result.Append(out, p.Protocol)
	if err != nil {
		count.callsFailed.Add(1)
		h.logCall(c, t.Name, err, slog.LevelWarn)
		return nil, err, true
	}
	return p.End(out, 0), nil, false
}

// failed counts and logs a failure, and appends the answer: text and what may be shown of err.
func (h *Hub) failed(c *Context, t *method.Method[*Context], id, text string, err error, level slog.Level, dst []byte, count *counters) []byte {
	count.callsFailed.Add(1)
	h.logCall(c, t.Name, err, level)
	if id == "" {
		return nil
	}
	return (*Conn)(c).protocol().AppendError(dst, id, h.describe(text, err))
}

// run runs the method. call is the context of the call; nil: it gets one when it wants one. A panic fails the call alone.
func (h *Hub) run(c *Context, call context.Context, t *method.Method[*Context], args *method.Args, count *counters) (result method.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = h.panicked(c, t.Name, v)
		}
	}()
	switch {
	case h.calls.first != nil:
		return h.through(c, call, t, args)
	case !t.TakesCall:
		return t.Call(c, c, args)
	case call != nil:
		return t.Call(c, call, args)
	}
	return h.runWithContext(c, t, args)
}
