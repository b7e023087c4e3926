package hubrt

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// InvokeClient calls a method of one client and returns what it answers. See Target.Invoke; after an error the result is T's zero value.
func InvokeClient[T any](ctx context.Context, to Target, method string, args ...any) (T, error) {
	var result T
	if err := to.Invoke(ctx, &result, method, args...); err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// Invoke calls a method of one client, Client or Caller, and waits for its answer, which it puts into what result points to (nil: it is not looked at). It is for
// any goroutine but an event loop's, so not for inline methods. A client may never answer: when ctx has no deadline, Options.ClientResultTimeout bounds the wait.
//
// While a hub method waits for an answer, it takes neither one of Options.MaxParallelCalls nor one of RuntimeConfig.Workers, so that the client can call methods before
// it answers; the method goes on at once when the answer comes. That is so for targets that come from its Context; Hub.Clients does not know who asks.
//
// Errors (wire contract, section 15): ErrNotConnected, ErrDisconnected and ErrInvocationCanceled (errors.Is; the last one also finds ctx's error, or context.DeadlineExceeded); ErrTooManyStreams over
// Options.MaxStreams; ErrTooManyQuestions over RuntimeConfig.ClientResults; an *Error with the client's text when it answers with an error, with nothing, or with what does not fit result; ErrNotSingle for other targets;
// ErrInsideConnected inside the connected event; ErrInline inside an inline method; and those of Send.
func (t Target) Invoke(ctx context.Context, result any, method string, args ...any) error {
	if err := t.checkInvoke(result, method); err != nil {
		return err
	}
	c, id := t.conn, t.name
	if t.kind == toClient {
		c = t.hub.registry.find(t.name)
	} else {
		id = c.id.String()
	}
	if c == nil || c.gone.Load() {
		return errNotConnected(id)
	}
	if ctx.Err() != nil {
		return errCanceled(ctx)
	}
	q := &question{hub: t.hub, conn: c, asker: t.conn, number: t.hub.questions.number(), done: make(chan struct{})}
	if err := q.send(method, args); err != nil {
		return err
	}
	if err := q.wait(ctx); err != nil {
		return err
	}
	err := q.bind(result)
	q.reply.free()
	return err
}

func (t Target) checkInvoke(result any, method string) error {
	switch {
	case t.hub == nil || t.kind == toNobody:
		return errNoHub
	case t.kind != toClient && t.kind != toCaller:
		return ErrNotSingle
	case method == "":
		return errNoMethodName
	case t.hub.rt.inline.Load() && insideInline():
		return ErrInline
	}
	if result == nil {
		return nil
	}
	if v := reflect.ValueOf(result); v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("hubrt: Invoke puts the result into what a pointer points to, and %T is none: pass a pointer that is not nil, or nil", result)
	}
	return nil
}

// question is a call of a client's method whose answer is waited for. It is the task that brings it to the asker's loop and from there to the client's, too.
type question struct {
	hub    *Hub
	conn   *Conn // who is asked; constant
	asker  *Conn // the connection whose method asks; constant; nil: unknown
	number uint64
	at     *shard  // where it is posted to
	record *buffer // until it is written
	queued int     // bytes that it counts for in a loop's queue

	// How the asker's loop, which comes first, has left them for conn's loop.
	known  bool // the asker's loop has seen it
	giving bool // it counts in mailbox.asking of the asker, and in pool.lent

	prev, next *question // conn's loop
	listed     bool      // conn's loop: it is among conn's results

	state atomic.Uint32 // any goroutine (atomic): who changes questionOpen has the last word
	done  chan struct{} // closed when the answer is there
	reply *buffer       // before done: conn's loop; then the asking goroutine
	err   error         // as reply
}

// The values of question.state.
const (
	questionOpen     = iota
	questionAnswered // the answer, or what stands for it, is about to be there
	questionDropped  // the asking goroutine does not wait any longer
)

// send encodes the question and posts it.
func (q *question) send(method string, args []any) error {
	q.at = q.conn.shard
	if q.asker != nil {
		q.at = q.asker.shard
	}
	if err := q.conn.shard.room(); err != nil {
		return err
	}
	if err := q.at.room(); err != nil {
		return err
	}
	record := getBuffer(minBuffer)
	b, err := q.conn.protocol().AppendInvocation(record.b, "s"+strconv.FormatUint(q.number, 10), method, args)
	if err != nil {
		record.free()
		return err
	}
	record.b = b
	q.record = record
	q.queued = cap(b) + sendOverhead
	q.hub.rt.published.Add(1)
	if !q.at.post(q, q.queued) {
		record.free()
		return errDisconnected(q.conn.id.String())
	}
	return nil
}

// wait waits for the answer. A client's end is told by its loop, so a wait that ends with the client alone needs no context.
func (q *question) wait(ctx context.Context) error {
	var ended <-chan struct{}
	if c, ok := ctx.(*Context); !ok || (*Conn)(c) != q.conn {
		ended = ctx.Done()
	}
	var late <-chan time.Time
	limit := q.hub.opt.ClientResultTimeout
	if _, bounded := ctx.Deadline(); !bounded && limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	unanswered := false
	select {
	case <-q.done:
		return q.err
	case <-ended:
	case <-late:
		unanswered = true
	}
	if !q.state.CompareAndSwap(questionOpen, questionDropped) {
		<-q.done
		return q.err
	}
	q.conn.shard.loop.Post((*dropped)(q))
	switch {
	case q.conn.gone.Load():
		return errDisconnected(q.conn.id.String()) // which may be why the context has ended
	case unanswered:
		q.hub.rt.questionsExpired.Add(1)
		return errUnanswered(limit)
	}
	return errCanceled(ctx)
}

