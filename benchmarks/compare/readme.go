package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// The README's table is part of the results: it lies between these two lines and is written together with RESULTS.md by a whole comparison.
const (
	readmeFile  = "README.md"
	readmeBegin = "<!-- benchmarks/compare writes this table -->\n"
	readmeEnd   = "<!-- to here -->\n"
)

// readmeFigures are the rows of the README's table.
var readmeFigures = []string{"echo", "echo-workers", "echo-deep", "broadcast-1k", "broadcast-10k", "burst", "group", "idle-memory", "connects", "p99"}

// readme is the README's table, between its two lines: Spoke's default backend, the limit, and who else was measured.
func (r *results) readme() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	b.WriteString(readmeBegin)
	var names []string
	for _, s := range r.Servers {
		if s.Name != coalesceName && s.Name != gnetName && s.Name != eventsName { // which has no row there
			names = append(names, s.Name)
		}
	}
	var figures []*figure
	for _, n := range readmeFigures {
		if f := r.find(n); f != nil {
			figures = append(figures, f)
		}
	}
	r.writeField(p, names, figures)
	b.WriteString(readmeEnd)
	return b.String()
}

// writeReadme replaces the table in a README.
func (r *results) writeReadme(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok1 := bytes.Cut(text, []byte(readmeBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(readmeEnd))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q, between which the table belongs", file, strings.TrimSpace(readmeBegin), strings.TrimSpace(readmeEnd))
	}
	return os.WriteFile(file, []byte(string(before)+r.readme()+string(after)), 0o644)
}
