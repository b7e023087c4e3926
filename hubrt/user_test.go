package hubrt

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/auth"
)

// TestUser: what a connection keeps of an identity says the same as the identity.
func TestUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		user *auth.Identity
	}{
		{"anonymous", nil},
		{"id", &auth.Identity{UserID: "ann"}},
		{"empty", &auth.Identity{}},
		{"one byte", &auth.Identity{UserID: "a"}},
		{"longest that is packed", &auth.Identity{UserID: strings.Repeat("a", 254)}},
		{"longer", &auth.Identity{UserID: strings.Repeat("b", 255)}},
		{"much longer", &auth.Identity{UserID: strings.Repeat("c", 5000)}},
		{"name", &auth.Identity{UserID: "ann", Name: "Ann"}},
		{"name alone", &auth.Identity{Name: "Ann"}},
		{"claims", &auth.Identity{UserID: "ann", Claims: map[string][]string{"role": {"admin"}}}},
		{"no claims", &auth.Identity{UserID: "ann", Claims: map[string][]string{}}},
		{"expires", &auth.Identity{UserID: "ann", Expires: time.Unix(1, 0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var c Conn
			c.setUser(tt.user)
			if got := c.identity(); !reflect.DeepEqual(got, tt.user) {
				t.Errorf("the connection's user is %+v, want %+v", got, tt.user)
			}
			want := ""
			if tt.user != nil {
				want = tt.user.UserID
			}
			if got := c.userID(); got != want {
				t.Errorf("the connection's user id is %q, want %q", got, want)
			}
		})
	}
}
