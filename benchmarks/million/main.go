// Command million attaches a million simulated clients to the real server and says what each costs: in memory, by part, and in
// time, for what a server does with all of them at once.
//
// Everything but the sockets is real: the event loops, HTTP, the upgrade, WebSocket, the hub runtime with groups, user ids, rate
// limits and timers. The clients are engine.Sinks, which count what they get and throw it away.
//
//	go run ./benchmarks/million [-n 1000000] [-loops 2] [-json]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && err != flag.ErrHelp { //nolint:errorlint // package flag returns it as it is, and has said all
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
}

// command runs the program with its arguments, without the name.
func command(ctx context.Context, args []string, out, progress io.Writer) error {
	var cfg config
	fs := flag.NewFlagSet("million", flag.ContinueOnError)
	fs.SetOutput(progress)
	cfg.register(fs)
	asJSON := fs.Bool("json", false, "write the result as JSON")
	timeout := fs.Duration("timeout", 10*time.Minute, "end with an error after this time")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: there are only flags, see -help", fs.Arg(0))
	}
	if err := cfg.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("not done after %v, which is -timeout", *timeout))
	defer cancel()
	cfg.progress = func(format string, a ...any) { fmt.Fprintf(progress, format+"\n", a...) }
	r, err := run(ctx, cfg)
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(out)
}
