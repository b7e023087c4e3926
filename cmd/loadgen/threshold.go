package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"
	"time"
)

// thresholds are what a run must reach for exit code 0.
type thresholds []*threshold

// threshold is one of them. Its value is what the flag was given: nanoseconds for times.
type threshold struct {
	name     string
	value    float64
	set      bool
	least    bool // the figure must be at least value, not at most
	duration bool
	figure   func(r *result) (v float64, ok bool) // ok false: it was not measured
}

func (t *threshold) String() string {
	if t == nil || !t.set {
		return ""
	}
	return t.format(t.value)
}

// Set implements flag.Value.
func (t *threshold) Set(s string) error {
	if t.duration {
		d, err := time.ParseDuration(s)
		if err != nil {
			return errors.New("a time such as 5ms is expected")
		}
		t.value = float64(d)
	} else {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) {
			return errors.New("a number is expected")
		}
		t.value = v
	}
	t.set = true
	return nil
}

func (t *threshold) format(v float64) string {
	if t.duration {
		return formatDuration(v)
	}
	return formatNumber(v)
}

func (ts *thresholds) register(fs *flag.FlagSet, s scenario) {
	add := func(name, usage string, t threshold) {
		t.name = name
		*ts = append(*ts, &t)
		fs.Var(&t, name, "fail (exit code 1) when "+usage)
	}
	latency := func(name, usage string, percentile float64) {
		add(name, usage, threshold{duration: true, figure: func(r *result) (float64, bool) {
			h := &r.Total.Latency
			if percentile == 100 {
				return float64(h.max()), h.count() > 0
			}
			return float64(h.at(percentile)), h.count() > 0
		}})
	}
	number := func(name, usage string, figure func(r *result) float64) {
		add(name, usage, threshold{figure: func(r *result) (float64, bool) { return figure(r), true }})
	}
	if s.answers() || s == storm {
		latency("max-p50", "the median latency is above this `time`", 50)
		latency("max-p90", "the latency's 90th percentile is above this `time`", 90)
		latency("max-p99", "the latency's 99th percentile is above this `time`", 99)
		latency("max-p999", "the latency's 99.9th percentile is above this `time`", 99.9)
		latency("max-latency", "the longest latency is above this `time`", 100)
	}
	switch {
	case s == negotiate:
		number("max-loss", "more than so many calls have no answer", func(r *result) float64 { return float64(r.Lost()) })
		number("max-duplicates", "more than so many tokens are given twice", func(r *result) float64 { return float64(r.Total.Duplicates) })
	case s.answers():
		number("max-loss", "more than so many messages are lost", func(r *result) float64 { return float64(r.Lost()) })
		number("max-duplicates", "more than so many messages come twice", func(r *result) float64 { return float64(r.Total.Duplicates) })
		number("max-disorder", "more than so many messages are overtaken", func(r *result) float64 { return float64(r.Total.Overtaken) })
	}
	number("max-errors", "there are more than so many errors, wrong payloads among them", func(r *result) float64 { return float64(r.Errors()) })
	if s != idle && s != storm {
		t := threshold{least: true, figure: func(r *result) (float64, bool) { return r.Rate(), true }}
		add("min-rate", "fewer than so many "+s.unit()+" a second are reached", t)
	}
	add("max-connect-p99", "the 99th percentile of the time to connect is above this `time`", threshold{duration: true, figure: func(r *result) (float64, bool) {
		return float64(r.Total.Connect.at(99)), r.Total.Connect.count() > 0
	}})
	add("max-cpu", "the server takes more than so many CPU-µs per unit of the rate (for idle: cores); needs -server-pid", threshold{figure: func(r *result) (float64, bool) {
		if r.Server == nil {
			return 0, false
		}
		if s == idle {
			return r.Server.Cores, true
		}
		return r.Server.MicrosPerUnit, r.Server.MicrosPerUnit > 0
	}})
	if s.ramps() {
		add("max-memory", "the server takes more than so many bytes per connection; needs -server-pid", threshold{figure: func(r *result) (float64, bool) {
			if r.Server == nil || r.Server.BytesPerConnection == nil {
				return 0, false
			}
			return *r.Server.BytesPerConnection, true
		}})
	}
}

func (ts thresholds) validate() (problems []error) {
	for _, t := range ts {
		if t.set && t.value < 0 {
			problems = append(problems, fmt.Errorf("-%s is %s: at least 0 is expected", t.name, t.format(t.value)))
		}
	}
	return problems
}

// check is what became of a threshold.
type check struct {
	Name   string `json:"name"`
	Limit  string `json:"limit"`
	Figure string `json:"figure"`
	Met    bool   `json:"met"`
}

// evaluate compares the result with those that were set. A figure that was not measured does not meet a threshold.
func (ts thresholds) evaluate(r *result) []check {
	var out []check
	for _, t := range ts {
		if !t.set {
			continue
		}
		c := check{Name: t.name, Limit: t.format(t.value), Figure: "not measured"}
		if v, ok := t.figure(r); ok {
			c.Figure = t.format(v)
			c.Met = v <= t.value
			if t.least {
				c.Met = v >= t.value
			}
		}
		out = append(out, c)
	}
	return out
}
