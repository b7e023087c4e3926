package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// live shows the progress: one line that is written over on a terminal, else one line a second.
type live struct {
	w        io.Writer
	terminal bool
	quiet    bool
	opts     *options
	clock    clock
	shown    int     // columns of the line on the terminal
	spoke    float64 // when the last line was written, in seconds of the run
}

// isTerminal says whether somebody watches f.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

const barWidth = 24

// bar draws a share from 0 to 1.
func bar(share float64) string {
	full := int(min(max(share, 0), 1) * barWidth)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "]"
}

// show shows a sample. tried is how many connections of the ramp are settled.
func (l *live) show(s *sample, tried, until int64) {
	if l.quiet || s.Phase == phaseDrain {
		return
	}
	if !l.terminal && s.Phase == phaseRamp && s.At-l.spoke < 0.9 && tried < int64(l.opts.n) {
		return
	}
	l.spoke = s.At
	l.line(l.text(s, tried, until))
}

func (l *live) text(s *sample, tried, until int64) string {
	o := l.opts
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1f s  %-7s ", s.At, s.Phase)
	switch {
	case s.Phase == phaseRamp:
		if l.terminal {
			fmt.Fprintf(&b, "%s ", bar(float64(tried)/float64(o.n)))
		}
		fmt.Fprintf(&b, "%s of %s connections, %s/s", formatInt(s.Open), formatInt(int64(o.n)), formatNumber(rounded(s.PerSecond)))
	case o.scenario == idle:
		fmt.Fprintf(&b, "%s connections open", formatInt(s.Open))
	default:
		fmt.Fprintf(&b, "%s %s/s", formatNumber(rounded(s.PerSecond)), o.scenario.unit())
		if o.scenario == churn || o.scenario == storm {
			fmt.Fprintf(&b, ", %s open", formatInt(s.Open))
		}
	}
	if s.Max > 0 {
		fmt.Fprintf(&b, ", p50 %s, p99 %s", formatDuration(float64(s.P50)), formatDuration(float64(s.P99)))
	}
	if s.ServerRSS > 0 {
		fmt.Fprintf(&b, ", server %.2f cores %s", s.ServerCPU, formatBytes(float64(s.ServerRSS)))
	}
	if s.Errors > 0 {
		fmt.Fprintf(&b, ", %s errors", formatInt(s.Errors))
	}
	if l.terminal && s.Phase == phaseRun {
		if left := time.Duration(until - l.clock.now()); left > 0 {
			fmt.Fprintf(&b, ", %.0f s left", left.Seconds())
		}
	}
	return b.String()
}

func rounded(v float64) float64 {
	if v >= 10 {
		return float64(int64(v + 0.5))
	}
	return v
}

// line shows a line of progress.
func (l *live) line(text string) {
	if !l.terminal {
		fmt.Fprintln(l.w, text)
		return
	}
	n := len([]rune(text))
	fmt.Fprintf(l.w, "\r%s%s", text, strings.Repeat(" ", max(0, l.shown-n)))
	l.shown = n
}

// say shows a line that stays.
func (l *live) say(format string, a ...any) {
	l.done()
	fmt.Fprintf(l.w, format+"\n", a...)
}

// done ends the line on the terminal.
func (l *live) done() {
	if l.terminal && l.shown > 0 {
		fmt.Fprintln(l.w)
		l.shown = 0
	}
}
