package hubrt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// What errors.Is finds in the errors of Target.Invoke and InvokeClient; the texts are those of the wire contract, section 15.
var (
	// ErrNotConnected says that no connection has the id.
	ErrNotConnected = errors.New("hubrt: the connection does not exist")
	// ErrDisconnected says that the client went before it answered.
	ErrDisconnected = errors.New("hubrt: the connection has ended")
	// ErrInvocationCanceled says that the context ended before the answer came.
	ErrInvocationCanceled = errors.New("hubrt: the invocation was canceled")
	// ErrTooManyStreams says that the connection has Options.MaxStreams under way.
	ErrTooManyStreams = errors.New("hubrt: too many streams and questions to the client")
	// ErrTooManyQuestions says that RuntimeConfig.ClientResults calls of hub methods wait for clients.
	ErrTooManyQuestions = errors.New("hubrt: too many hub methods wait for clients")
	// ErrNotSingle says that the target is not one client alone.
	ErrNotSingle error = &namedError{"InvalidOperationException", "InvokeAsync only works with Single clients."}
	// ErrInsideConnected says that the connected event asks a client: no answer is read before it has ended.
	ErrInsideConnected error = &namedError{"InvalidOperationException", "Client results inside OnConnectedAsync Hub methods are not allowed."}
	// ErrInline says that an inline method asks a client: it would stop the event loop, which brings the answer.
	ErrInline error = &namedError{"InvalidOperationException", "Client results inside inline methods are not allowed: register the method without Inline."}
)

// errNoResult has .NET's default text, since a client that answers with nothing gives none.
var errNoResult = &Error{"Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown."}

// invokeError is an error with a name and text from .NET, of a kind that errors.Is finds.
type invokeError struct {
	namedError
	kinds []error
}

func (e *invokeError) Unwrap() []error { return e.kinds }

func errNotConnected(id string) error {
	return &invokeError{namedError{"IOException", fmt.Sprintf("Connection '%s' does not exist.", id)}, []error{ErrNotConnected}}
}

func errDisconnected(id string) error {
	return &invokeError{namedError{"IOException", fmt.Sprintf("Connection '%s' disconnected.", id)}, []error{ErrDisconnected}}
}

// errUnanswered is as errCanceled, and a context.DeadlineExceeded.
func errUnanswered(d time.Duration) error {
	e := &Error{"Invocation canceled by the server."}
	cause := fmt.Errorf("%w: the client has not answered within %v (ClientResultTimeout)", context.DeadlineExceeded, d)
	return &invokeError{namedError{e.ErrorName(), e.Text}, []error{e, ErrInvocationCanceled, cause}}
}

// errCanceled is a HubException too, as in .NET: who returns it from a hub method tells the client.
func errCanceled(ctx context.Context) error {
	e := &Error{"Invocation canceled by the server."}
	return &invokeError{namedError{e.ErrorName(), e.Text}, []error{e, ErrInvocationCanceled, context.Cause(ctx), ctx.Err()}}
}

func errTooManyQuestions(n int) error {
	return fmt.Errorf("%w: the connection has %d under way, which is MaxStreams", ErrTooManyStreams, n)
}

func (p *pool) errTooManyQuestions() error {
	return fmt.Errorf("%w: %d wait for an answer, which is ClientResults", ErrTooManyQuestions, p.maxLent)
}

func errNotAsked(connection, question string) error {
	return &namedError{"InvalidOperationException", fmt.Sprintf("Connection ID '%s' is not valid for invocation ID '%s'.", connection, question)}
}

// errResultType is for an answer that does not fit what result points to. It counts as an error that the client has answered with.
func errResultType(result any, cause error) error {
	return Errorf("Error trying to deserialize result to %s. %v", netName(reflect.TypeOf(result).Elem()), cause)
}

// netName is .NET's name for a type where it has one of its own, else Go's.
func netName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "DateTime"
	case reflect.TypeFor[any]():
		return "Object"
	}
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		return netName(t.Elem())
	}
	if t.PkgPath() == "" {
		if name := netNames[t.Kind()]; name != "" {
			return name
		}
		if (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Name() == "" {
			return netName(t.Elem()) + "[]"
		}
	}
	if t.Name() != "" {
		return t.Name()
	}
	return t.String()
}

var netNames = map[reflect.Kind]string{
	reflect.String: "String", reflect.Bool: "Boolean", reflect.Float32: "Single", reflect.Float64: "Double",
	reflect.Int: "Int64", reflect.Int8: "SByte", reflect.Int16: "Int16", reflect.Int32: "Int32", reflect.Int64: "Int64",
	reflect.Uint: "UInt64", reflect.Uint8: "Byte", reflect.Uint16: "UInt16", reflect.Uint32: "UInt32", reflect.Uint64: "UInt64",
}
