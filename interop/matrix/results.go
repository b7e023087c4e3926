package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// results are the test cases of the files read so far.
type results []result

type result struct {
	column  column
	ok      bool // it is of a column
	name    string
	passed  bool
	skipped bool
}

// junit is what Node's reporter and Surefire have in common. Surefire has the suite's name at each case, too, and Node's says "test" there.
type junit struct {
	XMLName xml.Name
	Name    string      `xml:"name,attr"`
	Suites  []junit     `xml:"testsuite"`
	Cases   []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string    `xml:"name,attr"`
	Failure *struct{} `xml:"failure"`
	Error   *struct{} `xml:"error"`
	Skipped *struct{} `xml:"skipped"`
}

// read adds the cases of a file.
func (r *results) read(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var doc junit
	if err := xml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("%s is no JUnit XML: %w", file, err)
	}
	r.add(doc)
	return nil
}

func (r *results) add(suite junit) {
	for _, s := range suite.Suites {
		r.add(s)
	}
	column, ok := columnOf(suite.Name)
	for _, c := range suite.Cases {
		*r = append(*r, result{
			column: column, ok: ok, name: strings.TrimSpace(c.Name),
			passed: c.Failure == nil && c.Error == nil && c.Skipped == nil, skipped: c.Skipped != nil,
		})
	}
}
