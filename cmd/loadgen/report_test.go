package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sampleResult is a result that shows everything a report can show.
func sampleResult(s scenario) *result {
	per := 1234.5
	r := &result{
		Scenario: s, URL: "http://127.0.0.1:8080/a/rather/long/path/to/the/hub/that/must/not/be/cut/off?with=query&and=more", Unit: s.unit(),
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: machine{OS: "linux", Arch: "amd64", Kernel: "6.18.0", CPU: "A Processor With A Long Name 9000 @ 3.00GHz", Processors: 2, Memory: 24 << 30, Go: "go1.26", Version: "abcdef012345"},
		Settings: []setting{{"n", "18000", true}, {"rate", "5000", true}, {"server-pid", "4711", true}, {"size", "32", false}, {"echo-method", "<b>Echo</b>", true}},
		Ended:    complete, Seconds: 20, RampTime: 9, Wanted: 18000, Ready: 17990, PerSecond: 4_999_876.5, Checked: true, LostLiving: 3, LostCut: 4,
		Client: clientUse{Cores: 0.97, Available: 1, Others: 0.31, LagP99: 5e6, Bottleneck: true},
		Server: &serverUse{PID: 4711, Name: "spoked", Cores: 0.93, CPUSeconds: 18.6, MicrosPerUnit: 0.52, MicrosPerCall: 9360, BytesPerConnection: &per, RSSBefore: 12 << 20, RSSMax: 40 << 20, RSSAfter: 38 << 20},
		Checks: []check{{"max-p99", "5 ms", "4.2 ms", true}, {"max-loss", "0", "7", false}},
		Notes:  []string{"The client was the bottleneck: it used 0.97 of its 1 processors."},
	}
	for i := range 100_000 {
		r.Total.Latency.record(int64(20_000 + i*i/1000))
		r.Total.Connect.record(int64(400_000 + i*10))
	}
	r.Total.Lag.record(5e6)
	r.Total.Delivered, r.Total.BytesIn, r.Total.BytesOut = 100_000_000, 9<<30, 3<<20
	r.Total.Errors.add("the connection was lost: peer-reset", "read: connection reset by peer", 10)
	r.Total.Errors.add("call refused", `<script>alert("an error text of a server is not to be trusted")</script>`+strings.Repeat("long", 60), 3)
	r.Percentiles, r.ConnectPercentiles = percentiles(&r.Total.Latency), percentiles(&r.Total.Connect)
	for i := range 36 {
		r.Samples = append(r.Samples, sample{At: float64(i+1) / 4, Span: 0.25, Phase: phaseRamp, Open: int64(i+1) * 500, PerSecond: 2000, P50: 4e5, P99: 2e6, Max: 5e6, ClientCPU: 0.3, ServerCPU: 0.4, Others: 0.1, ServerRSS: 12<<20 + int64(i+1)*620_000 + int64(i%3)*200_000})
	}
	for i := range 22 {
		x := sample{At: 10 + float64(i), Span: 1, Phase: phaseRun, Open: 17990, PerSecond: 4.9e6 + float64(i%4)*1e5, P50: 250e3, P99: int64(2e6 + i%5*1e6), Max: 90e6, ClientCPU: 0.97, ServerCPU: 0.93, Others: 0.31, ServerRSS: 40 << 20}
		if i == 0 {
			x.Phase = phaseWarmUp
		}
		r.Samples = append(r.Samples, x)
	}
	return r
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, x := range scenarios {
		t.Run(string(x.name), func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "r.html")
			r := sampleResult(x.name)
			if err := r.writeHTML(name); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			for _, want := range []string{"threshold missed", "4.2 ms", "peer-reset", "A Processor With", "1,235 B", "spoked (4711)", "0.31 cores", "-n=18000", "&lt;script&gt;", "Server memory over connections", "<svg"} {
				if x.name == churn && strings.Contains(want, "over connections") {
					continue // it has no ramp
				}
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in the report", want)
				}
			}
			if x.name == broadcast && !strings.Contains(text, "0.52<small>µs</small>") {
				t.Error("the CPU time of a delivery is not in the report")
			}
			if strings.Contains(text, "<script") || strings.Contains(text, "<b>Echo") {
				t.Error("a text is not escaped")
			}
			if m := regexp.MustCompile(`(?i)\b(src|href)\s*=|@import|url\(`).FindString(text); m != "" {
				t.Errorf("the report refers to something outside: %s", m)
			}
			if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Error("a coordinate is no number")
			}
		})
	}
}

