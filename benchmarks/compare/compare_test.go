package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want []string // in the error; nil: none
	}{
		{"none", nil, nil},
		{"all", []string{"-rounds", "5", "-duration", "1s", "-hold", "2s", "-quick", "-only", "echo, burst", "-servers", "limit,spoke", "-server-cpu", "-1"}, nil},
		{"argument", []string{"echo"}, []string{`"echo"`, "flags only"}},
		{"rounds", []string{"-rounds", "0"}, []string{"-rounds is 0", "1 to 100"}},
		{"duration", []string{"-duration", "1ms"}, []string{"-duration is 1ms", "100ms to 10m"}},
		{"hold", []string{"-hold", "2h"}, []string{"-hold is 2h", "to 1h"}},
		{"processor", []string{"-client-cpu", "-2"}, []string{"-client-cpu is -2"}},
		{"figure", []string{"-only", "ecko"}, []string{`"ecko"`, "echo-workers"}},
		{"server", []string{"-servers", "nginx"}, []string{`"nginx"`, "philippseith"}},
		{"all at once", []string{"-rounds", "0", "-only", "x", "y"}, []string{"-rounds", "-only", `"y"`}},
		{"unknown flag", []string{"-x"}, []string{"-x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseOptions(tt.args, io.Discard)
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("the error is %v", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error is %q, want %q in it", err, w)
				}
			}
		})
	}
	var help bytes.Buffer
	if _, err := parseOptions([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-quick") {
		t.Errorf("-h: %v, %q", err, &help)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestFormatValue(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.00071: "0.00071", 0.52: "0.52", 8.437: "8.44", 12.345: "12.3", 123.4: "123", 1234.5: "1,234", 1234567: "1,234,567", -1234: "-1.2e+03",
	} {
		if got := formatValue(v); got != want {
			t.Errorf("formatValue(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	p := &part{unit: "µs", reference: limitName}
	for _, tt := range []struct {
		bar          bar
		value, ratio float64
		want         bool
		text         string
	}{
		{bar{ratio: true, limit: 1.2}, 99, 1.2, true, "≤ 1.2 × limit"},
		{bar{ratio: true, limit: 1.2}, 1, 1.21, false, "≤ 1.2 × limit"},
		{bar{limit: 0.5}, 0.5, 9, true, "≤ 0.5 µs"},
		{bar{limit: 0.5}, 0.51, 0, false, "≤ 0.5 µs"},
		{bar{limit: 5000, least: true}, 5000, 0, true, "≥ 5000 µs"},
		{bar{limit: 5000, least: true}, 4999, 0, false, "≥ 5000 µs"},
	} {
		if got := tt.bar.met(tt.value, tt.ratio); got != tt.want {
			t.Errorf("%+v met by %v, %v: %t", tt.bar, tt.value, tt.ratio, got)
		}
		if got := tt.bar.text(p); got != tt.text {
			t.Errorf("%+v is %q, want %q", tt.bar, got, tt.text)
		}
	}
}

// TestExperiments: names are unique, references are measured, and every figure can be computed.
func TestExperiments(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i := range experiments {
		e := &experiments[i]
		if seen["e:"+e.name] || e.idle == (e.load != nil) {
			t.Errorf("experiment %q: its name is there twice, or it has not exactly one way to load", e.name)
		}
		seen["e:"+e.name] = true
		for k := range e.parts {
			p := &e.parts[k]
			if p.name == "" || seen["p:"+p.name] || (p.value == nil) != e.idle {
				t.Errorf("part %q of %s: its name is missing or there twice, or it has no value", p.name, e.name)
			}
			seen["p:"+p.name] = true
			measured := p.reference == ""
			for n := range allServers {
				measured = measured || allServers[n].name == p.reference && e.servers(&allServers[n])
			}
			if !measured {
				t.Errorf("%s is a ratio to %s, which is not measured", p.name, p.reference)
			}
			judged := allServers[slices.IndexFunc(allServers, func(s server) bool { return s.name == cmp.Or(p.judged, oursName) })]
			if len(p.bars) > 0 && (judged.name == p.reference || e.servers != nil && !e.servers(&judged)) {
				t.Errorf("the bars of %s are for %s, which is measured against itself or not at all", p.name, judged.name)
			}
		}
	}
}

func TestHasBackend(t *testing.T) {
	t.Parallel()
	const help = "Flags:\n  -drain duration\n    \tgnet\n  -engine string\n    \tconnection backend: epoll (default on Linux), %s or memory\n  -x\n    \tgnet\n"
	if hasBackend(strings.Replace(help, "%s", "kqueue", 1), "gnet") {
		t.Error("gnet was found where there is none")
	}
	if !hasBackend(strings.Replace(help, "%s", "gnet", 1), "gnet") {
		t.Error("gnet was not found")
	}
}

// TestPeerVersions: each peer's version is the one that its go.mod has.
func TestPeerVersions(t *testing.T) {
	t.Parallel()
	for _, s := range allServers {
		if s.module == "" {
			continue
		}
		if v, err := moduleVersion(filepath.Join("..", "peers", "go.mod"), s.module); err != nil || !strings.HasPrefix(v, "v") {
			t.Errorf("%s: %q, %v", s.module, v, err)
		}
	}
	if _, err := moduleVersion(filepath.Join("..", "peers", "go.mod"), "example.com/none"); err == nil {
		t.Error("a module was found that is not there")
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const good = `{"ended":"complete","seconds":5,"perSecond":1000,"latency":[{"percentile":50,"ns":1},{"percentile":99,"ns":2000000}],"server":{"cpuSeconds":0.05}`
	for _, tt := range []struct {
		name, text string
		note, err  string // parts of them
	}{
		{"good", good + `}`, "", ""},
		{"few lost", good + `,"lost":3,"lostWithConnection":2}`, "5 messages lost", ""},
		{"many lost", good + `,"lost":6}`, "", "6 messages lost"},
		{"errors", good + `,"total":{"errors":{"reset":{"count":9,"first":"by peer"}}}}`, "", "9 x reset: by peer"},
		{"overtaken", good + `,"total":{"overtaken":7,"duplicates":2}}`, "7 of 5000 messages came out of order; 2 messages came twice", ""},
		{"incomplete", `{"ended":"interrupted"}`, "", "interrupted"},
		{"nothing", `{"ended":"complete"}`, "", "nothing was measured"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r loadResult
			if err := json.Unmarshal([]byte(tt.text), &r); err != nil {
				t.Fatal(err)
			}
			note, err := r.judge()
			if !strings.Contains(note, tt.note) || (note == "") != (tt.note == "") {
				t.Errorf("the note is %q, want %q", note, tt.note)
			}
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("the error is %v, want %q", err, tt.err)
			}
			if tt.name == "good" && (microsPerUnit(&r) != 10 || unitsPerCore(&r) != 100_000 || p99Millis(&r) != 2) {
				t.Errorf("%v µs, %v a core, p99 %v ms", microsPerUnit(&r), unitsPerCore(&r), p99Millis(&r))
			}
		})
	}
}

// example has a figure with three rounds, one of which failed for a peer.
func example() *results {
	f := &figure{Name: "echo", Title: "JSON echo <1>", Unit: "µs", part: &experiments[0].parts[0]}
	add := func(name string, ours bool, values ...float64) {
		for _, v := range values {
			x := sample{Value: v, Rate: 1000, Cores: 0.9, P99: 1.5}
			if v == 0 {
				x = sample{Error: "it fell over\nwith a long text"}
			}
			f.add(&server{name: name, title: titleOf(name), ours: ours}, "echo -depth 1", x)
		}
	}
	add(limitName, false, 8, 10, 9)
	add(oursName, true, 9.6, 11, 9.9) // 1.2, 1.1, 1.1
	add("gorilla", false, 16, 0, 27)
	for i := range 3 {
		f.compare(i)
	}
	r := &results{Command: "compare", Commit: "abc", Rounds: 3, Pinned: "not", Figures: []*figure{f}, Left: []string{"x: y"}, Million: "a million"}
	for _, n := range []string{limitName, oursName, "gorilla"} {
		r.Servers = append(r.Servers, program{Name: n, Title: titleOf(n), Command: n})
	}
	return r
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := example().markdown()
	for _, want := range []string{
		"| JSON echo <1> | ≤ 1.2 × limit | 9.90 µs (9.60 to 11.0) | 9.00 µs (8.00 to 10.0) | 1.10 (1.10 to 1.20) | met |",
		`| Figure | limit\* | Spoke | gorilla\* |`,
		"| JSON echo <1>, µs | 9.00 | 9.90 (1.10) | 21.5 (2.50) |",
		"| Spoke | 9.90 | 9.60 to 11.0 | 1.10 (1.10 to 1.20) | 1,000 | 0.90 | 1.50 ms |",
		"* gorilla, round 2 is no figure: it fell over\n",
		"Load: `loadgen echo -depth 1 …",
		"a million", "x: y", "](results.svg)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for i, line := range strings.Split(text, "\n") { // every row of a table has as many cells as the one above
		above := strings.Split(text, "\n")[max(i-1, 0)]
		if strings.HasPrefix(line, "|") && strings.HasPrefix(above, "|") && strings.Count(line, "|") != strings.Count(above, "|") {
			t.Errorf("a row has other cells than the one above:\n%s\n%s", above, line)
		}
	}
	r := example()
	r.Figures[0].row(oursName).Samples = []sample{{Value: 13, Ratio: 1.3}}
	if !strings.Contains(r.markdown(), "| **missed** |") {
		t.Error("a missed bar is not marked")
	}
	r.Figures[0].row(oursName).Samples = []sample{{Error: "no"}}
	if !strings.Contains(r.markdown(), "| not measured |") || r.failure() == nil {
		t.Error("a figure that Spoke does not have is not marked")
	}
	r = example()
	r.Figures[0] = &figure{Name: eventsExperiment, Title: "events", Unit: "µs", part: findPart(eventsExperiment)}
	for name, v := range map[string]float64{oursName: 10, eventsName: 12} {
		r.Figures[0].add(&server{name: name, title: titleOf(name)}, "broadcast", sample{Value: v})
	}
	r.Figures[0].compare(0)
	if want := "| events | ≤ 1.15 × Spoke | 12.0 µs | 10.0 µs | 1.20 | **missed** |"; !strings.Contains(r.markdown(), want) {
		t.Errorf("event streams are not held against WebSockets: want %q in\n%s", want, r.markdown())
	}
	if err := example().failure(); err != nil {
		t.Errorf("a peer's failure is one of the comparison: %v", err)
	}
}

// TestChart: the SVG is well-formed, and its bars lie inside.
func TestChart(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*results{"example": example(), "empty": {}} {
		d := xml.NewDecoder(strings.NewReader(r.chart()))
		bars := 0
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "rect" {
				var x, width float64
				for _, a := range e.Attr {
					switch a.Name.Local {
					case "class":
						bars++
					case "x":
						_ = json.Unmarshal([]byte(a.Value), &x)
					case "width":
						_ = json.Unmarshal([]byte(a.Value), &width)
					}
				}
				if x < 0 || width <= 0 || x+width > chartWidth {
					t.Errorf("%s: a bar from %v, %v wide", name, x, width)
				}
			}
		}
		if name == "example" && (bars != 2 || !r.hasChart()) {
			t.Errorf("%d bars, want those of two servers", bars)
		}
	}
}

// TestQuick builds and measures for real: one short round, not pinned, so that it runs wherever the tests do.
func TestQuick(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out, log bytes.Buffer
	args := []string{"-quick", "-only", "echo,echo-workers,burst,idle", "-servers", "limit,limit-coalesce,spoke", "-server-cpu", "-1", "-client-cpu", "-1", "-out", dir}
	if err := run(context.Background(), args, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A smoke run", "| JSON echo, depth 1, 1,000 connections, inline method | ≤ 1.2 × limit |", "| limit | ", "| Spoke | ", "RSS slope"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	var r results
	data, err := os.ReadFile(filepath.Join(dir, dataFile))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil || len(r.Figures) != 6 {
		t.Fatalf("%s: %v, %d figures", dataFile, err, len(r.Figures))
	}
	for _, f := range r.Figures {
		for _, w := range f.Rows {
			if len(w.Samples) != 1 || w.Samples[0].Value <= 0 && f.Name != "idle-cpu" && !strings.HasPrefix(f.Name, "idle-memory") {
				t.Errorf("%s of %s: %+v", f.Name, w.Title, w.Samples)
			}
		}
	}
	if s, err := os.ReadFile(filepath.Join(dir, chartFile)); err != nil || !bytes.HasPrefix(s, []byte("<svg")) {
		t.Errorf("%s: %v", chartFile, err)
	}
}

// TestInterrupted: what was measured until then is kept, and -resume goes on from there.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	log := &cancelling{on: "echo, round 1 of 1: limit", cancel: cancel}
	args := []string{"-quick", "-only", "echo", "-servers", "limit,spoke", "-server-cpu", "-1", "-out", dir}
	err := run(ctx, args, io.Discard, log)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("the error is %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, partialDir, resultsFile))
	if err != nil || !strings.Contains(string(text), "| limit | ") || !strings.Contains(string(text), "not measured") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := os.Stat(filepath.Join(dir, resultsFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a comparison stands where a whole one belongs: %v", err)
	}
	was, err := readResults(filepath.Join(dir, partialDir))
	if err != nil {
		t.Fatal(err)
	}

	// It goes on: what was measured is not measured again.
	if err := run(context.Background(), append(args, "-servers", "limit", "-resume"), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "other flags") {
		t.Fatalf("with other flags it went on: %v", err)
	}
	var out bytes.Buffer
	if err := run(context.Background(), append(args, "-resume"), io.Discard, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	r, err := readResults(dir)
	if err != nil || r.Resumed != 1 {
		t.Fatalf("%v, %+v", err, r)
	}
	f := r.find("echo")
	if before, now := was.find("echo").row(limitName), f.row(limitName); len(now.Samples) != 1 || now.Samples[0].Value != before.Samples[0].Value {
		t.Errorf("the limit was measured again: %+v, %+v", before, now)
	}
	if w := f.row(oursName); w == nil || len(w.Samples) != 1 || w.Samples[0].Ratio == 0 {
		t.Errorf("Spoke: %+v", w)
	}
	if !strings.Contains(out.String(), "1 runs, about") || !strings.Contains(out.String(), "run 1 of 1, 0 s left") {
		t.Errorf("the progress is\n%s", &out)
	}
	if _, err := os.Stat(filepath.Join(dir, partialDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was partial is still there: %v", err)
	}
	if err := run(context.Background(), append(args, "-resume"), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "no comparison") {
		t.Errorf("it went on with nothing: %v", err)
	}
}

// cancelling is a log that cancels when it reads a text.
type cancelling struct {
	on     string
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.on)) {
		c.cancel()
	}
	return len(p), nil
}
