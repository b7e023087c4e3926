package main

import (
	"errors"
	"fmt"
	"slices"
)

// matrix is the table: a column for each client and way, a line for each feature.
type matrix struct {
	clients []client
	passed  map[cell]bool
}

// client has its columns in the order of ways; where there can be none, the client's name is empty.
type client struct {
	name    string
	columns []column
}

type cell struct {
	column  column
	feature string
}

// newMatrix fills the table, or says all that keeps it from being filled.
func newMatrix(rs results) (*matrix, error) {
	m := &matrix{passed: map[cell]bool{}}
	var errs []error
	var columns []column
	for _, pattern := range clients {
		c := client{name: pattern}
		for _, w := range ways {
			w.client = pattern
			i := slices.IndexFunc(rs, func(r result) bool { return r.ok && fits(r.column.client, pattern) && r.column.way() == w.way() })
			switch none := reasonForNone(w) > 0; {
			case i < 0 && !none:
				errs = append(errs, fmt.Errorf("no results of %s", w))
			case i >= 0 && none:
				errs = append(errs, fmt.Errorf("there are results of %s, though reasons.go says that there is no such thing", rs[i].column))
			case i >= 0:
				w = rs[i].column
				c.name = w.client
				columns = append(columns, w)
			default:
				w.client = ""
			}
			c.columns = append(c.columns, w)
		}
		m.clients = append(m.clients, c)
	}
	known := map[string]bool{}
	for _, s := range sections {
		for _, f := range s.features {
			known[f] = true
		}
	}
	for _, r := range rs {
		switch {
		case !r.ok:
			// A test of something else, such as spoked's page.
		case !slices.Contains(columns, r.column):
			errs = append(errs, fmt.Errorf("%s is no column: see columns.go", r.column))
		case !known[r.name]:
			errs = append(errs, fmt.Errorf("%s: %q is no feature: add it to features.go", r.column, r.name))
		case r.skipped:
			errs = append(errs, fmt.Errorf("%s: %q was skipped", r.column, r.name))
		case !r.passed:
			errs = append(errs, fmt.Errorf("%s: %q failed", r.column, r.name))
		default:
			m.passed[cell{r.column, r.name}] = true
		}
	}
	for _, s := range sections {
		for _, f := range s.features {
			for _, c := range columns {
				switch reasoned := reasonFor(c, f) > 0; {
				case m.passed[cell{c, f}] && reasoned:
					errs = append(errs, fmt.Errorf("%s: %q passed, though reasons.go says that there is no such test", c, f))
				case !m.passed[cell{c, f}] && !reasoned && !slices.ContainsFunc(rs, func(r result) bool { return r.column == c && r.name == f }):
					errs = append(errs, fmt.Errorf("%s: no test of %q, and no reason in reasons.go", c, f))
				}
			}
		}
	}
	return m, errors.Join(errs...)
}

// mark is what a cell shows.
func (m *matrix) mark(c column, feature string) string {
	if m.passed[cell{c, feature}] {
		return "yes"
	}
	return fmt.Sprintf("[%d]", reasonFor(c, feature))
}

// count is what the first table shows of a column: how many features there are, or why it is none. The client is the name, also where the column has none.
func (m *matrix) count(client string, c column) string {
	if c.client == "" {
		c.client = client
		return fmt.Sprintf("[%d]", reasonForNone(c))
	}
	n, all := 0, 0
	for _, s := range sections {
		for _, f := range s.features {
			all++
			if m.passed[cell{c, f}] {
				n++
			}
		}
	}
	return fmt.Sprintf("%d of %d", n, all)
}

// real are the client's columns.
func (c *client) real() []column {
	return slices.DeleteFunc(slices.Clone(c.columns), func(c column) bool { return c.client == "" })
}
