// Package auth says who a request comes from.
package auth

import (
	"errors"
	"net/http"
	"time"
)

// Identity is an authenticated user. It is immutable once returned by an Authenticator.
//
// A connection keeps it for life, unless it says nothing but a user id: of that the bytes are copied (16 for a usual id, instead of
// 64 and its strings). A string that is a piece of the request, as a query's value is, keeps the whole request line in memory: clone it.
type Identity struct {
	UserID  string              // the user id of Clients.User; "" is nobody
	Name    string              // a display name
	Claims  map[string][]string // whatever else the hub wants to know
	Expires time.Time           // zero: never
}

// Authenticator looks at a request's head and says who it comes from. nil, nil is an anonymous request; an error refuses the
// request: 401 with an empty body. It runs on a goroutine of its own (never on an event loop) and may block; r has no body
// and its context ends when the client has gone (as far as that can be told of one that says nothing) or after Config.AuthTimeout. Up to Config.AuthCalls calls run at once.
type Authenticator func(r *http.Request) (*Identity, error)

// ErrRefused is a plain refusal.
var ErrRefused = errors.New("auth: refused")
