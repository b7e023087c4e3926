package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"-n=1":                    "-n is 1: 2 to 10000",
		"-rounds=0":               "-rounds is 0: 1 to 100",
		"-duration=1500ms":        "-duration is 1.5s: whole seconds",
		"-duration=2h":            "-duration is 2h0m0s",
		"-tolerance=1":            "-tolerance is 1: more than 0 and less than 1",
		"-wrk=/nonexistent/wrk":   "scripts/wrk.sh installs it",
		"more":                    `unexpected argument "more"`,
		"-nonsense":               "not defined: -nonsense",
		"-wrk= -n=0 -rounds=1000": "-rounds is 1000",
	} {
		if _, err := parseOptions(strings.Fields(args), nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q in it", args, err, says)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &help); err == nil || !strings.Contains(help.String(), "-rounds") {
		t.Errorf("-h: %v: %s", err, help.String())
	}
	if _, err := parseOptions([]string{"-wrk="}, nil); err != nil {
		t.Error(err)
	}
}

func TestReadWrk(t *testing.T) {
	t.Parallel()
	m, err := readWrk([]byte("Running 1s test\n  99 requests\n" + `crosscheck {"requests":30000,"microseconds":2000000,"errors":0,"p50":812}` + "\n"))
	if err != nil || m.count != 30000 || m.rate != 15000 || m.p50 != 812*time.Microsecond {
		t.Errorf("%+v, %v", m, err)
	}
	for name, out := range map[string]string{
		"nothing":  "Running 1s test\n",
		"no JSON":  "\ncrosscheck {\n",
		"errors":   "\n" + `crosscheck {"requests":3,"microseconds":2000000,"errors":1,"p50":8}` + "\n",
		"none":     "\n" + `crosscheck {"requests":0,"microseconds":2000000,"errors":0,"p50":8}` + "\n",
		"no time":  "\n" + `crosscheck {"requests":3,"microseconds":0,"errors":0,"p50":8}` + "\n",
		"nonsense": "\ncrosscheck [1]\n",
	} {
		if m, err := readWrk([]byte(out)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestJudgePair(t *testing.T) {
	t.Parallel()
	runs := func(rates ...float64) (list []*measurement) {
		for _, r := range rates {
			list = append(list, &measurement{rate: r})
		}
		return list
	}
	for _, c := range []struct {
		name         string
		wrk, loadgen []*measurement
		agree        bool
		says         string
	}{
		{"equal in the middle", runs(100, 400, 200), runs(200, 200, 200), true, "ratio 1.000 (half of the rounds from 0.750 to 1.500)"},
		{"4 % less", runs(200), runs(192), true, "ratio 0.960"},
		{"6 % less", runs(200), runs(188), false, "Rate: wrk 200/s, loadgen 188/s, ratio 0.940 (half of the rounds from 0.940 to 0.940), at most 5 % apart is asked for: they DISAGREE"},
		{"6 % more", runs(2000.4), runs(2120.4), false, "wrk 2000/s, loadgen 2120/s"},
		{"an even number", runs(100, 200), runs(98, 204), true, "wrk 150/s, loadgen 151/s, ratio 1.000"},
		{"apart, and uneven", runs(100, 100, 100), runs(50, 110, 120), false, "use more -rounds"},
		{"nothing", nil, nil, false, "NaN"},
		{"no rate", runs(0), runs(0), false, "NaN"},
		{"no rate of wrk", runs(0), runs(10), false, "+Inf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &rounds{wrk: c.wrk, loadgen: c.loadgen}
			if v := judgePair("Rate", "/s", r, func(m *measurement) float64 { return m.rate }, 0.05); v.agree != c.agree || !strings.Contains(v.text, c.says) {
				t.Errorf("%t: %s; want %t and %q", v.agree, v.text, c.agree, c.says)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	epoch := time.Unix(1_000_000, 0)
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	// A thousand answers a second from 0 to 3 s.
	looks := func(gap, takes int) (list []look) {
		for ms := -100; ms < 3100; ms += gap {
			list = append(list, look{asked: at(ms), answered: at(ms + takes), count: int64(min(max(ms+takes/2, 0), 3000))})
		}
		return list
	}
	for _, c := range []struct {
		name        string
		list        []look
		from, until int
		low, high   float64
	}{
		{"seen all the time", looks(1, 0), 500, 2500, 1000, 1000},
		{"seen every 10 ms", looks(10, 0), 505, 2505, 995, 1005},
		{"seen at the very times", looks(10, 0), 500, 2500, 1000, 1000},
		{"seen within 20 ms", looks(10, 20), 500, 2500, 990, 1010},
		{"seen seldom", looks(1000, 0), 1000, 2000, 0, 2000},
		{"not before", looks(10, 0), -200, 1000, math.NaN(), math.NaN()},
		{"not after", looks(10, 0), 500, 4000, math.NaN(), math.NaN()},
		{"no time", looks(10, 0), 500, 500, math.NaN(), math.NaN()},
		{"never", nil, 500, 2500, math.NaN(), math.NaN()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := boundsOf(c.list, at(c.from), at(c.until))
			same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
			if !same(x.low, c.low) || !same(x.high, c.high) {
				t.Errorf("%v, want %v to %v", x, c.low, c.high)
			}
		})
	}
}

func TestJudgeBounds(t *testing.T) {
	t.Parallel()
	run := func(rate, low, high float64) *measurement {
		return &measurement{rate: rate, bounds: bounds{low: low, high: high}}
	}
	for _, c := range []struct {
		name  string
		list  []*measurement
		agree bool
		says  string
	}{
		{"within", []*measurement{run(1000, 995, 1005)}, true, "lies within what the server's counter says (median of 1 runs)"},
		{"4 % below", []*measurement{run(960, 1000, 1010)}, true, "4.0 % below"},
		{"6 % below", []*measurement{run(940, 1000, 1010)}, false, "6.0 % below what the server's counter says (median of 1 runs), at most 5 % is asked for: they DISAGREE"},
		{"6 % above", []*measurement{run(1060, 990, 1000)}, false, "6.0 % above"},
		{"one of three", []*measurement{run(1000, 990, 1010), run(2000, 990, 1010), run(1000, 990, 1010)}, true, "median of 3 runs"},
		{"hardly seen", []*measurement{run(1000, 900, 1100)}, false, "NO VERDICT: in 1 of 1 runs"},
		{"half of them hardly seen", []*measurement{run(1000, 0, 9000), run(1000, 1000, 1000)}, false, "NO VERDICT: in 1 of 2 runs"},
		{"one of three hardly seen", []*measurement{run(1000, 0, 9000), run(1000, 1000, 1000), run(1000, 1000, 1000)}, true, "median of 2 runs"},
		{"not seen", []*measurement{run(1000, math.NaN(), math.NaN())}, false, "NO VERDICT"},
		{"nothing answered", []*measurement{run(1000, 0, 0)}, false, "above"},
		{"not known", []*measurement{{rate: 1000}}, false, "above"},
		{"no runs", nil, false, "NO VERDICT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if v := judgeBounds(c.list, 0.05); v.agree != c.agree || !strings.Contains(v.text, c.says) {
				t.Errorf("%t: %s; want %t and %q", v.agree, v.text, c.agree, c.says)
			}
		})
	}
}

// The pauses of any hundred answers in a row are spread over the whole range, with the mean in its middle.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, from := range []int64{0, 1, 12345, 100_000_000} {
		var sum time.Duration
		var tenths [10]int
		const n = 100
		for i := range int64(n) {
			p := pause(from + i)
			if p < pauseMin || p >= pauseMax {
				t.Fatalf("pause %d is %v", from+i, p)
			}
			sum += p
			tenths[10*(p-pauseMin)/(pauseMax-pauseMin)]++
		}
		if mean, want := sum/n, (pauseMin+pauseMax)/2; (mean - want).Abs() > want/50 {
			t.Errorf("from %d on the mean is %v, want %v", from, mean, want)
		}
		for i, k := range tenths {
			if k < 7 || k > 13 {
				t.Errorf("from %d on, %d of %d pauses are in tenth %d", from, k, n, i)
			}
		}
	}
}

func TestJudgeCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count, server int64
		wrk, ok       bool
	}{
		{100, 100, false, true}, {100, 101, false, false}, {100, 99, false, false},
		{100, 100, true, true}, {100, 110, true, true}, {100, 111, true, false}, {100, 99, true, false},
	} {
		m := measurement{count: c.count, server: c.server}
		if err := m.judgeCount(c.wrk, 10); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestJudgeDeliveries(t *testing.T) {
	t.Parallel()
	base := func() (*loadgenResult, *counters) {
		r, c := &loadgenResult{Ready: 10}, &counters{}
		r.Total.Sent, r.Total.Answered, r.Total.Delivered, r.Total.BytesIn, r.Total.BytesOut = 7, 7, 70, 9000, 800
		c.Server.Hubs.Handshakes, c.Server.Hubs.Published, c.Server.Hubs.Calls = 10, 7, 7
		c.Server.Engine.BytesOut, c.Server.Engine.BytesIn = 9000+170, 800+250
		return r, c
	}
	for name, c := range map[string]struct {
		change func(*loadgenResult, *counters)
		says   string
	}{
		"all agrees":            {func(*loadgenResult, *counters) {}, ""},
		"a late ping":           {func(_ *loadgenResult, c *counters) { c.Server.Engine.BytesIn += 17 }, ""},
		"a delivery is missing": {func(r *loadgenResult, _ *counters) { r.Total.Delivered-- }, "deliveries: loadgen counts 69, the server 70"},
		"a delivery too many":   {func(r *loadgenResult, _ *counters) { r.Total.Delivered++ }, "deliveries"},
		"a message not sent":    {func(_ *loadgenResult, c *counters) { c.Server.Hubs.Published-- }, "messages sent: loadgen counts 7, the server 6"},
		"a failed call":         {func(_ *loadgenResult, c *counters) { c.Server.Hubs.CallsFailed++ }, "calls completed"},
		"a connection":          {func(_ *loadgenResult, c *counters) { c.Server.Hubs.Handshakes++ }, "connections: loadgen counts 10, the server 11"},
		"bytes down":            {func(_ *loadgenResult, c *counters) { c.Server.Engine.BytesOut++ }, "bytes to the clients"},
		"bytes up":              {func(_ *loadgenResult, c *counters) { c.Server.Engine.BytesIn++ }, "bytes to the server"},
		"more pings than that":  {func(_ *loadgenResult, c *counters) { c.Server.Engine.BytesIn += 11 * 17 }, "bytes to the server"},
		"nothing":               {func(r *loadgenResult, c *counters) { *r, *c = loadgenResult{}, counters{} }, "nothing was delivered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, k := base()
			c.change(r, k)
			text, err := judgeDeliveries(r, k)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q in it\n%s", err, c.says, text)
			}
		})
	}
}

