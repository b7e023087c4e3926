package main

import (
	"fmt"
	"io"
	"strings"
)

// printSummary prints the result for people.
func (r *result) printSummary(w io.Writer) {
	line := func(name, format string, a ...any) {
		fmt.Fprintf(w, "  %-12s "+format+"\n", append([]any{name}, a...)...)
	}
	fmt.Fprintf(w, "\nloadgen %s %s\n", r.Scenario, r.URL)
	if r.Ended != complete {
		fmt.Fprintf(w, "\n  INCOMPLETE: %s. What follows is what was seen until then.\n\n", r.Ended)
	}
	if r.Scenario.ramps() {
		line("connections", "%s of %s ready after %.1f s", formatInt(r.Ready), formatInt(r.Wanted), r.RampTime)
	}
	r.printFigures(line)
	table := func(name string, list []percentile) {
		if len(list) == 0 {
			return
		}
		var parts []string
		for _, p := range list {
			parts = append(parts, percentileName(p.Percentile)+" "+formatDuration(float64(p.Nanos)))
		}
		line(name, "%s", strings.Join(parts, "   "))
	}
	table(strings.TrimPrefix(r.latencyName(), "time to "), r.Percentiles)
	table("connect", r.ConnectPercentiles)
	if t := &r.Total; t.BytesIn+t.BytesOut > 0 {
		line("bytes", "%s in, %s out", formatBytes(float64(t.BytesIn)), formatBytes(float64(t.BytesOut)))
	}
	r.printVerdict(line)
	r.printProcesses(line)
	for _, f := range r.faultList() {
		line("error", "%s x %s: %s", formatInt(f.Count), f.Kind, f.First)
	}
	for _, n := range r.Notes {
		line("note", "%s", n)
	}
	for _, c := range r.Checks {
		verdict := "met"
		if !c.Met {
			verdict = "MISSED"
		}
		line("threshold", "-%s %s: %s, %s", c.Name, c.Limit, c.Figure, verdict)
	}
}

func percentileName(p float64) string {
	if p == 100 {
		return "max"
	}
	return fmt.Sprintf("p%v", p)
}

func (r *result) printFigures(line func(name, format string, a ...any)) {
	t := &r.Measured
	switch {
	case r.Scenario.fansOut():
		line("deliveries", "%s in %.1f s, %s/s, of %s messages", formatInt(t.Delivered), r.Seconds, formatNumber(rounded(r.PerSecond)), formatInt(t.Sent))
	case r.Scenario == negotiate:
		line("negotiated", "%s in %.1f s, %s/s", formatInt(t.Answered), r.Seconds, formatNumber(rounded(r.PerSecond)))
	case r.Scenario == echo:
		line("messages", "%s in %.1f s, %s/s", formatInt(t.Answered), r.Seconds, formatNumber(rounded(r.PerSecond)))
	case r.Scenario == idle:
		line("held", "%.1f s, %s connections lost", r.Seconds, formatInt(t.Cut))
	default:
		line("connected", "%s in %.1f s, %s/s", formatInt(t.Connected), r.Seconds, formatNumber(rounded(r.PerSecond)))
	}
	if r.Scenario == slow {
		line("slow", "%s deliveries to slow readers; %s of these were cut off", formatInt(r.Total.SlowTaken), formatInt(r.Total.SlowCut))
	}
}

func (r *result) printVerdict(line func(name, format string, a ...any)) {
	if !r.Scenario.answers() {
		return
	}
	t := &r.Total
	how := "checked"
	if !r.Checked {
		how = "counted only"
	}
	if r.Scenario == negotiate {
		line("answers", "%s lost, %s lost with their connection; %s tokens given twice (%s)", formatInt(r.LostLiving), formatInt(r.LostCut), formatInt(t.Duplicates), how)
		return
	}
	line("delivery", "%s lost, %s lost with their connection, %s twice, %s overtaken (%s)", formatInt(r.LostLiving), formatInt(r.LostCut), formatInt(t.Duplicates), formatInt(t.Overtaken), how)
}

func (r *result) printProcesses(line func(name, format string, a ...any)) {
	if s := r.Server; s != nil {
		text := fmt.Sprintf("%s (%d): %.3f cores", s.Name, s.PID, s.Cores)
		if s.MicrosPerUnit > 0 && r.Scenario != idle {
			text += fmt.Sprintf(", %s CPU-µs per %s", formatNumber(s.MicrosPerUnit), singular(r.Unit))
		}
		if s.MicrosPerCall > 0 {
			text += fmt.Sprintf(", %s per message", formatNumber(s.MicrosPerCall))
		}
		if s.BytesPerConnection != nil {
			text += fmt.Sprintf(", %s B per connection", formatNumber(rounded(*s.BytesPerConnection)))
		}
		line("server", "%s, %s before, %s at most", text, formatBytes(float64(s.RSSBefore)), formatBytes(float64(s.RSSMax)))
	}
	text := fmt.Sprintf("%.2f of %.0f cores", r.Client.Cores, r.Client.Available)
	if r.Total.Lag.count() > 0 {
		text += ", sends late by p99 " + formatDuration(float64(r.Client.LagP99))
	}
	if r.Client.Others >= 0 {
		text += fmt.Sprintf("; other processes %.2f cores", r.Client.Others)
	}
	line("client", "%s", text)
}

// singular of the units.
func singular(unit string) string {
	if unit == "deliveries" {
		return "delivery"
	}
	return strings.TrimSuffix(unit, "s")
}
