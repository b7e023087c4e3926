package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spokehub/spoke/internal/procfs"
)

// results are what a comparison has shown. They are results.json, and all that the tables and the chart are made of.
type results struct {
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Resumed int       `json:"resumed,omitempty"` // how often it was interrupted and went on
	Command string    `json:"command"`
	Commit  string    `json:"commit"`
	Quick   bool      `json:"quick,omitempty"`
	Rounds  int       `json:"rounds"`
	Pinned  string    `json:"pinned"`
	Machine machine   `json:"machine"`
	Servers []program `json:"servers"`
	Left    []string  `json:"leftOut,omitempty"`
	Figures []*figure `json:"figures"`
	Million string    `json:"million,omitempty"`
}

// program is a server that was measured.
type program struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version,omitempty"`
	Remark  string `json:"remark"`
	Command string `json:"command"`
}

// machine is where it was measured.
type machine struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	Memory     string `json:"memory"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
}

func thisMachine() machine {
	m := machine{Processors: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = procfs.CPUModel()
	if n, ok := procfs.Memory(); ok {
		m.Memory = fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	if k := procfs.Kernel(); k != "" {
		m.Kernel = "Linux " + k
	}
	return m
}

// commit is what was measured: the revision, and whether files were changed after it.
func commit(root string) string {
	rev, err := exec.Command("git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "(unknown)"
	}
	text := strings.TrimSpace(string(rev))
	if changes, err := exec.Command("git", "-C", root, "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changes) > 0 {
		text += " with changes"
	}
	return text
}

func (b *bench) newResults() *results {
	o := b.opts
	r := &results{Began: time.Now().UTC().Truncate(time.Second), Command: o.commandRun, Commit: commit(o.root), Quick: o.quick, Rounds: b.rounds(), Machine: thisMachine()}
	pin := ""
	r.Pinned = "server and client are not pinned"
	if b.pin != nil {
		r.Pinned = fmt.Sprintf("server on processor %d, client on processor %d", o.serverCPU, o.clientCPU)
		pin = strings.Join(b.pin(false), " ") + " "
	}
	for i := range b.servers {
		s := &b.servers[i]
		c := "GOMAXPROCS=1 " + pin + strings.Join(b.command(s, "127.0.0.1:PORT", ""), " ")
		r.Servers = append(r.Servers, program{s.name, s.title, s.version, s.remark, strings.ReplaceAll(c, b.binary("")+string(filepath.Separator), "")})
	}
	return r
}

// The files that are written.
const (
	resultsFile = "RESULTS.md"
	chartFile   = "results.svg"
	dataFile    = "results.json"
)

func (r *results) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text string
	}{{dataFile, string(data) + "\n"}, {chartFile, r.chart()}, {resultsFile, r.markdown()}} {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// failure says that Spoke or the limit has runs that are no figure: then the results are not what was asked for.
func (r *results) failure() error {
	var problems []error
	for _, f := range r.Figures {
		for i := range f.Rows {
			w := &f.Rows[i]
			for n, s := range w.Samples {
				if s.Error != "" && (w.Ours || w.Server == f.part.reference) {
					problems = append(problems, fmt.Errorf("%s, round %d, %s: %s", f.Name, n+1, w.Title, s.Error))
				}
			}
		}
	}
	return errors.Join(problems...)
}

// spread is the least and the most of values; NaN when there is none.
func spread(v []float64) (least, most float64) {
	if len(v) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(v), slices.Max(v)
}
