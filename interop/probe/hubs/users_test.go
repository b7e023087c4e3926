package hubs

import (
	"net/http"
	"testing"
	"time"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, user, expires string
		id                  string // "": nobody
		life                time.Duration
		refused             bool
	}{
		{"nobody", "", "", "", 0, false},
		{"nobody with a ticket", "", "5", "", 0, false},
		{"ann", "ann", "", "ann", 0, false},
		{"for an hour", "ann", "3600", "ann", time.Hour, false},
		{"no seconds", "ann", "soon", "", 0, true},
		{"negative", "ann", "-1", "", 0, true},
		{"too long", "ann", "99999999999", "", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Header: http.Header{}}
			if tt.user != "" {
				r.Header.Set("X-Test-User", tt.user)
			}
			if tt.expires != "" {
				r.Header.Set("X-Test-Expires", tt.expires)
			}
			before := time.Now()
			user, err := Authenticate(r)
			switch {
			case (err != nil) != tt.refused:
				t.Fatalf("%+v, %v", user, err)
			case tt.id == "":
				if user != nil {
					t.Errorf("%+v", user)
				}
			case user == nil || user.UserID != tt.id || user.Name != tt.id:
				t.Errorf("%+v", user)
			case tt.life == 0 != user.Expires.IsZero():
				t.Errorf("expires %v", user.Expires)
			case tt.life > 0 && (user.Expires.Before(before.Add(tt.life)) || user.Expires.After(time.Now().Add(tt.life))):
				t.Errorf("expires %v", user.Expires)
			}
		})
	}
}
