package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bench is one comparison.
type bench struct {
	opts    *options
	work    string // a temporary directory: binaries and what loadgen writes
	log     io.Writer
	pin     func(client bool) []string
	servers []server
	left    []string // what was left out, and why
}

func (b *bench) say(format string, a ...any) { fmt.Fprintf(b.log, "compare: "+format+"\n", a...) }

// leave notes that something is not measured.
func (b *bench) leave(what string, err error) {
	b.say("without %s: %v", what, err)
	b.left = append(b.left, fmt.Sprintf("%s: %s", what, firstLine(err.Error())))
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// sample is what one run has shown for one figure.
type sample struct {
	Value float64 `json:"value"`
	Ratio float64 `json:"ratio,omitempty"` // to the reference in the same round; 0: there is none
	Rate  float64 `json:"perSecond,omitempty"`
	Cores float64 `json:"serverCores,omitempty"`
	P99   float64 `json:"p99ms,omitempty"`
	Note  string  `json:"note,omitempty"`
	Error string  `json:"error,omitempty"` // why the run is no figure
}

// row is a server's samples for a figure, by round.
type row struct {
	Server  string   `json:"server"`
	Title   string   `json:"title"`
	Ours    bool     `json:"ours,omitempty"`
	Command string   `json:"command"`
	Samples []sample `json:"samples"`
}

// figure is what was measured for a part of an experiment.
type figure struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Unit  string `json:"unit"`
	Rows  []row  `json:"rows"`

	part *part
}

// values are those of the runs that count. Only a value can be 0: the others have then not been measured.
func (r *row) values(of func(*sample) float64) []float64 {
	var v []float64
	for i := range r.Samples {
		if s := &r.Samples[i]; s.Error == "" {
			if x := of(s); x != 0 {
				v = append(v, x)
			}
		}
	}
	return v
}

// all are the values of the runs that count.
func (r *row) all() []float64 {
	var v []float64
	for i := range r.Samples {
		if s := &r.Samples[i]; s.Error == "" {
			v = append(v, s.Value)
		}
	}
	return v
}

func (r *row) value() float64    { return median(r.all()) }
func (r *row) ratios() []float64 { return r.values(func(s *sample) float64 { return s.Ratio }) }
func (r *row) ratio() float64    { return median(r.ratios()) }

// row finds a server's row; nil: it has none.
func (f *figure) row(server string) *row {
	for i := range f.Rows {
		if f.Rows[i].Server == server {
			return &f.Rows[i]
		}
	}
	return nil
}

// measure makes all runs that r does not have yet, and keeps r after each. It stops early when ctx ends.
func (b *bench) measure(ctx context.Context, r *results) error {
	var cells []cell
	for _, c := range b.plan() {
		if !r.has(&c) {
			cells = append(cells, c)
		}
	}
	guess := &forecast{b: b, took: map[string]time.Duration{}}
	b.say("%d runs, about %s", len(cells), timeLeft(guess.left(cells)))
	for i := range cells {
		c := &cells[i]
		began := time.Now()
		samples, command := b.sample(ctx, c.e, c.s)
		if ctx.Err() != nil {
			break // half a run is none
		}
		guess.took[c.key()] = time.Since(began)
		for k := range c.e.parts {
			f := r.figure(&c.e.parts[k])
			f.add(c.s, command, samples[k])
			f.compare(c.round)
			b.tell(f, c, &samples[k], fmt.Sprintf("run %d of %d, %s left", i+1, len(cells), timeLeft(guess.left(cells[i+1:]))))
		}
		if err := r.keep(b.partial()); err != nil {
			return err
		}
	}
	if b.simulates() && ctx.Err() == nil && r.Million == "" {
		b.million(ctx, r)
	}
	r.Left = b.left
	r.Ended = time.Now().UTC().Truncate(time.Second)
	return nil
}

func (b *bench) tell(f *figure, c *cell, x *sample, progress string) {
	text := formatValue(x.Value) + " " + f.Unit
	if x.Error != "" {
		text = "no figure: " + firstLine(x.Error)
	} else if x.Note != "" {
		text += " (" + x.Note + ")"
	}
	b.say("%s, round %d of %d: %s: %s (%s)", f.Name, c.round+1, c.rounds, c.s.title, text, progress)
}

func (f *figure) add(s *server, command string, x sample) {
	r := f.row(s.name)
	if r == nil {
		f.Rows = append(f.Rows, row{Server: s.name, Title: s.title, Ours: s.ours, Command: command})
		r = &f.Rows[len(f.Rows)-1]
	}
	r.Samples = append(r.Samples, x)
}

// compare computes the ratios of a round.
func (f *figure) compare(round int) {
	ref := f.row(f.part.reference)
	if ref == nil || round >= len(ref.Samples) || ref.Samples[round].Error != "" || ref.Samples[round].Value == 0 {
		return
	}
	for i := range f.Rows {
		if r := &f.Rows[i]; round < len(r.Samples) && r.Samples[round].Error == "" {
			r.Samples[round].Ratio = r.Samples[round].Value / ref.Samples[round].Value
		}
	}
}

// sample makes one run: a fresh server, one load. There is a sample for each part of the experiment.
func (b *bench) sample(ctx context.Context, e *experiment, s *server) (list []sample, command string) {
	var err error
	if e.idle {
		list, command, err = b.idle(ctx, s)
	} else {
		list, command, err = b.loaded(ctx, e, s)
	}
	if err != nil {
		list = make([]sample, len(e.parts))
		for i := range list {
			list[i] = sample{Error: err.Error()}
		}
	}
	return list, command
}

func (b *bench) loaded(ctx context.Context, e *experiment, s *server) ([]sample, string, error) {
	l := e.load(b, s)
	command := l.describe()
	srv, err := b.serve(ctx, s)
	if err != nil {
		return nil, command, err
	}
	defer srv.stop()
	res, err := b.drive(ctx, s, srv, l)
	if err != nil {
		return nil, command, err
	}
	note, err := res.judge()
	if err != nil {
		return nil, command, err
	}
	var list []sample
	for i := range e.parts {
		list = append(list, sample{
			Value: e.parts[i].value(res), Rate: res.PerSecond, Cores: res.Server.CPUSeconds / res.Seconds, P99: p99Millis(res), Note: note,
		})
	}
	return list, command, nil
}

// median of the runs; NaN when there is none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := append([]float64(nil), v...)
	for i := range s { // a handful
		for k := i; k > 0 && s[k] < s[k-1]; k-- {
			s[k], s[k-1] = s[k-1], s[k]
		}
	}
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

const millionTimeout = 10 * time.Minute

// million takes the output of the simulation into the results.
func (b *bench) million(ctx context.Context, r *results) {
	const what = "benchmarks/million"
	if _, err := os.Stat(filepath.Join(b.opts.root, what)); err != nil {
		b.leave(what, err)
		return
	}
	if err := b.goBuild(ctx, b.opts.root, "./"+what); err != nil {
		b.leave(what, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, millionTimeout)
	defer cancel()
	b.say("a million, simulated")
	cmd := exec.CommandContext(ctx, b.binary(millionName))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, lastLines(exit.Stderr, 3))
		}
		b.leave(what, err)
		return
	}
	const most = 64 << 10
	r.Million = strings.TrimSpace(string(out[:min(len(out), most)]))
}
