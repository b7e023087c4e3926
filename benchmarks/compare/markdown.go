package main

import (
	"cmp"
	"fmt"
	"math"
	"strings"
)

// markdown is RESULTS.md.
func (r *results) markdown() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	p("# Results\n\n")
	if r.Quick {
		p("**A smoke run (`-quick`): it shows that everything runs. Its figures mean nothing.**\n\n")
	}
	p("Made by `%s` at commit %s from %s to %s; `make bench` makes it anew. How it is measured, and the servers, are at the end.\n", r.Command, r.Commit,
		r.Began.Format("2006-01-02 15:04 UTC"), r.Ended.Format("2006-01-02 15:04 UTC"))
	if r.Resumed > 0 {
		p("It was interrupted and went on %d times.\n", r.Resumed)
	}
	p("What survives a noisy machine is the server's CPU time per message as a ratio to the limit in the same round; differences below 10 %% mean nothing.\n\n")
	r.writeBars(p)
	r.writePeers(p)
	if r.hasChart() {
		p("![CPU time per message as a ratio to the limit](%s)\n\n", chartFile)
	}
	r.writeFigures(p)
	if r.Million != "" {
		p("## A million connections, simulated\n\n`go run ./benchmarks/million`:\n\n```\n%s\n```\n\n", r.Million)
	}
	r.writeMethod(p)
	return b.String()
}

type printer func(format string, a ...any)

// judged is the row that the bars are for.
func (f *figure) judged() *row { return f.row(cmp.Or(f.part.judged, oursName)) }

// writeBars is the table of issue 4.
func (r *results) writeBars(p printer) {
	p("## The bars\n\nMedians; in brackets the least and the most of the rounds. A bar that names another server than the limit has that one in the limit's column.\n\n| Figure | Bar | Spoke | Limit | Spoke ÷ limit | |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, f := range r.Figures {
		if len(f.part.bars) == 0 {
			continue
		}
		var bars []string
		for _, x := range f.part.bars {
			bars = append(bars, x.text(f.part))
		}
		reference := cmp.Or(f.part.reference, limitName)
		p("| %s | %s | %s | %s | %s | %s |\n", f.Title, strings.Join(bars, " and "), f.cell(f.judged()), f.cell(f.row(reference)), ratioCell(f.judged()), f.verdict())
	}
	p("\nHeap allocations per message and per delivery are 0: ordinary tests assert it (`go test -run Alloc ./benchmarks ./engine ./ws ./codec ./hubrt`).\n\n")
}

// verdict says whether Spoke meets the bars.
func (f *figure) verdict() string {
	w := f.judged()
	if w == nil || math.IsNaN(w.value()) {
		return "not measured"
	}
	for _, b := range f.part.bars {
		if b.ratio && math.IsNaN(w.ratio()) {
			return "not measured"
		}
		if !b.met(w.value(), w.ratio()) {
			return "**missed**"
		}
	}
	return "met"
}

// cell is a value with its unit.
func (f *figure) cell(w *row) string {
	if w == nil || math.IsNaN(w.value()) {
		return "–"
	}
	return formatValue(w.value()) + " " + f.Unit + spreadCell(w.all(), formatValue)
}

func ratioCell(w *row) string {
	if w == nil || math.IsNaN(w.ratio()) {
		return "–"
	}
	return twoDigits(w.ratio()) + spreadCell(w.ratios(), twoDigits)
}

func twoDigits(v float64) string { return fmt.Sprintf("%.2f", v) }

// spreadCell has the least and the most of several values.
func spreadCell(v []float64, format func(float64) string) string {
	if len(v) < 2 {
		return ""
	}
	least, most := spread(v)
	return " (" + format(least) + " to " + format(most) + ")"
}

// writePeers is the table of all servers.
func (r *results) writePeers(p printer) {
	p("## The field\n\nMedians; in brackets the ratio to the limit (of the burst: to the coalescing limit; of event streams: to Spoke's WebSockets) in the same round. Those with an asterisk move raw WebSocket frames and know no hub protocol: it is the least that they can cost.\n\n")
	var names []string
	for _, s := range r.Servers {
		names = append(names, s.Name)
	}
	r.writeField(p, names, r.Figures)
	p("\n")
}

