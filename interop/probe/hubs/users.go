package hubs

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spokehub/spoke"
)

// Authenticate takes a user from the header X-Test-User (name and user id); X-Test-Expires gives its ticket a life in seconds. No
// header, no user. It believes everybody: for comparing with recordings alone.
func Authenticate(r *http.Request) (*spoke.Identity, error) {
	name := r.Header.Get("X-Test-User")
	if name == "" {
		return nil, nil
	}
	user := &spoke.Identity{UserID: name, Name: name}
	if life := r.Header.Get("X-Test-Expires"); life != "" {
		seconds, err := strconv.ParseUint(life, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("X-Test-Expires: want whole seconds: %w", err)
		}
		user.Expires = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	return user, nil
}
