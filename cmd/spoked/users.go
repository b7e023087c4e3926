package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spokehub/spoke"
)

const maxUserID = 64 // bytes

var errBadUser = fmt.Errorf("user id: 1 to %d printable ASCII characters are allowed", maxUserID)

// devUser believes whatever user id the request names: the bearer token, the access token or ?user=, in this order. For
// development only.
func devUser(r *http.Request) (*spoke.Identity, error) {
	id, named := claimedUser(r)
	if !named {
		return nil, nil
	}
	if len(id) == 0 || len(id) > maxUserID || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c > '~' }) {
		return nil, errBadUser
	}
	return &spoke.Identity{UserID: id}, nil // without a name, so that the connection keeps the bytes of the id alone
}

func claimedUser(r *http.Request) (id string, named bool) {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return token, true
	}
	query := r.URL.Query()
	for _, key := range []string{"access_token", "user"} {
		if query.Has(key) {
			return query.Get(key), true
		}
	}
	return "", false
}
