// Package spoke serves SignalR hubs from Go, on event loops: the official SignalR clients connect to it unchanged, and one machine
// fans out to very many of them.
//
// A hub is any Go value; its exported methods are what clients can call:
//
//	type Chat struct{}
//
//	func (Chat) Send(c *spoke.Context, user, text string) error {
//		return c.Clients().All().Send("messageReceived", user, text)
//	}
//
//	srv, err := spoke.New(spoke.Config{Addr: ":8080"})
//	…
//	_, err = srv.MapHub("/chat", Chat{})
//	…
//	err = srv.Run(ctx) // until ctx ends, then a graceful drain
//
// Server is also an http.Handler, so that hubs can be mounted in an existing mux.
package spoke

import (
	"context"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/limits"
)

// The names that users meet, each documented where it is defined.
type (
	Hub           = hubrt.Hub
	Context       = hubrt.Context
	Items         = hubrt.Items
	Clients       = hubrt.Clients
	CallerClients = hubrt.CallerClients
	Groups        = hubrt.Groups
	Target        = hubrt.Target
	Middleware    = hubrt.Middleware
	Invoker       = hubrt.Invoker
	Invocation    = hubrt.Invocation
	HubError      = hubrt.Error
	MethodOptions = method.Options

	ConnectedMiddleware    = hubrt.ConnectedMiddleware
	DisconnectedMiddleware = hubrt.DisconnectedMiddleware

	Identity      = auth.Identity
	Authenticator = auth.Authenticator
	Rates         = limits.Rates
	Raw           = codec.Raw
	Tree          = codec.Tree
	Protocol      = codec.Protocol
)

// The hub protocols, for HubOptions.Protocols.
var (
	JSON        = codec.JSON
	MessagePack = codec.MessagePack
)

// What happens to a client over its rates.
const (
	Wait   = limits.Wait
	Reject = limits.Reject
	Close  = limits.Close
)

// What errors.Is finds in the errors of sends and joins, documented where they are defined.
var (
	ErrSendQueueFull = hubrt.ErrSendQueueFull
	ErrTooManyGroups = hubrt.ErrTooManyGroups
	ErrCallCanceled  = hubrt.ErrCallCanceled
)

// What errors.Is finds in the errors of InvokeClient, documented where they are defined.
var (
	ErrNotConnected       = hubrt.ErrNotConnected
	ErrDisconnected       = hubrt.ErrDisconnected
	ErrInvocationCanceled = hubrt.ErrInvocationCanceled
	ErrTooManyStreams     = hubrt.ErrTooManyStreams
	ErrTooManyQuestions   = hubrt.ErrTooManyQuestions
	ErrNotSingle          = hubrt.ErrNotSingle
	ErrInsideConnected    = hubrt.ErrInsideConnected
	ErrInline             = hubrt.ErrInline
)

// InvokeClient calls a method of one client, Client or Caller, and returns what it answers. A client may never answer: the wait is bounded by ctx's deadline, or else by HubOptions.ClientResultTimeout. See
// Target.Invoke for what happens meanwhile, and for the errors.
func InvokeClient[T any](ctx context.Context, to Target, method string, args ...any) (T, error) {
	return hubrt.InvokeClient[T](ctx, to, method, args...)
}

// JSONRaw copies a JSON value into a Raw; MessagePackRaw does so for MessagePack. What is not one whole value, or nests deeper than 62 levels, is an error.
func JSONRaw(b []byte) (Raw, error) { return codec.JSONRaw(b) }

// MessagePackRaw is JSONRaw for MessagePack.
func MessagePackRaw(b []byte) (Raw, error) { return codec.MessagePackRaw(b) }

// LowerCamel is a HubOptions.MethodName for JavaScript's habits: Send becomes send, HTTPStatus httpStatus.
func LowerCamel(goName string) string { return method.LowerCamel(goName) }

// Errorf makes a HubError: the only error whose text reaches a client when detailed errors are off.
func Errorf(format string, a ...any) *HubError { return hubrt.Errorf(format, a...) }
