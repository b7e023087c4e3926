package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"os"
	"strings"
)

//go:embed report.html
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// page is what the template of the report shows.
type page struct {
	Result   *result
	Complete bool
	Good     bool // complete, and every threshold met
	Command  string
	Cards    []card
	Charts   []*chart
	Rows     []tableRow // latency tables
	Columns  []string
	Faults   []namedFault
	Set      []setting
	Defaults []setting
	Machine  []fact
	Server   []fact
	Delivery []fact
}

// card is a figure in large type.
type card struct{ Name, Value, Unit string }

// fact is a line of a table.
type fact struct{ Name, Value string }

// tableRow is a latency table's.
type tableRow struct {
	Name  string
	Cells []string
}

// writeHTML writes the report for a browser: one file that needs no network.
func (r *result) writeHTML(name string) error {
	var b bytes.Buffer
	if err := reportTemplate.Execute(&b, r.page()); err != nil {
		return fmt.Errorf("-html: %w", err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("-html: %w", err)
	}
	return nil
}

func (r *result) page() *page {
	p := &page{Result: r, Complete: r.Ended == complete, Faults: r.faultList()}
	p.Good = p.Complete
	for _, c := range r.Checks {
		p.Good = p.Good && c.Met
	}
	command := []string{"loadgen", string(r.Scenario)}
	for _, s := range r.Settings {
		switch {
		case s.Set:
			p.Set = append(p.Set, s)
			command = append(command, "-"+s.Name+"="+shellQuoted(s.Value))
		case s.Value != "":
			p.Defaults = append(p.Defaults, s)
		}
	}
	p.Command = strings.Join(append(command, shellQuoted(r.URL)), " ")
	p.Cards = r.cards()
	for _, row := range []struct {
		name string
		list []percentile
	}{{r.latencyName(), r.Percentiles}, {"time to connect", r.ConnectPercentiles}} {
		if len(row.list) == 0 {
			continue
		}
		t := tableRow{Name: row.name}
		for _, x := range row.list {
			t.Cells = append(t.Cells, formatDuration(float64(x.Nanos)))
		}
		p.Rows = append(p.Rows, t)
	}
	for _, x := range reported {
		p.Columns = append(p.Columns, percentileName(x))
	}
	p.Machine = r.machineFacts()
	p.Server = r.serverFacts()
	p.Delivery = r.deliveryFacts()
	for _, c := range []*chart{r.percentileChart(), r.rateChart(), r.latencyChart(), r.cpuChart(), r.memoryChart(), r.connectionsChart()} {
		if c != nil && !c.Empty() {
			p.Charts = append(p.Charts, c)
		}
	}
	return p
}

// latencyName is what the latency table measures.
func (r *result) latencyName() string {
	if r.Scenario == storm {
		return "time to return"
	}
	return "latency"
}

// shellQuoted is s as a word of a shell.
func shellQuoted(s string) string {
	if s != "" && strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:=@%+,", c))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func splitUnit(s string) (value, unit string) {
	value, unit, _ = strings.Cut(s, " ")
	return value, unit
}

func (r *result) cards() []card {
	var list []card
	add := func(name, text string) {
		v, u := splitUnit(text)
		list = append(list, card{name, v, u})
	}
	if r.Scenario.ramps() {
		add("connections", formatInt(r.Ready))
	}
	if r.Scenario != idle && r.Seconds > 0 {
		list = append(list, card{r.Unit + " per second", formatNumber(rounded(r.PerSecond)), ""})
	}
	name, h := r.latencyName(), &r.Total.Latency
	if h.count() == 0 {
		name, h = "time to connect", &r.Total.Connect
	}
	if h.count() > 0 {
		add(name+", median", formatDuration(float64(h.at(50))))
		add(name+", p99", formatDuration(float64(h.at(99))))
	}
	if s := r.Server; s != nil {
		if r.Scenario == idle {
			list = append(list, card{"server CPU", formatNumber(s.Cores), "cores"})
		} else if s.MicrosPerUnit > 0 {
			list = append(list, card{"server CPU per " + singular(r.Unit), formatNumber(s.MicrosPerUnit), "µs"})
		}
		if s.BytesPerConnection != nil {
			list = append(list, card{"server memory per connection", formatNumber(rounded(*s.BytesPerConnection)), "B"})
		}
	}
	list = append(list, card{"errors", formatInt(r.Errors()), ""})
	if r.Scenario.answers() {
		lost := "messages lost"
		if r.Scenario == negotiate {
			lost = "answers lost"
		}
		list = append(list, card{lost, formatInt(r.Lost()), ""})
	}
	return list
}

func (r *result) deliveryFacts() []fact {
	if !r.Scenario.answers() {
		return nil
	}
	t := &r.Total
	list := []fact{
		{"lost", formatInt(r.LostLiving)},
		{"lost with their connection", formatInt(r.LostCut)},
	}
	if r.Scenario == negotiate {
		list = append(list, fact{"tokens given twice", formatInt(t.Duplicates)})
	} else {
		list = append(list, fact{"came twice", formatInt(t.Duplicates)}, fact{"overtaken by a later one", formatInt(t.Overtaken)})
	}
	if !r.Checked {
		list = append(list, fact{"check", "off: only counted"})
	}
	if r.Scenario == slow {
		list = append(list, fact{"deliveries to slow readers", formatInt(t.SlowTaken)}, fact{"slow readers cut off", formatInt(t.SlowCut)})
	}
	return list
}

func (r *result) machineFacts() []fact {
	m := r.Machine
	list := []fact{{"system", strings.TrimSpace(m.OS + " " + m.Arch + " " + m.Kernel)}}
	if m.CPU != "" {
		list = append(list, fact{"processor", m.CPU})
	}
	list = append(list, fact{"processors for the client", formatInt(int64(m.Processors))})
	if m.Memory > 0 {
		list = append(list, fact{"memory", formatBytes(float64(m.Memory))})
	}
	list = append(list, fact{"loadgen", m.Version + ", " + m.Go}, fact{"client CPU", fmt.Sprintf("%.2f of %.0f cores", r.Client.Cores, r.Client.Available)})
	if r.Client.Others >= 0 {
		list = append(list, fact{"CPU of other processes", fmt.Sprintf("%.2f cores", r.Client.Others)})
	}
	if r.Total.Lag.count() > 0 {
		list = append(list, fact{"sends late by, p99", formatDuration(float64(r.Client.LagP99))})
	}
	return append(list, fact{"bytes in, out", formatBytes(float64(r.Total.BytesIn)) + ", " + formatBytes(float64(r.Total.BytesOut))})
}

func (r *result) serverFacts() []fact {
	s := r.Server
	if s == nil {
		return nil
	}
	list := []fact{
		{"process", fmt.Sprintf("%s (%d)", s.Name, s.PID)},
		{"CPU", fmt.Sprintf("%s cores, %.2f s in the measurement", formatNumber(s.Cores), s.CPUSeconds)},
	}
	if s.MicrosPerUnit > 0 && r.Scenario != idle {
		list = append(list, fact{"CPU per " + singular(r.Unit), formatNumber(s.MicrosPerUnit) + " µs"})
	}
	if s.MicrosPerCall > 0 {
		list = append(list, fact{"CPU per message published", formatNumber(s.MicrosPerCall) + " µs"})
	}
	if s.BytesPerConnection != nil {
		list = append(list, fact{"memory per connection", formatNumber(rounded(*s.BytesPerConnection)) + " B (slope over the ramp)"})
	}
	return append(list, fact{"memory before, most, after", formatBytes(float64(s.RSSBefore)) + ", " + formatBytes(float64(s.RSSMax)) + ", " + formatBytes(float64(s.RSSAfter))})
}

// percentileChart shows the whole distribution; each nine has the same width.
func (r *result) percentileChart() *chart {
	c := &chart{Title: "Latency by percentile", Note: "from the intended send time"}
	if r.Scenario == storm {
		c.Title, c.Note = "Time to return by percentile", "from the moment of the storm"
	}
	h := &r.Total.Latency
	if h.count() == 0 {
		h = &r.Total.Connect
		c.Title, c.Note = "Time to connect by percentile", "from when the connection was due, to the end of the handshake"
		if r.Scenario == negotiate {
			c.Note = "from when the connection was due, to the end of TCP's own handshake"
		}
	}
	if h.count() == 0 {
		return nil
	}
	most := min(max(math.Ceil(math.Log10(float64(h.count()))), 2), 6)
	s := series{Name: "latency", Class: "s1"}
	s.points = append(s.points, point{0, float64(h.min())})
	for x := 0.05; x < most; x += 0.05 {
		p := 100 * (1 - math.Pow(10, -x))
		if float64(h.count())*(1-p/100) < 1 {
			break
		}
		s.points = append(s.points, point{x, float64(h.at(p))})
	}
	s.points = append(s.points, point{math.Min(math.Log10(float64(h.count())), most), float64(h.max())})
	c.series = []series{s}
	c.x = axis{label: "percentile", format: nines}
	for x := 0.0; x <= most; x++ {
		c.x.ticks = append(c.x.ticks, x)
	}
	c.y = durationAxis(c.series)
	return c
}

// nines writes a place on the percentile axis.
func nines(x float64) string {
	if x == 0 {
		return "0 %"
	}
	digits := max(0, int(math.Ceil(x-1e-9))-2)
	return fmt.Sprintf("%.*f %%", digits, math.Floor(100*(1-math.Pow(10, -x))*math.Pow(10, float64(digits))+1e-6)/math.Pow(10, float64(digits)))
}

// durationAxis is logarithmic when the values are far apart.
func durationAxis(list []series) axis {
	lo, hi := math.Inf(1), 0.0
	for _, s := range list {
		for _, p := range s.points {
			lo, hi = math.Min(lo, p.y), math.Max(hi, p.y)
		}
	}
	return axis{label: "time", format: formatDuration, log: lo > 0 && hi/lo > 20}
}

func secondsAxis() axis {
	return axis{label: "time since the start", exact: true, format: func(v float64) string { return formatNumber(v) + " s" }}
}

// bandsOf marks the phases.
func (r *result) bandsOf() []band {
	var list []band
	for _, s := range r.Samples {
		if s.Phase == phaseDrain {
			continue
		}
		if n := len(list); n > 0 && list[n-1].name == s.Phase {
			list[n-1].to = s.At
			continue
		}
		list = append(list, band{s.At - s.Span, s.At, s.Phase})
	}
	return list
}

// over draws figures of the samples over time; a sample for which ok is false has none.
func (r *result) over(title, note string, y axis, figures ...figure) *chart {
	c := &chart{Title: title, Note: note, x: secondsAxis(), y: y, bands: r.bandsOf()}
	for i, f := range figures {
		s := series{Name: f.name, Class: fmt.Sprintf("s%d", i+1)}
		for j := range r.Samples {
			x := &r.Samples[j]
			if v, ok := f.of(x); ok && x.Phase != phaseDrain && x.Span > 0.05 {
				s.points = append(s.points, point{x.At, v})
			}
		}
		c.series = append(c.series, s)
	}
	return c
}

type figure struct {
	name string
	of   func(*sample) (float64, bool)
}

func (r *result) rateChart() *chart {
	unit := r.Unit
	if r.Scenario == idle {
		unit = "connections"
	}
	c := r.over("Throughput", "", axis{label: unit + " per second", format: formatTick}, figure{unit, func(s *sample) (float64, bool) {
		return s.PerSecond, r.Scenario == idle || r.Scenario == storm || s.Phase != phaseRamp
	}})
	if r.Scenario == idle {
		c.Title = "New connections"
	}
	return c
}

func (r *result) latencyChart() *chart {
	of := func(get func(*sample) int64) func(*sample) (float64, bool) {
		return func(s *sample) (float64, bool) {
			v := get(s)
			return float64(v), v > 0 && (s.Phase == phaseRun || r.Scenario == idle || r.Scenario == storm)
		}
	}
	title := "Latency over time"
	if r.Scenario == idle || r.Scenario == churn || r.Scenario == storm {
		title = "Time to connect over time"
	}
	c := r.over(title, "of the messages that came in each interval", axis{},
		figure{"median", of(func(s *sample) int64 { return s.P50 })},
		figure{"p99", of(func(s *sample) int64 { return s.P99 })},
		figure{"longest", of(func(s *sample) int64 { return s.Max })})
	if title != "Latency over time" {
		c.Note = "of the connections made in each interval"
	}
	c.y = durationAxis(c.series)
	return c
}

func (r *result) cpuChart() *chart {
	figures := []figure{{"client", func(s *sample) (float64, bool) { return s.ClientCPU, true }}}
	if r.Server != nil {
		figures = append(figures, figure{"server", func(s *sample) (float64, bool) { return s.ServerCPU, true }})
	}
	if r.Client.Others >= 0 {
		figures = append(figures, figure{"other processes", func(s *sample) (float64, bool) { return s.Others, s.Others >= 0 }})
	}
	return r.over("Processors in use", "", axis{label: "cores", format: formatNumber}, figures...)
}

// memoryChart shows the server's memory over its connections, and the slope.
func (r *result) memoryChart() *chart {
	if r.Server == nil || !r.Scenario.ramps() {
		return nil
	}
	c := &chart{
		Title: "Server memory over connections",
		x:     axis{label: "connections", format: formatTick},
		y:     axis{label: "resident memory", format: formatBytes, binary: true},
	}
	measured := series{Name: "measured in the ramp", Class: "s1", dots: true, points: []point{{0, float64(r.Server.RSSBefore)}}}
	var xs, ys []float64
	for _, s := range r.Samples {
		if s.Phase == phaseRamp && s.ServerRSS > 0 {
			measured.points = append(measured.points, point{float64(s.Open), float64(s.ServerRSS)})
		}
	}
	for _, p := range measured.points {
		xs, ys = append(xs, p.x), append(ys, p.y)
	}
	if v, ok := slope(xs, ys); ok {
		var mx, my, most float64
		for i := range xs {
			mx, my, most = mx+xs[i]/float64(len(xs)), my+ys[i]/float64(len(ys)), math.Max(most, xs[i])
		}
		c.series = append(c.series, series{Name: formatNumber(rounded(v)) + " B per connection", Class: "s2",
			points: []point{{0, my - v*mx}, {most, my + v*(most-mx)}}})
	}
	c.series = append(c.series, measured) // above the line
	return c
}

func (r *result) connectionsChart() *chart {
	return r.over("Connections", "", axis{label: "connections that are ready", format: formatTick},
		figure{"ready", func(s *sample) (float64, bool) { return float64(s.Open), true }})
}
