package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// A coordinator drives workers by commands; they answer with reports. Between processes both are lines of JSON, on the
// worker's standard input and output.

// command is what a worker is told to do.
type command struct {
	Do    string  `json:"do"`
	Run   uint32  `json:"run,omitempty"`   // of ramp
	Start int64   `json:"start,omitempty"` // of begin: nanoseconds since 1970
	From  int64   `json:"from,omitempty"`
	Until int64   `json:"until,omitempty"`
	Sent  []int64 `json:"sent,omitempty"` // of drain: by publisher
}

// The commands, in the order of a run. A tick may come at any time.
const (
	doRamp  = "ramp"
	doTick  = "tick"
	doBegin = "begin"
	doEnd   = "end"
	doDrain = "drain"
	doQuit  = "quit"
)

// report is what a worker answers.
type report struct {
	Is    string      `json:"is"`
	Tally *tally      `json:"tally,omitempty"`
	Gauge gauge       `json:"gauge"`
	Sent  []sentCount `json:"sent,omitempty"`
	Error string      `json:"error,omitempty"`

	from int // the worker's number
}

// The reports.
const (
	isRamped  = "ramped"
	isTick    = "tick"
	isBack    = "back" // all clients have come back from the storm
	isEnded   = "ended"
	isDrained = "drained"
	isFailed  = "failed" // the worker cannot go on
)

// serve does what the commands say until they end. Reports come in any order; each command but quit has one.
func (w *worker) serve(commands <-chan command, reports func(report)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var jobs sync.WaitGroup
	defer func() {
		cancel()
		jobs.Wait()
		w.close()
	}()
	rampCtx, stopRamp := context.WithCancel(ctx)
	defer stopRamp()
	for c := range commands {
		switch c.Do {
		case doRamp:
			w.run = c.Run
			jobs.Go(func() {
				w.ramp(rampCtx)
				reports(report{Is: isRamped})
			})
		case doTick:
			t, g := w.snapshot()
			reports(report{Is: isTick, Tally: t, Gauge: g})
		case doBegin:
			w.begin(c.Start, c.From, c.Until)
			if w.opts.scenario == storm {
				jobs.Go(func() {
					for !w.back() {
						select {
						case <-ctx.Done():
							return
						case <-w.note:
						}
					}
					reports(report{Is: isBack})
				})
			}
		case doEnd:
			stopRamp()
			reports(report{Is: isEnded, Sent: w.end()})
		case doDrain:
			jobs.Go(func() {
				if w.opts.scenario == churn {
					reports(report{Is: isDrained, Gauge: gauge{UnderWay: w.settle(ctx)}})
					return
				}
				living, ended := w.drain(ctx, c.Sent)
				reports(report{Is: isDrained, Gauge: gauge{Lost: living, LostCut: ended}})
			})
		case doQuit:
			return
		}
	}
}

// handle is a coordinator's hold on a worker.
type handle struct {
	send func(command)
	wait func() // until it has ended; after quit
}

// startLocal runs a worker in this process.
func startLocal(o *options, reports chan<- report) (*handle, error) {
	w, err := newWorker(o, 0, 1)
	if err != nil {
		return nil, err
	}
	commands := make(chan command, 16)
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(done)
		w.serve(commands, func(r report) {
			select {
			case reports <- r:
			case <-stopped:
			}
		})
	}()
	return &handle{
		send: func(c command) {
			select {
			case commands <- c:
			case <-done:
			}
		},
		wait: sync.OnceFunc(func() { close(stopped); <-done }),
	}, nil
}

// startChild runs the i-th worker of n in a process of its own: this program with the same arguments.
func startChild(i, n int, args []string, stderr io.Writer, reports chan<- report) (*handle, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := append([]string{args[0], fmt.Sprintf("-child=%d/%d", i, n)}, args[1:]...)
	cmd := exec.Command(self, child...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.Stderr = stderr
	cmd.SysProcAttr = childAttributes()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("process %d of %d: %w", i+1, n, err)
	}
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(done)
		deliver := func(r report) {
			r.from = i
			select {
			case reports <- r:
			case <-stopped:
			}
		}
		dec := json.NewDecoder(bufio.NewReaderSize(out, 64<<10))
		for {
			var r report
			if err := dec.Decode(&r); err != nil {
				err = errors.Join(ignoreEOF(err), cmd.Wait())
				text := "it ended"
				if err != nil {
					text = err.Error()
				}
				deliver(report{Is: isFailed, Error: fmt.Sprintf("process %d of %d: %s", i+1, n, text)})
				return
			}
			deliver(r)
		}
	}()
	enc := json.NewEncoder(in)
	return &handle{
		send: func(c command) { _ = enc.Encode(c) }, // a process that has gone is reported above
		wait: sync.OnceFunc(func() { close(stopped); _ = in.Close(); <-done }),
	}, nil
}

// childVariable is set for child processes. They behave the same without it; tests tell by it that they are one.
const childVariable = "LOADGEN_CHILD"

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// runChild is the whole life of a child process.
func runChild(o *options, p program) int {
	i, n, err := o.childIndex()
	if err != nil {
		fmt.Fprintf(p.stderr, "loadgen: %v\n", err)
		return exitUsage
	}
	var mu sync.Mutex
	enc := json.NewEncoder(p.stdout)
	say := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		_ = enc.Encode(r) // the parent has gone: the commands end, too
	}
	w, err := newWorker(o, i, n)
	if err != nil {
		say(report{Is: isFailed, Error: err.Error()})
		return exitFailed
	}
	commands := make(chan command)
	go func() {
		defer close(commands)
		dec := json.NewDecoder(p.stdin)
		for {
			var c command
			if dec.Decode(&c) != nil {
				return
			}
			commands <- c
		}
	}()
	w.serve(commands, say)
	return exitGood
}