// writeField is a table of figures by server.
func (r *results) writeField(p printer, names []string, figures []*figure) {
	p("| Figure |")
	for _, n := range names {
		p(" %s%s |", titleOf(n), r.asterisk(n))
	}
	p("\n| --- |%s\n", strings.Repeat(" --- |", len(names)))
	for _, f := range figures {
		p("| %s, %s |", f.Title, f.Unit)
		for _, n := range names {
			w := f.row(n)
			switch {
			case w == nil || math.IsNaN(w.value()):
				p(" – |")
			case math.IsNaN(w.ratio()) || n == f.part.reference:
				p(" %s |", formatValue(w.value()))
			default:
				p(" %s (%.2f) |", formatValue(w.value()), w.ratio())
			}
		}
		p("\n")
	}
}

func (r *results) asterisk(name string) string {
	for i := range allServers {
		if s := &allServers[i]; s.name == name && s.protocol == rawFrames {
			return "\\*"
		}
	}
	return ""
}

// writeFigures has everything about each figure.
func (r *results) writeFigures(p printer) {
	p("## Figure by figure\n\n")
	for _, f := range r.Figures {
		p("### %s\n\n", f.Title)
		f.writeLoads(p)
		if f.part.note != "" {
			p("%s\n\n", f.part.note)
		}
		p("| Server | Median, %s | Least to most | Ratio | Per second | Server cores | p99 latency |\n| --- | --- | --- | --- | --- | --- | --- |\n", f.Unit)
		for i := range f.Rows {
			w := &f.Rows[i]
			least, most := spread(w.all())
			p("| %s | %s | %s | %s | %s | %s | %s |\n", w.Title, number(w.value()), numberSpan(least, most), ratioCell(w),
				number(median(w.values(func(s *sample) float64 { return s.Rate }))),
				number(median(w.values(func(s *sample) float64 { return s.Cores }))),
				withUnit(median(w.values(func(s *sample) float64 { return s.P99 })), "ms"))
		}
		p("\n")
		for i := range f.Rows {
			w := &f.Rows[i]
			for n, s := range w.Samples {
				switch {
				case s.Error != "":
					p("* %s, round %d is no figure: %s\n", w.Title, n+1, firstLine(s.Error))
				case s.Note != "":
					p("* %s, round %d: %s\n", w.Title, n+1, firstLine(s.Note))
				}
			}
		}
		p("\n")
	}
}

// writeLoads names the load, or the loads when a method has another name on some servers.
func (f *figure) writeLoads(p printer) {
	var commands []string
	servers := map[string][]string{}
	for i := range f.Rows {
		w := &f.Rows[i]
		if servers[w.Command] == nil {
			commands = append(commands, w.Command)
		}
		servers[w.Command] = append(servers[w.Command], w.Title)
	}
	for _, c := range commands {
		of := ""
		if len(commands) > 1 {
			of = " (" + strings.Join(servers[c], ", ") + ")"
		}
		p("Load%s: `loadgen %s … http://127.0.0.1:PORT/bench`\n\n", of, c)
	}
}

func number(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return formatValue(v)
}

func numberSpan(least, most float64) string {
	if math.IsNaN(least) {
		return "–"
	}
	return formatValue(least) + " to " + formatValue(most)
}

func withUnit(v float64, unit string) string {
	if math.IsNaN(v) {
		return "–"
	}
	return formatValue(v) + " " + unit
}

// writeMethod says how it was measured, where, and with what.
func (r *results) writeMethod(p printer) {
	p("## How it was measured\n\n")
	m := r.Machine
	p("* Machine: %s, %d processors, %s of memory, %s, %s.\n", m.CPU, m.Processors, m.Memory, m.Kernel, m.Go)
	rounds := fmt.Sprintf("%d rounds", r.Rounds)
	if r.Rounds == 1 {
		rounds = "1 round"
	}
	p("* %s; in a round all servers run in turn, each in a fresh process with GOMAXPROCS=1; %s; loopback.\n", rounds, r.Pinned)
	p("* The load client is cmd/loadgen; it checks that every message arrives once and in order. A run in which more than one message in a thousand was lost is no figure.\n")
	p("* CPU time is that of the whole server process, user and system, from /proc. Memory is resident memory: what the kernel holds for sockets is not in it.\n\n")
	p("| Server | Version | What it is | Command |\n| --- | --- | --- | --- |\n")
	for _, s := range r.Servers {
		v := s.Version
		if v == "" {
			v = "this commit"
		}
		p("| %s | %s | %s | `%s` |\n", s.Title, v, s.Remark, s.Command)
	}
	p("\n")
	if len(r.Left) > 0 {
		p("Left out:\n\n")
		for _, l := range r.Left {
			p("* %s\n", l)
		}
		p("\n")
	}
	p("The servers of the field are in [peers](peers), the limit in [limit](limit). All samples are in [results.json](%s).\n", dataFile)
}
