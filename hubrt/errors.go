package hubrt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/spokehub/spoke/hubrt/method"
)

// Error is the only error whose text reaches a client when detailed errors are off (.NET's HubException). A hub method returns one,
// or an error that embeds or wraps one. An error that embeds one may show a name of its own by a method ErrorName.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// ErrorName is the name that clients see in front of the text.
func (e *Error) ErrorName() string { return "HubException" }

// As lets errors.As find the Error in errors that embed one.
func (e *Error) As(target any) bool {
	if t, ok := target.(**Error); ok {
		*t = e
		return true
	}
	return false
}

// Errorf makes an Error.
func Errorf(format string, a ...any) *Error { return &Error{fmt.Sprintf(format, a...)} }

// The texts of wire contract, section 13.
const (
	textRowA  = "Failed to invoke '%s' due to an error on the server." // and row B
	textRowC  = "An unexpected error occurred invoking '%s' on the server."
	textRowD  = "Failed to invoke '%s' because user is unauthorized"
	textRowE  = "The client attempted to invoke the streaming '%s' method with a non-streaming invocation."
	textRowF  = "The client attempted to invoke the non-streaming '%s' method with a streaming invocation."
	textRowG  = "An unexpected error occurred invoking '%s' on the server. HubException: Client sent %d stream(s), Hub method expects %d."
	textRowL  = "Connection closed with an error."
	textRowH  = "An error occurred on the server while streaming results."
	textRowI  = "The value returned by the streaming method '%s' is not a ChannelReader<> or IAsyncEnumerable<>."
	textRowJ  = "Invocation ID '%s' is already in use."
	textDrain = "Failed to invoke '%s' because the server is shutting down."

	textBindItem = "Failed to bind Stream message."
	textStreams  = "Failed to invoke '%s' because more than %d streams of the connection would be under way."

	textHandshake         = "An unexpected error occurred during connection handshake."
	textHandshakeCanceled = "Handshake was canceled."
	textUnknownProtocol   = "The protocol '%s' is not supported."
	textUnknownVersion    = "The server does not support version %d of the '%s' protocol."
	textNoBinary          = "Cannot use the '%s' protocol on the current transport. The transport does not support 'Binary' transfer format."
)

var (
	errNoMethod      = &Error{"Method does not exist."}
	errUnauthorized  = errors.New("the method needs a user")
	errClientTimeout = &namedError{"OperationCanceledException", "Client hasn't sent a message/ping within the configured ClientTimeoutInterval."}
	errPanic         = &namedError{"panic", "the server's log has the details"}
	errExit          = &namedError{"exit", "the method called runtime.Goexit"}
	errNoStream      = errors.New("the method has returned a nil stream")
	errEmptyGroup    = errors.New("Cannot send to an empty group name.")
)

// namedError is an error that clients know by a name from .NET.
type namedError struct{ name, text string }

func (e *namedError) Error() string     { return e.text }
func (e *namedError) ErrorName() string { return e.name }

// shown is what a client may be told of err behind a generic sentence, "" for nothing: "+D" in section 13. The text of a wrapper
// around an Error is shown only when the wrapper names itself: fmt.Errorf adds words for the log, not for clients. The error may be of anybody's making, and a nil pointer in an
// error is a common mistake: a panic of its methods says nothing about it, and must not end the goroutine that answers the call.
func (h *Hub) shown(err error) (more string) {
	defer func() {
		if v := recover(); v != nil {
			more = h.unspeakable(err, v)
		}
	}()
	var hubError *Error
	if errors.As(err, &hubError) && hubError != nil {
		for e := err; e != nil; e = errors.Unwrap(e) {
			if named, ok := e.(interface{ ErrorName() string }); ok {
				return named.ErrorName() + ": " + e.Error()
			}
		}
		return hubError.ErrorName() + ": " + hubError.Text
	}
	if !h.opt.DetailedErrors {
		return ""
	}
	return method.ErrorName(err) + ": " + err.Error()
}

// unspeakable counts and logs the panic of an error's own method, and is what may be shown instead.
func (h *Hub) unspeakable(err error, v any) string {
	h.rt.locals[0].counters.panics.Add(1)
	h.rt.log.LogAttrs(context.Background(), slog.LevelError, "the error of a hub method panicked when it was asked for its text",
		slog.String("hub", h.name), slog.String("type", fmt.Sprintf("%T", err)), slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
	if !h.opt.DetailedErrors {
		return ""
	}
	return errPanic.ErrorName() + ": " + errPanic.Error()
}

// canceled says that err is a context.Canceled, as far as it can be asked.
func canceled(err error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return errors.Is(err, context.Canceled)
}

// describe is text, followed by what may be shown of err.
func (h *Hub) describe(text string, err error) string {
	if more := h.shown(err); more != "" {
		return text + " " + more
	}
	return text
}

// closeText is row L.
func (h *Hub) closeText(err error) string {
	if err == nil {
		return textRowL
	}
	return h.describe(textRowL, err)
}
