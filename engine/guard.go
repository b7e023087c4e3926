package engine

import (
	"fmt"
	"runtime/debug"
)

// All calls into the layers above go through the functions of this file, so that a panic there ends one connection, with reason
// InternalError, or one task, and not the server. It is logged with its stack and counted. Under Poison it goes on instead: a
// test should see it. The calls are small functions because the recovery must not skip anything that the loop does around them.

func (l *Loop) callData(c *Conn, p []byte) (n int) {
	defer l.guard(c, "OnData")
	return c.handler.OnData(c, p)
}

func (l *Loop) callEOF(c *Conn) {
	defer l.guard(c, "OnEOF")
	c.handler.OnEOF(c)
}

func (l *Loop) callDrain(c *Conn) {
	defer l.guard(c, "OnDrain")
	c.handler.OnDrain(c)
}

func (l *Loop) callDeadline(c *Conn) {
	defer l.guard(c, "OnDeadline")
	c.handler.OnDeadline(c, l.now)
}

func (l *Loop) callClose(c *Conn, err error) {
	defer l.guard(c, "OnClose")
	c.handler.OnClose(c, c.reason, err)
}

func (l *Loop) callOpen(c *Conn, open func(c *Conn) Handler) Handler {
	defer l.guard(c, "the open function")
	return open(c)
}

func (l *Loop) callTimer(f func()) {
	defer l.guard(nil, "a timer")
	f()
}

// callTask runs the next task, joined with those behind it that it takes over.
func (l *Loop) callTask(t Task) {
	defer l.guard(nil, "a task")
	if m, ok := t.(Merger); ok {
		for l.taskHead < len(l.tasks) && m.Merge(l.tasks[l.taskHead]) {
			l.taskHead++
		}
	}
	t.Run(l)
}

// guard is deferred.
func (l *Loop) guard(c *Conn, where string) {
	r := recover()
	if r == nil {
		return
	}
	if poisonFreed && !l.engine.cfg.calm {
		panic(r)
	}
	l.counters.panics.Add(1)
	l.engine.cfg.Logger.Error("panic on an event loop", "in", where, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
	if c != nil {
		c.Reset(InternalError, fmt.Errorf("engine: panic in %s: %v", where, r))
	}
}
