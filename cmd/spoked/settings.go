package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/spokehub/spoke"
)

// settings are what the command line and the environment say.
type settings struct {
	config    spoke.Config
	bench     bool
	adminAddr string
	adminOpen bool
	devUsers  bool
	logFormat string
	logLevel  slog.Level
	version   bool
}

// parseSettings reads the flags. The flags of spoke.Config and those of this program have their defaults from SPOKE_…
// environment variables of the same names (-admin-addr is SPOKE_ADMIN_ADDR). All that is wrong is reported at once.
func parseSettings(args []string, lookupEnv func(string) (string, bool), usage io.Writer) (*settings, error) {
	s := &settings{logFormat: "text"}
	fs := flag.NewFlagSet("spoked", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are printed once, by run
	s.config.RegisterFlags(fs)
	shared := map[string]bool{}
	fs.VisitAll(func(f *flag.Flag) { shared[f.Name] = true })

	fs.BoolVar(&s.bench, "bench", false, "serve the hub /bench, whose methods let any client broadcast, sleep and fail: for measuring and testing only")
	fs.StringVar(&s.adminAddr, "admin-addr", "", "`host:port` for /debug/pprof, /metrics.json and the health checks; empty: off. It must be a loopback address")
	fs.BoolVar(&s.adminOpen, "admin-open", false, "DANGER: let -admin-addr be reachable from other machines. Whoever reaches it reads the memory of this process (heap dumps hold messages and tokens) and can slow it down; it has no password")
	fs.BoolVar(&s.devUsers, "dev-users", false, "DANGER: take ?user=NAME or the access token as the user id, unchecked, so that anybody can be anybody: for development only, refused on other than loopback addresses")
	fs.StringVar(&s.logFormat, "log-format", s.logFormat, "`text` or json")
	fs.TextVar(&s.logLevel, "log-level", s.logLevel, "least `level` that is logged: DEBUG, INFO, WARN or ERROR")
	fs.BoolVar(&s.version, "version", false, "print the version and exit")

	var problems []error
	fs.VisitAll(func(f *flag.Flag) {
		if shared[f.Name] {
			return // Config has looked already
		}
		name := spoke.EnvPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := lookupEnv(name); ok && v != "" {
			if err := fs.Set(f.Name, v); err != nil {
				problems = append(problems, fmt.Errorf("environment variable %s: invalid value %q: %w", name, v, err))
			}
		}
	})
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(usage, "spoked serves SignalR hubs, and a page that shows them.\n\nFlags:\n")
			fs.SetOutput(usage)
			fs.PrintDefaults()
		}
		return nil, err
	}
	if fs.NArg() > 0 {
		problems = append(problems, fmt.Errorf("unexpected argument %q: spoked takes flags only", fs.Arg(0)))
	}
	if s.logFormat != "text" && s.logFormat != "json" {
		problems = append(problems, fmt.Errorf("-log-format is %q: text or json is allowed", s.logFormat))
	}
	if s.adminAddr != "" {
		if err := checkAdminAddr(s.adminAddr, s.adminOpen); err != nil {
			problems = append(problems, err)
		}
	}
	if s.devUsers {
		if s.config.Addr != "" && !strings.HasPrefix(s.config.Addr, "unix:") && !isLoopback(s.config.Addr) {
			problems = append(problems, fmt.Errorf("-dev-users with -addr %s: anybody who reaches this address could be any user; use a loopback address such as 127.0.0.1:8080", s.config.Addr))
		}
		s.config.Authenticate = devUser
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

func checkAdminAddr(addr string, open bool) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("-admin-addr: %w; host:port is expected, such as 127.0.0.1:6060", err)
	}
	if !open && !isLoopback(addr) {
		return fmt.Errorf("-admin-addr %s can be reached from other machines; use a loopback address such as 127.0.0.1:6060, or accept the danger with -admin-open", addr)
	}
	return nil
}

// isLoopback says whether host:port is on a loopback address. A name other than localhost is not: what it resolves to
// may change.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
