// Command matrix writes docs/compatibility.md, the tables of official clients and features, by hub protocol, transport and scheme, from the JUnit results of a test run:
//
//	go run ./interop/matrix [-write | -check] [-into docs/compatibility.md] RESULTS.xml...
//
// It always prints the table. A cell that no test has filled must have its reason in reasons.go, and a test that no line of features.go names is an
// error: so the page cannot say more, nor less, than what was run. -check fails if the page is another one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "matrix:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out, errs io.Writer) error {
	fs := flag.NewFlagSet("matrix", flag.ContinueOnError)
	fs.SetOutput(errs)
	into := fs.String("into", "docs/compatibility.md", "the page")
	write := fs.Bool("write", false, "write the page")
	check := fs.Bool("check", false, "fail if the page is not what this run gives")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return errors.New("want files with JUnit results: run make test-js test-java first")
	}
	var results results
	for _, name := range fs.Args() {
		if err := results.read(name); err != nil {
			return err
		}
	}
	m, err := newMatrix(results)
	if err != nil {
		return err
	}
	fmt.Fprint(out, m.text())
	page := m.page()
	switch {
	case *write:
		return os.WriteFile(*into, []byte(page), 0o644)
	case *check:
		old, err := os.ReadFile(*into)
		if err != nil {
			return err
		}
		if string(old) != page {
			return fmt.Errorf("%s is not what this run gives: run make compatibility and look at the difference", *into)
		}
	}
	return nil
}