// The whole program with the real server and loadgen, and a wrk that lies.
func TestCrosscheck(t *testing.T) {
	t.Parallel()
	wrk := filepath.Join(t.TempDir(), "wrk")
	const lie = 123456
	script := fmt.Sprintf("#!/bin/sh\necho\necho 'crosscheck {\"requests\":%d,\"microseconds\":1000000,\"errors\":0,\"p50\":10}'\n", lie)
	if err := os.WriteFile(wrk, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	// The tolerance is that of a machine that runs other tests.
	err := run(t.Context(), []string{"-root=../..", "-n=20", "-rounds=1", "-duration=2s", "-tolerance=0.5", "-server-cpu=-1", "-client-cpu=-1", "-wrk=" + wrk}, &out)
	if err == nil {
		t.Fatalf("no error\n%s", out.String())
	}
	for _, want := range []string{
		fmt.Sprintf("wrk, round 1: the client counted %d answers, the server 0", lie),
		fmt.Sprintf("Rate: wrk %d/s", lie),
		"Median latency: wrk 0.01 ms",
		"they DISAGREE",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v\n%s", want, err, out.String())
		}
	}
	if text := err.Error(); strings.Contains(text, "loadgen, round") || strings.Contains(text, "loadgen counts") || strings.Contains(text, "loadgen's rate lies") {
		t.Errorf("what loadgen says is not what the server says: %v\n%s", err, out.String())
	}
	for _, want := range []string{"deliveries            loadgen 4000 = server 4000", "bytes to the clients", "by the server's counter", "Churn:", "connections ended"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestJudgeChurn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*loadgenResult, *counters)
		says   string
	}{
		"all agrees":               {func(*loadgenResult, *counters) {}, ""},
		"one not counted":          {func(r *loadgenResult, _ *counters) { r.Total.Connected-- }, "connections made: loadgen counts 999, the server 1000"},
		"an end not counted":       {func(r *loadgenResult, _ *counters) { r.Total.Ended-- }, "connections ended: loadgen counts 999, the server 1000"},
		"one the server still has": {func(_ *loadgenResult, c *counters) { c.Server.Hubs.Connections++ }, "connections ended: loadgen counts 1000, the server 999"},
		"one without a handshake":  {func(_ *loadgenResult, c *counters) { c.Server.Engine.Accepted++ }, "TCP connections: loadgen counts 1001, the server 1002"},
		"nothing":                  {func(r *loadgenResult, c *counters) { *r, *c = loadgenResult{}, counters{} }, "no connection was made"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, k := &loadgenResult{}, &counters{}
			r.Total.Connected, r.Total.Ended = 1000, 1000
			k.Server.Engine.Accepted, k.Server.Hubs.Handshakes = 1001, 1000
			c.change(r, k)
			text, err := judgeChurn(r, k)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q in it\n%s", err, c.says, text)
			}
		})
	}
}
