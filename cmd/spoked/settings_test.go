package main

import (
	"bytes"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func noEnv(string) (string, bool) { return "", false }

func env(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

func TestParseSettings(t *testing.T) {
	t.Parallel()
	set, err := parseSettings([]string{"-addr", "127.0.0.1:9", "-drain", "2s", "-log-format", "json", "-max-message", "100000"},
		env("SPOKE_BENCH", "true", "SPOKE_LOG_LEVEL", "WARN", "SPOKE_LOG_FORMAT", "text", "SPOKE_ADMIN_ADDR", "localhost:6060"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if set.config.Addr != "127.0.0.1:9" || set.config.Drain != 2*time.Second || set.config.Hub.MaxMessage != 100_000 {
		t.Errorf("config: %+v", set.config)
	}
	if !set.bench || set.logLevel != slog.LevelWarn || set.adminAddr != "localhost:6060" {
		t.Errorf("from the environment: %+v", set)
	}
	if set.logFormat != "json" {
		t.Errorf("log format %q: a flag wins over the environment", set.logFormat)
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		env  func(string) (string, bool)
		want []string
	}{
		"unknown flag":              {[]string{"-nonsense"}, noEnv, []string{"-nonsense"}},
		"bad value":                 {[]string{"-drain", "soon"}, noEnv, []string{`"soon"`, "-drain"}},
		"argument":                  {[]string{"-bench", "extra"}, noEnv, []string{`"extra"`, "flags only"}},
		"log format":                {[]string{"-log-format", "xml"}, noEnv, []string{`"xml"`, "text or json"}},
		"log level":                 {[]string{"-log-level", "loud"}, noEnv, []string{`"loud"`}},
		"environment":               {nil, env("SPOKE_BENCH", "perhaps"), []string{"SPOKE_BENCH", `"perhaps"`}},
		"admin on all addresses":    {[]string{"-admin-addr", ":6060"}, noEnv, []string{"-admin-addr :6060", "other machines", "-admin-open"}},
		"admin on a public address": {[]string{"-admin-addr", "192.0.2.1:6060"}, noEnv, []string{"192.0.2.1"}},
		"admin on a name":           {[]string{"-admin-addr", "example.com:6060"}, noEnv, []string{"example.com"}},
		"admin without a port":      {[]string{"-admin-addr", "127.0.0.1"}, noEnv, []string{"missing port", "127.0.0.1:6060"}},
		"dev users in public":       {[]string{"-dev-users", "-addr", "0.0.0.0:80"}, noEnv, []string{"-dev-users", "0.0.0.0:80", "loopback"}},
		"all at once":               {[]string{"-dev-users", "-addr", ":80", "-admin-addr", ":81", "-log-format", "x"}, noEnv, []string{"-dev-users", "-admin-addr", "-log-format"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseSettings(c.args, c.env, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestParseSettingsAccepts(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"nothing":                 nil,
		"admin on loopback":       {"-admin-addr", "127.0.0.1:6060"},
		"admin on loopback, IPv6": {"-admin-addr", "[::1]:6060"},
		"admin, mapped":           {"-admin-addr", "[::ffff:127.0.0.1]:6060"},
		"admin in the open":       {"-admin-addr", ":6060", "-admin-open"},
		"dev users by default":    {"-dev-users"},
		"dev users on a socket":   {"-dev-users", "-addr", "unix:/run/spoked.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseSettings(args, noEnv, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if _, err := parseSettings([]string{"-h"}, noEnv, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("error %v", err)
	}
	for _, name := range []string{"-addr", "-bench", "-admin-addr", "-admin-open", "-dev-users", "-drain", "-log-format", "-log-level", "-max-message", "DANGER"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("the help does not mention %s", name)
		}
	}
}

func TestDevUser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target, authorization string
		want                  string // "": nobody
		refused               bool
	}{
		"nobody":              {target: "/bench"},
		"query":               {target: "/bench?user=ann", want: "ann"},
		"access token":        {target: "/bench?access_token=bob&user=ann", want: "bob"},
		"bearer":              {target: "/bench?user=ann", authorization: "Bearer carl", want: "carl"},
		"bearer in lower":     {target: "/bench", authorization: "bearer carl", want: "carl"},
		"other scheme":        {target: "/bench", authorization: "Basic YTpi"},
		"empty":               {target: "/bench?user=", refused: true},
		"longest":             {target: "/bench?user=" + strings.Repeat("x", maxUserID), want: strings.Repeat("x", maxUserID)},
		"too long":            {target: "/bench?user=" + strings.Repeat("x", maxUserID+1), refused: true},
		"control character":   {target: "/bench?user=a%00b", refused: true},
		"beyond ASCII":        {target: "/bench?user=%C3%A4", refused: true},
		"nothing in a bearer": {target: "/bench", authorization: "Bearer ", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, c.target, nil)
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			id, err := devUser(r)
			switch {
			case (err != nil) != c.refused:
				t.Errorf("error %v, refused want %v", err, c.refused)
			case c.want == "" && id != nil:
				t.Errorf("user %+v, want nobody", id)
			case c.want != "" && (id == nil || id.UserID != c.want):
				t.Errorf("user %+v, want %s", id, c.want)
			}
		})
	}
}