// bind puts the answer into result.
func (q *question) bind(result any) (err error) {
	if result == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil { // of a decoding method of the type's own, which works on what a client sent
			err = errResultType(result, &method.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	if err := q.conn.protocol().Bind(q.reply.b, result); err != nil {
		return errResultType(result, err)
	}
	return nil
}

// Run is the question's way: by the asker's loop to the client's.
func (q *question) Run(*engine.Loop) {
	q.at.begins(q.queued)
	if q.asker != nil && !q.known {
		q.known = true
		if !q.leave() {
			return
		}
	}
	q.ask()
	q.conn.settle()
}

// leave is the asker's part; true: the question has arrived where the client is. Asker's loop only.
func (q *question) leave() (arrived bool) {
	a := q.asker
	if a.is(flagConnecting) {
		q.refuse(ErrInsideConnected)
		return false
	}
	if q.state.Load() == questionOpen && !q.giveBack() {
		q.hub.rt.questionsRefused.Add(1)
		q.refuse(q.hub.rt.pool.errTooManyQuestions())
		return false
	}
	if arrived = q.conn.shard == q.at; !arrived {
		if q.at = q.conn.shard; !q.at.post(q, q.queued) {
			q.refuse(errDisconnected(q.conn.id.String()))
		}
	}
	if a != q.conn {
		a.settle()
	}
	return arrived
}

// giveBack gives the place of the call that asks back, as one of its client's and as one of all: which call it is, is not known, but no more of them can wait than run. A method
// with streams has no place to give; when it asks while plain calls of its client run, one of those more may run meanwhile. false: as many wait as may.
// Asker's loop only.
func (q *question) giveBack() bool {
	a := q.asker
	m := a.box
	if m == nil || m.asking >= m.jobs {
		return true
	}
	if !q.hub.rt.pool.lend() {
		return false
	}
	m.asking++
	q.giving = true
	a.takeBack()
	return true
}

// ask writes the question. Conn's loop only.
func (q *question) ask() {
	c := q.conn
	switch {
	case q.state.Load() != questionOpen:
		q.refuse(nil) // nobody waits any longer
	case c.state != stateOpen || c.is(flagLeaving) || c.gone.Load():
		q.refuse(errDisconnected(c.id.String()))
	case c.live().under() >= q.hub.opt.MaxStreams:
		q.refuse(errTooManyQuestions(c.live().under()))
	default:
		c.box.live.results.add(q)
		q.hub.questions.add(q)
		q.hub.rt.questions.Add(1)
		record := q.record
		q.record = nil
		c.link.Write(record.b) // which may end the connection, and the question with it
		record.free()
	}
}

// refuse is for a question that is not asked.
func (q *question) refuse(err error) {
	q.record.free()
	q.record = nil
	q.settle(nil, err)
}

// retire takes the question off the lists. Conn's loop only.
func (q *question) retire() {
	c := q.conn
	c.box.live.results.remove(q)
	q.hub.questions.remove(q)
	q.hub.rt.questions.Add(-1)
	c.idle()
}

// settle answers whoever waits, if somebody does: with reply, which it takes, or with err.
func (q *question) settle(reply *buffer, err error) {
	q.takePlace()
	if !q.state.CompareAndSwap(questionOpen, questionAnswered) {
		reply.free()
		return
	}
	q.reply, q.err = reply, err
	close(q.done)
}

// takePlace undoes giveBack.
func (q *question) takePlace() {
	if !q.giving {
		return
	}
	q.giving = false
	q.hub.rt.pool.reclaim()
	if q.asker == q.conn {
		q.asker.box.asking-- // whoever is at work on the connection settles it
		return
	}
	q.asker.shard.loop.Post((*answered)(q.asker)) // also on the same loop: settling another connection here could bring its bytes in the midst of this one's
}

// answered is a Conn as the task that says that one of its calls waits no longer.
type answered Conn

func (t *answered) Run(*engine.Loop) {
	c := (*Conn)(t)
	c.box.asking--
	c.settle()
}

// dropped is a question as the task that says that nobody waits for its answer any longer. Nothing is sent to the client, and a late answer is ignored.
type dropped question

func (t *dropped) Run(*engine.Loop) {
	q := (*question)(t)
	if !q.listed {
		return // it has not come yet, or has been answered
	}
	q.retire()
	q.takePlace()
	q.conn.settle()
}

// insideInline says whether the calling goroutine is running an inline method: it is an event loop's then. There is nothing else to know a goroutine by than its
// stack; that takes a microsecond or two, which is little beside a client's answer.
func insideInline() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		if n == 0 {
			return false
		}
		for frames := runtime.CallersFrames(pcs[:n]); ; {
			f, more := frames.Next()
			if f.Function == inlineFrame {
				return true
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

// inlineFrame is the function under which inline methods run.
var inlineFrame = runtime.FuncForPC(reflect.ValueOf((*Conn).callInline).Pointer()).Name()
