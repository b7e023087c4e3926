package main

import (
	"errors"
	"fmt"
	"testing"
)

// Every threshold is met at its limit and missed beyond it.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	r := sampleResult(broadcast)
	for _, c := range []struct {
		flag string
		met  bool
	}{
		{"-max-p50=2.6ms", true}, {"-max-p50=2.4ms", false},
		{"-max-p90=8.2ms", true}, {"-max-p90=8ms", false},
		{"-max-p99=10ms", true}, {"-max-p99=9.8ms", false},
		{"-max-p999=10.1ms", true}, {"-max-p999=9.9ms", false},
		{"-max-latency=11ms", true}, {"-max-latency=10ms", false},
		{"-max-connect-p99=1.5ms", true}, {"-max-connect-p99=1.3ms", false},
		{"-max-loss=7", true}, {"-max-loss=6", false},
		{"-max-duplicates=0", true}, {"-max-disorder=0", true},
		{"-max-errors=13", true}, {"-max-errors=12", false},
		{"-min-rate=4999876", true}, {"-min-rate=4999877", false},
		{"-max-cpu=0.52", true}, {"-max-cpu=0.51", false},
		{"-max-memory=1234.5", true}, {"-max-memory=1234", false},
	} {
		o, err := parseOptions([]string{"broadcast", c.flag, "http://h/x"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.limits.evaluate(r); len(got) != 1 || got[0].Met != c.met {
			t.Errorf("%s: %+v, want met %t", c.flag, got, c.met)
		}
	}
	// For an idle run it is cores.
	o, err := parseOptions([]string{"idle", "-max-cpu=0.93", "-max-memory=2000", "http://h/x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range o.limits.evaluate(sampleResult(idle)) {
		if !x.Met {
			t.Errorf("%+v", x)
		}
	}
}

// judgeClient says when the client was at its limit, and only then.
func TestJudgeClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cores, others float64
		lag           int64
		foreign       int64
		bottleneck    bool
		notes         int
	}{
		{0.5, 0, 1e6, 0, false, 0},
		{0.95, 0, 1e6, 0, true, 1},
		{0.5, 0, 3e6, 0, true, 1},
		{0.5, 0.5, 1e6, 0, false, 1},
		{0.5, -1, 1e6, 4, false, 1},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			o := defaults(echo)
			r := &result{Scenario: echo, Wanted: 5, Ready: 5, Client: clientUse{Cores: c.cores, Available: 1, Others: c.others, LagP99: c.lag}}
			r.Total.Foreign = c.foreign
			r.judgeClient(&o)
			if r.Client.Bottleneck != c.bottleneck || len(r.Notes) != c.notes {
				t.Errorf("bottleneck %t, notes %q", r.Client.Bottleneck, r.Notes)
			}
		})
	}
}

// Two loads on one hub do not take each other's messages for faults; the coordinator gives each run its own number.
func TestForeign(t *testing.T) {
	t.Parallel()
	s := newFakeServer(t, behaviour{})
	results := make(chan error, 2)
	runs := make(chan *result, 2)
	for range 2 {
		go func() {
			l := loadgen(t, nil, "broadcast", "-n=3", "-rate=100", "-duration=1s", "-warmup=0", "-max-loss=0", "-max-errors=0", "-max-duplicates=0", s.url)
			if l.code != exitGood {
				results <- errors.New(l.stdout + l.stderr)
				return
			}
			runs <- l.result
			results <- nil
		}()
	}
	for range 2 {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	if n := (<-runs).Total.Foreign + (<-runs).Total.Foreign; n == 0 {
		t.Error("neither run says that there was another")
	}
}
