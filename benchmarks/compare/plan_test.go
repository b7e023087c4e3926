package main

import (
	"slices"
	"testing"
	"time"
)

// planned is a comparison of all servers with the default flags, without building anything.
func planned(t *testing.T, args ...string) *bench {
	t.Helper()
	o, err := parseOptions(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{opts: o}
	for _, s := range allServers {
		if s.name != "aspnet" && o.servers.has(s.name) { // it is measured where dotnet is installed, which takes longer
			b.servers = append(b.servers, s)
		}
	}
	return b
}

// TestPlanLength: make bench takes half an hour at most, three rounds of everything included.
func TestPlanLength(t *testing.T) {
	t.Parallel()
	b := planned(t)
	cells := b.plan()
	guess := &forecast{b: b}
	d := guess.left(cells)
	t.Logf("%d runs, %v", len(cells), d)
	if d > 29*time.Minute {
		t.Errorf("%d runs take %v, at most half an hour is promised", len(cells), d)
	}
	if d < 10*time.Minute {
		t.Errorf("%d runs take %v: the forecast forgets something", len(cells), d)
	}
}

// TestPlanOrder: the servers of a figure run in turn, three times each, but for peers whose idle connections are held once.
func TestPlanOrder(t *testing.T) {
	t.Parallel()
	b := planned(t, "-only", "echo,idle", "-servers", "limit,spoke,gws")
	var got []string
	for _, c := range b.plan() {
		got = append(got, c.key())
	}
	want := []string{
		"echo limit", "echo spoke", "echo gws", "echo limit", "echo spoke", "echo gws", "echo limit", "echo spoke", "echo gws",
		"idle limit", "idle spoke", "idle gws", "idle limit", "idle spoke", "idle limit", "idle spoke",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the order is %q", got)
	}
}

// TestForecast: a run takes what the last one alike took.
func TestForecast(t *testing.T) {
	t.Parallel()
	b := planned(t, "-only", "echo", "-servers", "limit,spoke")
	cells := b.plan()
	guess := &forecast{b: b, took: map[string]time.Duration{}}
	first := guess.left(cells)
	if first != 6*(1000*time.Second/rampRate+time.Second+b.opts.duration+overhead) {
		t.Errorf("six runs take %v", first)
	}
	guess.took["echo limit"] = time.Minute
	if d := guess.left(cells) - first/2; d != 3*time.Minute {
		t.Errorf("three runs of a minute take %v", d)
	}
	for d, want := range map[time.Duration]string{0: "0 s", 90 * time.Second: "90 s", 119600 * time.Millisecond: "120 s", 150 * time.Second: "3 min", 26 * time.Minute: "26 min"} {
		if got := timeLeft(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