// A run that never began still has a report.
func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	for _, x := range scenarios {
		var b bytes.Buffer
		r := &result{Scenario: x.name, Ended: "interrupted"}
		if err := reportTemplate.Execute(&b, r.page()); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
		if !strings.Contains(b.String(), "incomplete") || strings.Contains(b.String(), "NaN") {
			t.Errorf("%s: %s", x.name, b.String())
		}
		r.printSummary(&b)
	}
}

func TestAxis(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		a      axis
		values []float64
		ticks  []float64
	}{
		{"from zero", axis{}, []float64{3, 47}, []float64{0, 10, 20, 30, 40, 50}},
		{"all zero", axis{}, []float64{0, 0}, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"negative", axis{}, []float64{-1, 1}, []float64{-1, -0.5, 0, 0.5, 1}},
		{"exact", axis{exact: true}, []float64{0, 6.6}, []float64{0, 2, 4, 6}},
		{"bytes", axis{binary: true}, []float64{0, 17 << 20}, []float64{0, 5 << 20, 10 << 20, 15 << 20, 20 << 20}},
		{"few bytes", axis{binary: true}, []float64{3}, []float64{0, 1, 2, 3}},
		{"log", axis{log: true}, []float64{130, 9000}, []float64{100, 200, 500, 1000, 2000, 5000, 10000}},
		{"log, wide", axis{log: true}, []float64{130, 900_000}, []float64{100, 1000, 1e4, 1e5, 1e6}},
		{"log of one", axis{log: true}, []float64{100}, []float64{100, 200}},
		{"log with zero is not", axis{log: true}, []float64{0, 10}, []float64{0, 2, 4, 6, 8, 10}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.a.fit(c.values)
			if len(c.a.ticks) != len(c.ticks) {
				t.Fatalf("ticks %v, want %v", c.a.ticks, c.ticks)
			}
			for i, v := range c.a.ticks {
				if d := v - c.ticks[i]; d > 1e-6*c.a.to || d < -1e-6*c.a.to {
					t.Fatalf("ticks %v, want %v", c.a.ticks, c.ticks)
				}
			}
			for _, v := range c.values {
				if p := c.a.place(v); p < -1e-9 || p > 1+1e-9 {
					t.Errorf("%v is at %v, outside", v, p)
				}
			}
		})
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	o := defaults(echo)
	o.n = 1000
	samples := []sample{
		{At: 0.25, Phase: phaseRamp, Open: 480, PerSecond: 1920},
		{At: 0.5, Phase: phaseRamp, Open: 1000, PerSecond: 2080, P50: 1e6, P99: 2e6, Max: 3e6},
		{At: 1.5, Phase: phaseRun, Open: 1000, PerSecond: 123456.7, P50: 5e5, P99: 1.5e6, Max: 3e6, ServerCPU: 0.5, ServerRSS: 1 << 20, Errors: 7},
		{At: 1.6, Phase: phaseDrain, Open: 1000},
	}
	for terminal, want := range map[bool]string{
		false: "   0.5 s  ramp    1,000 of 1,000 connections, 2,080/s, p50 1 ms, p99 2 ms\n" +
			"   1.5 s  run     123,457 messages/s, p50 500 µs, p99 1.5 ms, server 0.50 cores 1 MiB, 7 errors\n",
		true: "\r   0.2 s  ramp    [===========             ] 480 of 1,000 connections, 1,920/s" +
			"\r   0.5 s  ramp    [========================] 1,000 of 1,000 connections, 2,080/s, p50 1 ms, p99 2 ms" +
			"\r   1.5 s  run     123,457 messages/s, p50 500 µs, p99 1.5 ms, server 0.50 cores 1 MiB, 7 errors   \n",
	} {
		var b bytes.Buffer
		l := &live{w: &b, terminal: terminal, opts: &o, clock: newClock()}
		for i := range samples {
			l.show(&samples[i], samples[i].Open, 0)
		}
		l.done()
		l.done()
		if terminal { // the line is padded to cover the longer one before
			got, want := strings.TrimRight(b.String(), " \n"), strings.TrimRight(want, " \n")
			if got != want || !strings.HasSuffix(b.String(), "\n") {
				t.Errorf("%q, want %q", b.String(), want)
			}
			continue
		}
		if b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	}
	var b bytes.Buffer
	l := &live{w: &b, quiet: true, opts: &o}
	l.show(&samples[2], 0, 0)
	if b.Len() > 0 || isTerminal(&b) {
		t.Errorf("-quiet says %q", b.String())
	}
}

