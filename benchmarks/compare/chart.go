package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The chart: for each figure with a ratio a group of bars, one for each server, on a logarithmic scale. A self-contained SVG with a
// background of its own, so that it can be read on light and dark pages.

const (
	chartWidth = 960
	chartLeft  = 150 // names of servers
	chartRight = 70  // numbers
	barHeight  = 16
	barGap     = 4
	groupGap   = 44 // with its title
	chartTop   = 64
)

// charted are the rows of a figure that have a ratio.
func (f *figure) charted() []*row {
	var rows []*row
	for i := range f.Rows {
		if w := &f.Rows[i]; w.Server != f.part.reference && !math.IsNaN(w.ratio()) && w.ratio() > 0 {
			rows = append(rows, w)
		}
	}
	return rows
}

func (r *results) hasChart() bool {
	for _, f := range r.Figures {
		if len(f.charted()) > 0 {
			return true
		}
	}
	return false
}

func (r *results) chart() string {
	low, high := 1.0, 2.0
	height := chartTop
	for _, f := range r.Figures {
		rows := f.charted()
		if len(rows) == 0 {
			continue
		}
		height += groupGap + len(rows)*(barHeight+barGap)
		for _, w := range rows {
			low, high = min(low, w.ratio()), max(high, w.ratio())
		}
	}
	low, high = math.Pow(2, math.Floor(math.Log2(low*0.95))), math.Pow(2, math.Ceil(math.Log2(high*1.05)))
	height += 24
	x := func(v float64) float64 {
		return chartLeft + (chartWidth-chartLeft-chartRight)*math.Log2(v/low)/math.Log2(high/low)
	}

	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	text := func(x, y float64, class, s string) {
		p("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, html.EscapeString(s))
	}
	p("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"title\">\n", chartWidth, height, chartWidth, height)
	p("<title id=\"title\">Server CPU time per message, as a ratio to the limit</title>\n")
	p("<style>text{font:13px system-ui,sans-serif;fill:#1f2933;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}.head{font-size:16px;font-weight:600}.title{font-weight:600}.name{text-anchor:end}.axis{fill:#616e7c;font-size:11px;text-anchor:middle}.note{fill:#616e7c;font-size:12px}.ours{fill:#0b7285}.peer{fill:#adb5bd}.grid{stroke:#e4e7eb}.one{stroke:#c92a2a;stroke-width:1.5}</style>\n")
	p("<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", chartWidth, height)
	head := "Server CPU time per message, as a ratio to the limit"
	if r.Quick {
		head += " (smoke run: meaningless)"
	}
	text(16, 26, "head", head)
	text(16, 46, "note", "Less is better; logarithmic scale; the red line is the limit, a bare epoll loop; for event streams it is WebSockets. Medians of "+fmt.Sprint(r.Rounds)+".")
	for v := low; v <= high; v *= 2 {
		class := "grid"
		if v == 1 {
			class = "one"
		}
		p("<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" class=\"%s\"/>\n", x(v), chartTop, x(v), height-22, class)
		text(x(v), float64(height-8), "axis", formatRatio(v)+"×")
	}
	y := float64(chartTop)
	for _, f := range r.Figures {
		rows := f.charted()
		if len(rows) == 0 {
			continue
		}
		text(16, y+26, "title", f.Title)
		y += groupGap - 8
		for _, w := range rows {
			class := "peer"
			if w.Ours {
				class = "ours"
			}
			text(chartLeft-8, y+12, "name", w.Title)
			from, to := x(low), x(w.ratio())
			p("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\" class=\"%s\"/>\n", from, y, max(to-from, 1), barHeight, class)
			text(to+6, y+12, "value", fmt.Sprintf("%.2f", w.ratio()))
			y += barHeight + barGap
		}
		y += 8
	}
	p("</svg>\n")
	return b.String()
}
