package spoke_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spokehub/spoke"
)

var update = flag.Bool("update", false, "write docs/options.md anew")

// optionGroups are the sections of docs/options.md.
var optionGroups = []struct {
	title, about string
	flags        []string
}{
	{"Server", "", []string{"addr", "engine", "loops", "workers", "worker-queue", "send-queue", "drain", "drain-limit"}},
	{"Who may come in", "See [deploy.md](deploy.md) for what is behind a proxy.", []string{
		"allowed-origins", "auth-timeout", "auth-calls", "auth-waiting", "trusted-proxies", "forwarded-headers", "proxy-protocol",
	}},
	{"Transports", "See [transports.md](transports.md).", []string{
		"transports", "protocols", "poll-timeout", "parked-timeout", "max-parked", "websocket-keep-alive", "websocket-pong-timeout", "websocket-close-timeout",
	}},
	{"TLS", "See [tls.md](tls.md).", []string{
		"tls-cert", "tls-key", "tls-reload", "tls-handshake-timeout", "tls-handshakes", "tls-handshakes-computing", "tls-hsts",
	}},
	{"What a client may send", "", []string{
		"handshake-timeout", "keep-alive", "client-timeout", "max-message", "input-buffer", "rate-messages", "rate-messages-burst", "rate-bytes", "rate-bytes-burst", "rate-mode",
	}},
	{"What a client may have under way", "See [hubs.md](hubs.md) and [streams.md](streams.md).", []string{
		"parallel-calls", "stream-buffer", "max-streams", "client-results", "client-result-timeout", "max-groups", "max-departed", "detailed-errors", "drop-request",
	}},
	{"What may wait for a slow client", "", []string{
		"outbound", "outbound-max", "outbound-owned-max", "frames-max", "send-timeout", "send-buffer", "linger",
	}},
	{"Stateful reconnect", "See [stateful-reconnect.md](stateful-reconnect.md).", []string{
		"stateful-reconnect", "stateful-buffer", "stateful-max", "stateful-memory", "disconnect-timeout",
	}},
	{"HTTP", "", []string{"http-max-head", "http-max-headers", "http-head-timeout", "http-body-timeout", "http-keep-alive"}},
}

// TestOptionsDocument: docs/options.md has all flags of Config.RegisterFlags, as they describe themselves. -update writes it.
func TestOptionsDocument(t *testing.T) {
	t.Parallel()
	const file = "docs/options.md"
	var cfg spoke.Config
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	cfg.RegisterFlags(fs)

	var b strings.Builder
	b.WriteString("# Options\n\nWhat `Config.RegisterFlags` gives a program, and so `spoked`, beside its own (`spoked -help`). An environment variable is the default of its flag: `-max-message` is `" +
		spoke.EnvPrefix + "MAX_MESSAGE`. The fields of `spoke.Config`\nhave the same names and say more. Each hub begins with a copy of the server's options and may have its own. This page is written by `go test -run TestOptionsDocument . -update`.\n")
	listed := make(map[string]bool)
	for _, g := range optionGroups {
		fmt.Fprintf(&b, "\n## %s\n\n", g.title)
		if g.about != "" {
			b.WriteString(g.about + "\n\n")
		}
		b.WriteString("| Flag | Says |\n| --- | --- |\n")
		for _, name := range g.flags {
			f := fs.Lookup(name)
			if f == nil || listed[name] {
				t.Fatalf("-%s is in the table of this test, and is no flag, or is in it twice", name)
			}
			listed[name] = true
			of, usage := flag.UnquoteUsage(f)
			if of != "" {
				of = " " + of
			}
			if !strings.Contains(usage, "(default") && f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" && f.DefValue != "0s" {
				usage += " (default " + f.DefValue + ")"
			}
			fmt.Fprintf(&b, "| `-%s%s` | %s |\n", name, of, strings.ReplaceAll(usage, "|", "\\|"))
		}
	}
	fs.VisitAll(func(f *flag.Flag) {
		if !listed[f.Name] {
			t.Errorf("-%s is in no section of this test's table", f.Name)
		}
	})
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if readFile(t, file) != b.String() {
		t.Errorf("%s is not what the flags say: go test -run TestOptionsDocument . -update", file)
	}
}
