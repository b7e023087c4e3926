// Command crosscheck holds the numbers of cmd/loadgen against others: its rate and latency of plain HTTP negotiates against wrk's where
// the server sets the speed, and its rate at full speed and what it has counted against the server's own counters. `make crosscheck` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	root        string // of the repository
	wrk         string // the program; "": there is none
	connections int
	rounds      int
	duration    time.Duration
	tolerance   float64
	serverCPU   int
	clientCPU   int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "crosscheck: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func parseOptions(args []string, usage io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("crosscheck", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.root, "root", ".", "`directory` of the repository")
	fs.StringVar(&o.wrk, "wrk", "wrk", "`program` to compare with; empty: only the counters are compared")
	fs.IntVar(&o.connections, "n", 1000, fmt.Sprintf("connections of each client; against the paced server there are %d", pacedConnections))
	fs.IntVar(&o.rounds, "rounds", 7, "how often each client runs, in turn; the median of their ratios counts")
	fs.DurationVar(&o.duration, "duration", 2*time.Second, "length of a run")
	fs.Float64Var(&o.tolerance, "tolerance", 0.05, "share by which rates and latencies may differ")
	fs.IntVar(&o.serverCPU, "server-cpu", 0, "processor of the server; -1: not pinned")
	fs.IntVar(&o.clientCPU, "client-cpu", 1, "processor of the clients; -1: not pinned")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(usage, "crosscheck compares what loadgen says with wrk and with the server's counters.\n\nFlags:\n")
			fs.SetOutput(usage)
			fs.PrintDefaults()
		}
		return nil, err
	}
	var problems []error
	bad := func(format string, a ...any) { problems = append(problems, fmt.Errorf(format, a...)) }
	if fs.NArg() > 0 {
		bad("unexpected argument %q: crosscheck takes flags only", fs.Arg(0))
	}
	if o.connections < 2 || o.connections > 10_000 {
		bad("-n is %d: 2 to 10000 is expected", o.connections)
	}
	if o.rounds < 1 || o.rounds > 100 {
		bad("-rounds is %d: 1 to 100 is expected", o.rounds)
	}
	if o.duration < time.Second || o.duration > time.Minute || o.duration%time.Second != 0 {
		bad("-duration is %v: whole seconds, which is what wrk takes, from 1s to 1m are expected", o.duration)
	}
	if !(o.tolerance > 0 && o.tolerance < 1) {
		bad("-tolerance is %v: more than 0 and less than 1 is expected", o.tolerance)
	}
	if o.wrk != "" {
		if _, err := exec.LookPath(o.wrk); err != nil {
			bad("-wrk: %w; scripts/wrk.sh installs it", err)
		}
	}
	return o, errors.Join(problems...)
}

// bench is one comparison.
type bench struct {
	*options
	work string // a temporary directory: binaries and what loadgen writes
	out  io.Writer
}

func (b *bench) say(format string, a ...any) { fmt.Fprintf(b.out, format+"\n", a...) }

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args, out)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "crosscheck")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	b := &bench{options: o, work: work, out: out}
	build := exec.CommandContext(ctx, "go", "build", "-o", work+string(filepath.Separator), "./cmd/spoked", "./cmd/loadgen")
	build.Dir = o.root
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, text)
	}
	var problems []error
	if o.wrk == "" {
		b.say("The rates are not compared: there is no wrk.")
	} else {
		if err := b.writeScript(); err != nil {
			return err
		}
		problems = append(problems, b.comparePaced(ctx))
		if ctx.Err() == nil {
			problems = append(problems, b.compareSaturated(ctx))
		}
	}
	if ctx.Err() == nil {
		problems = append(problems, b.compareDeliveries(ctx))
	}
	if ctx.Err() == nil {
		problems = append(problems, b.compareChurn(ctx))
	}
	return errors.Join(append(problems, ctx.Err())...)
}
