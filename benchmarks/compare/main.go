// Command compare measures Spoke against benchmarks/limit and benchmarks/peers on this machine and writes RESULTS.md with its
// chart. `make bench` runs it.
//
// The servers of a figure run in turn, A B C A B C …, each in a fresh process on one core with GOMAXPROCS=1, the load client on
// another. What is compared is the server's CPU time per message as a ratio to the limit in the same round: this is what survives a
// noisy machine. The figure is the median of the rounds. A run that did not come to its end, or in which more than one message in
// a thousand was lost, is no figure: the results say so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	root       string // of the repository
	rounds     int
	duration   time.Duration // of one measurement
	hold       time.Duration // of the idle connections
	quick      bool
	only       list
	servers    list
	out        string
	resume     bool
	serverCPU  int
	clientCPU  int
	outGiven   bool
	commandRun string // this command, for the results
}

// whole says that all figures of all servers are measured, so that the results are those of the repository.
func (o *options) whole() bool { return !o.quick && len(o.only)+len(o.servers) == 0 }

// list is a flag of names separated by commas; empty: all.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = nil
	for n := range strings.SplitSeq(s, ",") {
		if n = strings.TrimSpace(n); n != "" {
			*l = append(*l, n)
		}
	}
	return nil
}

func (l list) has(name string) bool {
	for _, n := range l {
		if n == name {
			return true
		}
	}
	return len(l) == 0
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == centrifugeCommand {
		if err := centrifugeLoad(os.Args[2:]); err != nil {
			fmt.Fprintf(os.Stderr, "compare: %v\n", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func parseOptions(args []string, usage io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.rounds, "rounds", 3, "how often each server is measured for each figure")
	fs.DurationVar(&o.duration, "duration", time.Second, "length of one measurement, after a second of warm-up, or the time of 20 messages to each of many receivers")
	fs.DurationVar(&o.hold, "hold", 15*time.Second, "how long idle connections are held while the CPU time is taken")
	fs.BoolVar(&o.quick, "quick", false, "one short round with few connections: shows that everything runs; its figures mean nothing")
	fs.Var(&o.only, "only", "`figures` to measure, separated by commas (default: all): "+strings.Join(experimentNames(), ", "))
	fs.Var(&o.servers, "servers", "`servers` to measure, separated by commas (default: all that can be built): "+strings.Join(serverNames(), ", "))
	fs.StringVar(&o.out, "out", "", "`directory` for RESULTS.md, results.svg and results.json (default: benchmarks; with -quick, -only or -servers .out/compare)")
	fs.BoolVar(&o.resume, "resume", false, "go on with a comparison of the same flags and commit that was interrupted: it has left what it had measured in the directory "+partialDir+" within that of -out")
	fs.IntVar(&o.serverCPU, "server-cpu", 0, "processor of the servers; -1: not pinned")
	fs.IntVar(&o.clientCPU, "client-cpu", 1, "processor of the load client; -1: not pinned")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(usage, "compare measures Spoke, its limit and its peers, and writes RESULTS.md.\n\nFlags:\n")
			fs.SetOutput(usage)
			fs.PrintDefaults()
		}
		return nil, err
	}
	var problems []error
	bad := func(format string, a ...any) { problems = append(problems, fmt.Errorf(format, a...)) }
	if fs.NArg() > 0 {
		bad("unexpected argument %q: compare takes flags only", fs.Arg(0))
	}
	if o.rounds < 1 || o.rounds > 100 {
		bad("-rounds is %d: 1 to 100 is expected", o.rounds)
	}
	if o.duration < 100*time.Millisecond || o.duration > 10*time.Minute {
		bad("-duration is %v: 100ms to 10m is expected", o.duration)
	}
	if o.hold < 100*time.Millisecond || o.hold > time.Hour {
		bad("-hold is %v: 100ms to 1h is expected", o.hold)
	}
	for _, c := range []struct {
		name string
		cpu  int
	}{{"server-cpu", o.serverCPU}, {"client-cpu", o.clientCPU}} {
		if c.cpu < -1 || c.cpu > 4095 {
			bad("-%s is %d: a processor's number, or -1, is expected", c.name, c.cpu)
		}
	}
	known := func(flagName string, given list, names []string) {
		for _, n := range given {
			if !list(names).has(n) {
				bad("-%s: %q is unknown; there are %s", flagName, n, strings.Join(names, ", "))
			}
		}
	}
	known("only", o.only, experimentNames())
	known("servers", o.servers, serverNames())
	o.outGiven = o.out != ""
	o.commandRun = "go run ./benchmarks/compare"
	for _, a := range args {
		if a != "-resume" && a != "--resume" {
			o.commandRun += " " + a
		}
	}
	return o, errors.Join(problems...)
}

// run is the whole program: build, measure, write.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stdout)
	if err != nil {
		return err
	}
	if o.root, err = findRoot(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "spoke-compare-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if o.out == "" {
		o.out = filepath.Join(o.root, "benchmarks")
		if !o.whole() {
			o.out = filepath.Join(o.root, ".out", "compare") // a part must not replace the whole
		}
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	b := &bench{opts: o, work: work, log: stderr, pin: pinning(o)}
	if err := b.checkMachine(); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	r := b.newResults()
	if o.resume {
		if err := r.resume(b.partial()); err != nil {
			return err
		}
	}
	if err := b.measure(ctx, r); err != nil {
		return err
	}
	if ctx.Err() != nil {
		if err := r.write(b.partial()); err != nil {
			return err
		}
		return fmt.Errorf("interrupted: %s holds what was measured until then, and -resume goes on", filepath.Join(b.partial(), resultsFile))
	}
	if err := r.write(o.out); err != nil {
		return err
	}
	if o.whole() && !o.outGiven {
		if err := r.writeReadme(filepath.Join(o.root, readmeFile)); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "%s\n", filepath.Join(o.out, resultsFile))
	return errors.Join(os.RemoveAll(b.partial()), r.failure())
}

// partial is where a comparison keeps what it has measured until it comes to its end.
func (b *bench) partial() string { return filepath.Join(b.opts.out, partialDir) }

// findRoot is the directory of this module.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		b, err := os.ReadFile(filepath.Join(d, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/spokehub/spoke\n") {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%s is not inside the repository of github.com/spokehub/spoke", dir)
		}
	}
}