// cutOff is a script that lists what does not fit: text that is wider than its box, and drawings beyond their edge.
const cutOff = `<script>
const bad = [];
for (const e of document.querySelectorAll("body, main, header, header *, .card, .card *, .panel, .note, figure, h1, h2, h3, p, code")) {
  if (e.closest("svg")) continue;
  const style = getComputedStyle(e);
  if (style.display !== "inline" && e.scrollWidth > e.clientWidth + 1) bad.push(e.tagName + "." + e.className + " " + e.scrollWidth + ">" + e.clientWidth + ": " + e.textContent.slice(0, 40));
}
if (document.documentElement.scrollWidth > innerWidth) bad.push("the page is wider than the window");
for (const svg of document.querySelectorAll("svg")) {
  const box = svg.getBoundingClientRect();
  for (const e of svg.querySelectorAll("text, circle, polyline, rect")) {
    const b = e.getBoundingClientRect();
    if (b.width + b.height > 0 && (b.left < box.left - 0.5 || b.right > box.right + 0.5 || b.top < box.top - 0.5 || b.bottom > box.bottom + 0.5)) bad.push(svg.getAttribute("aria-label") + ": " + e.tagName + " " + e.textContent + " is beyond the edge");
  }
  const label = [...svg.querySelectorAll("text.label")].pop().getBoundingClientRect();
  for (const e of svg.querySelectorAll("text.yt")) if (e.getBoundingClientRect().left < label.right + 1) bad.push(svg.getAttribute("aria-label") + ": the label " + e.textContent + " touches the name of the axis");
  const texts = [...svg.querySelectorAll("text.xt")].map(e => e.getBoundingClientRect());
  for (let i = 1; i < texts.length; i++) if (texts[i].left < texts[i - 1].right + 1) bad.push(svg.getAttribute("aria-label") + ": labels " + (i - 1) + " and " + i + " of the x axis touch");
}
document.body.setAttribute("data-cut-off", bad.length ? bad.join(" | ") : "nothing");
</script>`

// The report in a browser: nothing is cut off, wide or narrow, and it is not blank, light or dark.
func TestReportInBrowser(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Chromium is not here, but CI=true demands it: scripts/chromium.sh installs it")
		}
		t.Skip("Chromium is not here: scripts/chromium.sh installs it")
	}
	dir := t.TempDir()
	report := filepath.Join(dir, "report.html")
	if err := sampleResult(broadcast).writeHTML(report); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	probe := filepath.Join(dir, "probe.html")
	if err := os.WriteFile(probe, []byte(strings.Replace(string(text), "</body>", cutOff+"</body>", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	browse := func(page string, args ...string) []byte {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + filepath.Join(dir, "profile")}, args...)
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, chromium, append(args, (&url.URL{Scheme: "file", Path: page}).String())...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err = errors.Join(err, ctx.Err()); err != nil {
			t.Fatalf("chromium %v: %v\n%s", args, err, stderr.String())
		}
		return out
	}
	for _, width := range []int{1280, 500} { // headless Chromium makes no narrower window
		dom := string(browse(probe, "--dump-dom", fmt.Sprintf("--window-size=%d,900", width)))
		m := regexp.MustCompile(`data-cut-off="([^"]*)"`).FindStringSubmatch(dom)
		if m == nil || m[1] != "nothing" {
			t.Errorf("%d wide: cut off: %v", width, m)
		}
	}
	for _, dark := range []bool{false, true} {
		shot := filepath.Join(dir, fmt.Sprintf("dark-%t.png", dark))
		scheme := 1
		if dark {
			scheme = 0
		}
		browse(report, "--screenshot="+shot, "--window-size=1280,2400", fmt.Sprintf("--blink-settings=preferredColorScheme=%d", scheme))
		f, err := os.Open(shot)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		img, err := png.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		colours := map[[3]uint32]int{}
		for y := 0; y < img.Bounds().Dy(); y += 3 {
			for x := 0; x < img.Bounds().Dx(); x += 3 {
				r, g, b, _ := img.At(x, y).RGBA()
				colours[[3]uint32{r >> 8, g >> 8, b >> 8}]++
			}
		}
		r, _, _, _ := img.At(2, 2).RGBA()
		if len(colours) < 100 || (r>>8 < 0x40) != dark {
			t.Errorf("dark %t: %d colours, the corner has a red of %d", dark, len(colours), r>>8)
		}
		if keep := os.Getenv("LOADGEN_SCREENSHOTS"); keep != "" { // to look at
			b, err := os.ReadFile(shot)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(keep, filepath.Base(shot)), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
