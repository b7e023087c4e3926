package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spokehub/spoke/internal/procfs"
)

// program is what a run gets from its surroundings.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        <-chan os.Signal
}

// The exit codes.
const (
	exitGood   = 0
	exitMissed = 1 // a threshold was missed
	exitUsage  = 2
	exitFailed = 3 // the run could not be made, or did not come to its end
)

// run is the whole program.
func run(args []string, p program) int {
	o, err := parseOptions(args, p.stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitGood
	case err != nil:
		fmt.Fprintf(p.stderr, "loadgen: %v\n", err)
		fmt.Fprintln(p.stderr, "Run loadgen -h for the scenarios, loadgen <scenario> -h for the flags of one.")
		return exitUsage
	}
	if o.child != "" {
		return runChild(o, p)
	}
	p.stderr = inTurns(p.stderr)
	r, err := load(o, args, p)
	if err != nil {
		fmt.Fprintf(p.stderr, "loadgen: %v\n", err)
		return exitFailed
	}
	code := exitGood
	for _, c := range r.Checks {
		if !c.Met {
			code = exitMissed
		}
	}
	if r.Ended != complete {
		code = exitFailed
	}
	r.printSummary(p.stdout)
	if err := r.writeFiles(o); err != nil {
		fmt.Fprintf(p.stderr, "loadgen: %v\n", err)
		code = exitFailed
	}
	return code
}

// inTurns makes w fit for the progress and for the child processes' messages at a time. A file is: their descriptor is its own.
func inTurns(w io.Writer) io.Writer {
	if _, ok := w.(*os.File); ok {
		return w
	}
	return &turnWriter{w: w}
}

type turnWriter struct {
	mu sync.Mutex
	w  io.Writer // under mu
}

// Write implements io.Writer.
func (t *turnWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}

// writeFiles writes what -json and -html ask for.
func (r *result) writeFiles(o *options) error {
	var errs []error
	if o.jsonFile != "" {
		errs = append(errs, r.write(o.jsonFile))
	}
	if o.htmlFile != "" {
		errs = append(errs, r.writeHTML(o.htmlFile))
	}
	return errors.Join(errs...)
}

// load makes a run. The error is of what was wrong before it began; how it ended is in the result.
func load(o *options, args []string, p program) (*result, error) {
	if err := o.checkFiles(); err != nil {
		return nil, err
	}
	if err := reach(o); err != nil {
		return nil, err
	}
	r := &result{
		Scenario: o.scenario, URL: o.url, Began: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Settings: o.flags,
		Unit: o.scenario.unit(), Wanted: int64(o.n), Checked: o.check,
	}
	co := &coordinator{
		opts: o, reports: make(chan report, 64), signals: p.signals, clock: newClock(), result: r,
	}
	co.live = &live{w: p.stderr, terminal: isTerminal(p.stderr), quiet: o.quiet, opts: o, clock: co.clock}
	if o.serverPID > 0 {
		srv, err := procfs.Open(o.serverPID)
		if err != nil {
			return nil, fmt.Errorf("-server-pid %d: %w", o.serverPID, err)
		}
		co.server = srv
		r.Server = &serverUse{PID: o.serverPID, Name: srv.Name()}
	}
	for i := range o.procs {
		var h *handle
		var err error
		if o.procs == 1 {
			h, err = startLocal(o, co.reports)
		} else {
			h, err = startChild(i, o.procs, args, p.stderr, co.reports)
		}
		if err != nil {
			for _, w := range co.workers {
				w.send(command{Do: doQuit})
				w.wait()
			}
			return nil, err
		}
		co.workers = append(co.workers, h)
	}
	co.run()
	return r, nil
}

// reach makes one TCP connection, to say plainly when there is no server.
func reach(o *options) error {
	to, err := o.target.resolve()
	if err != nil {
		return fmt.Errorf("cannot find the server: %w", err)
	}
	nc, err := net.DialTimeout("tcp", to.String(), o.connectTime)
	if err != nil {
		return fmt.Errorf("cannot connect to the server at %s: %w; is it running?", to, err)
	}
	secured, err := o.tls.shake(context.Background(), nc, o.connectTime)
	if err != nil {
		return fmt.Errorf("the server at %s does not agree on TLS: %w; -ca FILE says whom to trust, -insecure trusts anybody", to, err)
	}
	return secured.Close()
}
