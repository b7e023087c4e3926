package hubrt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt/method"
)

// runWithContext gives a call on the loop a context of its own, which ends with the connection or with the call; the client cannot cancel it, as its loop is busy.
func (h *Hub) runWithContext(c *Context, t *method.Method[*Context], args *method.Args) (method.Result, error) {
	call, cancel := context.WithCancel(c)
	defer cancel()
	return t.Call(c, call, args)
}

func (h *Hub) runConnected(c *Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = h.panicked(c, onConnected, v)
		}
		if err != nil {
			h.logCall(c, onConnected, err, slog.LevelWarn)
		}
	}()
	return h.connected(c)
}

func (h *Hub) runDisconnected(c *Context, cause error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = h.panicked(c, onDisconnected, v)
		}
		if err != nil {
			h.logCall(c, onDisconnected, err, slog.LevelWarn)
		}
	}()
	return h.disconnected(c, cause)
}

// panicked counts a panic and logs it with its stack; clients are told nothing of it.
func (h *Hub) panicked(c *Context, name string, v any) error {
	c.shard.local.counters.panics.Add(1)
	h.rt.log.LogAttrs(context.Background(), slog.LevelError, "hub method panicked",
		slog.String("hub", h.name), slog.String("method", name), slog.String("connection", c.id.String()),
		slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
	return errPanic
}

// failureLevel is debug for what clients bring about as they like, and would fill the log with: errors that are made for them, limits that they are over, and calls that their going away or
// cancelling has ended. call may be nil. An error whose own methods panic is the hub's fault.
func failureLevel(c *Context, call context.Context, err error) (level slog.Level) {
	defer func() {
		if recover() != nil {
			level = slog.LevelWarn
		}
	}()
	var forClient *Error
	if errors.As(err, &forClient) || errors.Is(err, ErrTooManyGroups) || errors.Is(err, ErrNotConnected) || errors.Is(err, ErrDisconnected) || errors.Is(err, ErrSendQueueFull) ||
		errors.Is(err, ErrTooManyStreams) || errors.Is(err, ErrTooManyQuestions) {
		return slog.LevelDebug
	}
	if errors.Is(err, context.Canceled) && (c.gone.Load() || call != nil && call.Err() != nil) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// logCall logs a failure. Arguments are not logged: they may hold secrets.
func (h *Hub) logCall(c *Context, name string, err error, level slog.Level) {
	log := h.rt.log
	if err == errPanic || !log.Enabled(context.Background(), level) { //nolint:errorlint // our own value: it has been logged with its stack
		return
	}
	log.LogAttrs(context.Background(), level, "hub method failed",
		slog.String("hub", h.name), slog.String("method", name), slog.String("connection", c.id.String()), slog.Any("error", err))
}

// hook asks for a worker for the hook that is due: the connected one while connecting, else the disconnected one.
func (c *Conn) hook() {
	c.flags |= flagHook
	c.flags &^= flagSubmitted
	c.pump()
}

// hookDone takes a hook's answer.
func (c *Conn) hookDone(k kind, err error) {
	c.flags &^= flagHook | flagSubmitted
	defer c.caughtUp()
	if k == kindDisconnected {
		c.flags &^= flagConnected // it has had its event
		c.ended().failure = err
		c.depart()
		return
	}
	c.flags &^= flagConnecting
	c.dropRequest()
	if err == nil {
		c.flags |= flagConnected
	}
	switch {
	case c.state != stateOpen:
		c.depart()
	case err == errGivenUp: //nolint:errorlint // our own value
		c.end(engine.Shutdown, nil, "", true)
	case err != nil:
		// Row L, and no permission to reconnect (wire contract, section 16); the disconnected event is skipped (trap 17).
		c.end(engine.ConnectFailed, err, c.hub().closeText(err), false)
	default:
		c.resume()
	}
}
