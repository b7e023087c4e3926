package hubrt

import (
	"strings"
	"unsafe"

	"github.com/spokehub/spoke/auth"
)

// userRef points to who a connection belongs to, in the least memory: most identities are nothing but a user id, of which the connection keeps the
// bytes (16 for a usual one, with no pointer in them) and not the Identity (80 with its string). Beside it stands a userKind; both are constant.
type userRef = unsafe.Pointer

// userKind says what a userRef points to: as many bytes of a user id, or wholeIdentity.
type userKind uint8

const wholeIdentity userKind = 255 // an auth.Identity

// nobody is what the reference to a user id without bytes points to, so that it is not that of an anonymous client.
var nobody byte

// setUser takes an identity; nil: the client is anonymous. Before others can find the connection.
func (c *Conn) setUser(u *auth.Identity) {
	switch {
	case u == nil:
		c.user = nil
	case u.Name != "" || u.Claims != nil || !u.Expires.IsZero() || len(u.UserID) >= int(wholeIdentity):
		c.user, c.userKind = userRef(u), wholeIdentity
	case u.UserID == "":
		c.user = userRef(&nobody)
	default:
		id := strings.Clone(u.UserID) // it may be a piece of something larger
		c.user, c.userKind = userRef(unsafe.StringData(id)), userKind(len(id))
	}
}

// userID is "" for an anonymous client. Any goroutine.
func (c *Conn) userID() string {
	if c.userKind == wholeIdentity {
		return (*auth.Identity)(c.user).UserID
	}
	return unsafe.String((*byte)(c.user), int(c.userKind))
}

// identity is nil for an anonymous client. Any goroutine.
func (c *Conn) identity() *auth.Identity {
	switch {
	case c.user == nil:
		return nil
	case c.userKind == wholeIdentity:
		return (*auth.Identity)(c.user)
	}
	return &auth.Identity{UserID: c.userID()}
}
