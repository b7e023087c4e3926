// Command golden replays recorded exchanges against a running SignalR server and says where its answers differ.
//
//	go run ./interop/golden [-parallel N] [-expect FILE] [-bytes] [-v] URL [scenario…]
//	go run ./interop/golden -list
//
// URL is http://host:port of a server that serves the hubs of testdata/README.md, for example that of interop/probe. A scenario may be given
// as a pattern, such as 'ws-*'. The exit code is 1 when a scenario fails and 2 when the command line is wrong.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path"
	"syscall"

	"github.com/spokehub/spoke/interop/golden/replay"
)

//go:embed testdata/*.jsonl
var corpus embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	fs := flag.NewFlagSet("golden", flag.ContinueOnError)
	fs.SetOutput(errs)
	parallel := fs.Int("parallel", 16, "scenarios at a time")
	list := fs.Bool("list", false, "list the scenarios and end")
	verbose := fs.Bool("v", false, "tell every scenario, not failures alone")
	expect := fs.String("expect", "", "file that lists the scenarios not expected to pass")
	bytes := fs.Bool("bytes", false, "compare byte for byte, not by value")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	all, err := replay.Load(corpus, "testdata")
	if err != nil {
		return fail(errs, err)
	}
	if *list {
		for _, sc := range all {
			fmt.Fprintf(out, "%s\t%s\t%s\n", sc.Name, sc.Hub, sc.About)
		}
		return 0
	}
	if fs.NArg() == 0 || *parallel < 1 {
		return fail(errs, errors.New("want a URL such as http://127.0.0.1:8080 and -parallel of at least 1"))
	}
	u, err := url.Parse(fs.Arg(0))
	if err != nil || u.Scheme != "http" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return fail(errs, fmt.Errorf("%q: want http://host:port and nothing behind it", fs.Arg(0)))
	}
	chosen, err := choose(all, fs.Args()[1:])
	if err != nil {
		return fail(errs, err)
	}
	suite := replay.Suite{Target: replay.TCP(address(u)), Options: replay.Options{Bytes: *bytes}, Parallel: *parallel}
	suite.Target.Host = u.Host
	if *expect != "" {
		if suite.Expect, err = readExpectations(*expect, all); err != nil {
			return fail(errs, err)
		}
	}
	counts := suite.Run(ctx, chosen, func(r replay.Result) {
		if r.Outcome == replay.Failed || r.Runs > 1 || *verbose {
			fmt.Fprint(out, report(r))
		}
	})
	fmt.Fprintln(out, replay.Summary(counts))
	if counts[replay.Failed] > 0 {
		return 1
	}
	return 0
}

func fail(errs io.Writer, err error) int {
	fmt.Fprintln(errs, "golden:", err)
	return 2
}

// address is the host and port to connect to.
func address(u *url.URL) string {
	if u.Port() == "" {
		return u.Host + ":80"
	}
	return u.Host
}

func readExpectations(file string, all []*replay.Scenario) (*replay.Expectations, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	e, err := replay.ReadExpectations(f, all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return e, nil
}

// choose selects scenarios by name or pattern; none given: all.
func choose(all []*replay.Scenario, patterns []string) ([]*replay.Scenario, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	var chosen []*replay.Scenario
	found := make([]bool, len(patterns))
	for _, sc := range all {
		takes := false
		for i, pattern := range patterns {
			ok, err := path.Match(pattern, sc.Name)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", pattern, err)
			}
			if ok {
				found[i], takes = true, true
			}
		}
		if takes {
			chosen = append(chosen, sc)
		}
	}
	for i, ok := range found {
		if !ok {
			return nil, fmt.Errorf("there is no scenario %q; -list shows them", patterns[i])
		}
	}
	return chosen, nil
}

// report is one result for a reader.
func report(r replay.Result) string {
	text := fmt.Sprintf("%s: %s", r.Scenario.Name, r.Outcome)
	if r.Why != "" {
		text += ": " + r.Why
	}
	if r.Runs > 1 {
		text += fmt.Sprintf(" (played %d times, since something came too early)", r.Runs)
	}
	if r.Diff != nil {
		text += "\n  " + r.Diff.String()
	}
	return text + "\n"
}
