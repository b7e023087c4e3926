package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// partialDir, in the directory of the results, holds what a comparison under way has measured: results.json after each run, and all three files when
// it was interrupted. -resume goes on from there. The directory is removed when the comparison has come to its end.
const partialDir = "partial"

// keep writes what has been measured. A reader, or a process that is killed, never leaves half a file.
func (r *results) keep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, dataFile)
	if err := os.WriteFile(file+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// readResults reads results.json.
func readResults(dir string) (*results, error) {
	data, err := os.ReadFile(filepath.Join(dir, dataFile))
	if err != nil {
		return nil, err
	}
	r := new(results)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, dataFile), err)
	}
	for _, f := range r.Figures {
		if f.part = findPart(f.Name); f.part == nil {
			return nil, fmt.Errorf("%s has the figure %q, which is unknown", filepath.Join(dir, dataFile), f.Name)
		}
	}
	return r, nil
}

// resume takes up what an earlier comparison has left in dir. Only the same command on the same commit goes together.
func (r *results) resume(dir string) error {
	old, err := readResults(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("-resume: there is no comparison in %s that could go on; begin one without -resume", dir)
	case err != nil:
		return fmt.Errorf("-resume: %w", err)
	case old.Command != r.Command:
		return fmt.Errorf("-resume: what is in %s was begun with other flags, by `%s`; give these, or begin anew without -resume", dir, old.Command)
	case old.Commit != r.Commit:
		return fmt.Errorf("-resume: what is in %s is of commit %s, this is %s; begin anew without -resume", dir, old.Commit, r.Commit)
	case old.Machine != r.Machine:
		return fmt.Errorf("-resume: what is in %s was measured on another machine (%+v, this is %+v); begin anew without -resume", dir, old.Machine, r.Machine)
	}
	r.Began, r.Figures, r.Million = old.Began, old.Figures, old.Million
	r.Resumed = old.Resumed + 1
	return nil
}

// find finds a figure; nil: nothing was measured for it.
func (r *results) find(name string) *figure {
	for _, f := range r.Figures {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// figure finds the figure of a part; it makes it when there is none yet.
func (r *results) figure(p *part) *figure {
	if f := r.find(p.name); f != nil {
		return f
	}
	f := &figure{Name: p.name, Title: p.title, Unit: p.unit, part: p}
	r.Figures = append(r.Figures, f)
	return f
}

// has says that a run has been made.
func (r *results) has(c *cell) bool {
	for k := range c.e.parts {
		f := r.find(c.e.parts[k].name)
		if f == nil {
			return false
		}
		if w := f.row(c.s.name); w == nil || len(w.Samples) <= c.round {
			return false
		}
	}
	return true
}

func findPart(name string) *part {
	for i := range experiments {
		for k := range experiments[i].parts {
			if p := &experiments[i].parts[k]; p.name == name {
				return p
			}
		}
	}
	return nil
}
