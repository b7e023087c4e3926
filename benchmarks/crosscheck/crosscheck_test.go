package main

import (
	"bytes"
	"fmt"
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

func TestJudgeRates(t *testing.T) {
	t.Parallel()
	runs := func(others float64, perCPU int64, rates ...float64) (list []*measurement) {
		for _, r := range rates {
			list = append(list, &measurement{rate: r, others: others, cpu: time.Second, server: perCPU})
		}
		return list
	}
	for _, c := range []struct {
		name         string
		wrk, loadgen []*measurement
		agree        bool
		says         string
	}{
		{"equal in the middle", runs(0, 1, 100, 400, 200), runs(0, 9, 200, 200, 200), true, "ratio 1.000 (half of the rounds from 0.750 to 1.500)"},
		{"4 % less", runs(0, 1, 200), runs(0, 1, 192), true, "ratio 0.960"},
		{"6 % less", runs(0, 1, 200), runs(0, 1, 188), false, "DISAGREE: wrk 200/s, loadgen 188/s, ratio 0.940 (half"},
		{"6 % more", runs(0, 1, 200), runs(0, 1, 212), false, "by the clock"},
		{"disturbed", runs(0.5, 100, 200), runs(0.5, 104, 400), true, "other processes used 0.50 processors"},
		{"disturbed, and apart", runs(0.5, 100, 200), runs(0.5, 110, 200), false, "ratio 1.100"},
		{"half of the runs disturbed", runs(0, 100, 200, 200), runs(1, 100, 100, 100), true, "other processes used 0.50"},
		{"an even number", runs(0, 1, 100, 200), runs(0, 1, 98, 204), true, "wrk 150/s, loadgen 151/s, ratio 1.000"},
		{"apart, and uneven", runs(0, 1, 100, 100, 100), runs(0, 1, 50, 110, 120), false, "use more -rounds"},
		{"nothing", nil, nil, false, "NaN"},
		{"no processor time", []*measurement{{others: 1}}, []*measurement{{others: 1}}, false, "NaN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if v := judgeRates(c.wrk, c.loadgen, 0.05); v.agree != c.agree || !strings.Contains(v.text, c.says) {
				t.Errorf("%t: %s; want %t and %q", v.agree, v.text, c.agree, c.says)
			}
		})
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
	err := run(t.Context(), []string{"-root=../..", "-n=20", "-rounds=1", "-duration=1s", "-server-cpu=-1", "-client-cpu=-1", "-wrk=" + wrk}, &out)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("wrk, round 1: the client counted %d answers, the server 0", lie)) || !strings.Contains(err.Error(), "Rates DISAGREE") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if strings.Contains(err.Error(), "loadgen, round") || strings.Contains(err.Error(), "loadgen counts") {
		t.Errorf("what loadgen has counted is not what the server has: %v\n%s", err, out.String())
	}
	for _, want := range []string{"deliveries            loadgen 4000 = server 4000", "bytes to the clients", "median latency: wrk 10µs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
