package main

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// chart draws lines as SVG. Colours come from the page's style sheet by class name, so that they follow its light or dark theme.
type chart struct {
	Title  string
	Note   string // below the title
	x, y   axis
	series []series
	bands  []band
}

// series is a line; its class is s1 to s4.
type series struct {
	Name   string
	Class  string
	points []point
	dots   bool // points without a line
}

type point struct{ x, y float64 }

// band marks a phase on the x axis.
type band struct {
	from, to float64
	name     string
}

// axis maps values to a length.
type axis struct {
	label    string
	format   func(float64) string
	log      bool    // y only
	from, to float64 // set by fit
	ticks    []float64
	binary   bool // ticks in steps of powers of two
	exact    bool // the axis ends with the last value, not with a tick
}

// The geometry, in the SVG's own units.
const (
	chartWidth   = 640
	chartHeight  = 280
	marginLeft   = 84
	marginRight  = 18
	marginTop    = 26
	marginBottom = 46
)

// Legend is the series for the page, when there is more than one.
func (c *chart) Legend() []series {
	if len(c.series) < 2 {
		return nil
	}
	return c.series
}

// Empty says that there is nothing to draw.
func (c *chart) Empty() bool {
	for _, s := range c.series {
		if len(s.points) > 0 {
			return false
		}
	}
	return true
}

// fit chooses the range and ticks of the axes.
func (c *chart) fit() {
	xs, ys := []float64{}, []float64{}
	for _, s := range c.series {
		for _, p := range s.points {
			xs, ys = append(xs, p.x), append(ys, p.y)
		}
	}
	for _, b := range c.bands {
		xs = append(xs, b.from, b.to)
	}
	if c.x.ticks == nil {
		c.x.fit(xs)
	} else {
		c.x.from, c.x.to = c.x.ticks[0], c.x.ticks[len(c.x.ticks)-1]
	}
	c.y.fit(ys)
}

func (a *axis) fit(values []float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	if a.log && lo > 0 {
		a.logTicks(lo, hi)
		return
	}
	a.log = false
	lo = math.Min(lo, 0)
	if hi <= lo {
		hi = lo + 1
	}
	step := niceStep(hi-lo, 5)
	if a.binary {
		unit := 1.0
		for unit*1024 <= (hi-lo)/2 {
			unit *= 1024
		}
		step = niceStep((hi-lo)/unit, 5) * unit
		if unit == 1 {
			step = math.Max(step, 1)
		}
	}
	a.from, a.to = math.Floor(lo/step)*step, math.Ceil(hi/step-1e-9)*step
	if a.exact {
		a.to = hi
	}
	a.ticks = nil
	for i := 0; ; i++ {
		v := a.from + float64(i)*step
		if v > a.to+step/1000 {
			break
		}
		a.ticks = append(a.ticks, v)
	}
}

// niceStep is 1, 2 or 5 times a power of ten, so that span has about n steps.
func niceStep(span float64, n int) float64 {
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*1.0001 {
			return m * power
		}
	}
	return 10 * power
}

// logTicks marks 1, 2 and 5 of each decade, or only 1 when there are many.
func (a *axis) logTicks(lo, hi float64) {
	marks := []float64{1, 2, 5}
	if math.Log10(hi/lo) > 3 {
		marks = []float64{1}
	}
	var all []float64
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi))+1; e++ {
		for _, m := range marks {
			all = append(all, m*math.Pow(10, e))
		}
	}
	first, last := 0, len(all)-1
	for first+1 < len(all) && all[first+1] <= lo*1.0001 {
		first++
	}
	for last > 0 && all[last-1] >= hi*0.9999 {
		last--
	}
	if last <= first {
		last = min(first+1, len(all)-1)
	}
	a.ticks = all[first : last+1]
	a.from, a.to = all[first], all[last]
}

// place is where v lies between 0 and 1.
func (a *axis) place(v float64) float64 {
	if a.log {
		return math.Log(math.Max(v, a.from)/a.from) / math.Log(a.to/a.from)
	}
	return (v - a.from) / (a.to - a.from)
}

func (c *chart) px(v float64) float64 {
	return marginLeft + c.x.place(v)*(chartWidth-marginLeft-marginRight)
}

func (c *chart) py(v float64) float64 {
	return chartHeight - marginBottom - c.y.place(v)*(chartHeight-marginTop-marginBottom)
}

// SVG is the drawing. Its texts are escaped.
func (c *chart) SVG() template.HTML {
	c.fit()
	var b strings.Builder
	f := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	f(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWidth, chartHeight, html.EscapeString(c.Title))
	const bottom = chartHeight - marginBottom
	for i, x := range c.bands {
		l, r := c.px(x.from), c.px(x.to)
		f(`<rect class="band b%d" x="%.1f" y="%d" width="%.1f" height="%d"/>`, i%2, l, marginTop, r-l, bottom-marginTop)
		if r-l > 8*float64(len(x.name)) {
			f(`<text class="phase" x="%.1f" y="%d">%s</text>`, (l+r)/2, marginTop-8, html.EscapeString(x.name))
		}
	}
	for _, v := range c.y.ticks {
		f(`<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`, marginLeft, c.py(v), chartWidth-marginRight, c.py(v))
		f(`<text class="yt" x="%d" y="%.1f">%s</text>`, marginLeft-8, c.py(v)+4, html.EscapeString(c.y.format(v)))
	}
	for _, v := range c.x.ticks {
		f(`<line class="tick" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, c.px(v), bottom, c.px(v), bottom+5)
		class, at := "xt", c.px(v)
		if c.x.place(v) > 0.97 { // a centred text would be cut off
			class, at = "xt last", chartWidth-1
		}
		f(`<text class="%s" x="%.1f" y="%d">%s</text>`, class, at, bottom+18, html.EscapeString(c.x.format(v)))
	}
	f(`<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`, marginLeft, bottom, chartWidth-marginRight, bottom)
	f(`<text class="label" x="%d" y="%d">%s</text>`, (marginLeft+chartWidth-marginRight)/2, chartHeight-8, html.EscapeString(c.x.label))
	f(`<text class="label" transform="translate(14 %d) rotate(-90)">%s</text>`, (marginTop+bottom)/2, html.EscapeString(c.y.label))
	for _, s := range c.series {
		c.line(&b, s)
	}
	f(`</svg>`)
	return template.HTML(b.String()) // every text in it is escaped above
}

// dotsMax is up to how many points each is marked.
const dotsMax = 40

func (c *chart) line(b *strings.Builder, s series) {
	if !s.dots && len(s.points) > 1 {
		fmt.Fprintf(b, `<polyline class="line %s" points="`, s.Class)
		for i, p := range s.points {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(b, "%.1f,%.1f", c.px(p.x), c.py(p.y))
		}
		b.WriteString(`"/>`)
	}
	if s.dots || len(s.points) <= dotsMax {
		for _, p := range s.points {
			fmt.Fprintf(b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="3"><title>%s: %s</title></circle>`, s.Class, c.px(p.x), c.py(p.y),
				html.EscapeString(c.x.format(p.x)), html.EscapeString(c.y.format(p.y)))
		}
	}
}
