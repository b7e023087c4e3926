package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme: the README's table is the one of the results that the repository has.
func TestReadme(t *testing.T) {
	t.Parallel()
	r, err := readResults("..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", readmeFile))
	if err != nil {
		t.Fatal(err)
	}
	if want := r.readme(); !strings.Contains(string(text), want) {
		t.Errorf("the README does not have the table of results.json, which is\n%s", want)
	}
}

func TestWriteReadme(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), readmeFile)
	write := func(text string) error {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return example().writeReadme(file)
	}
	if err := write("before\n" + readmeBegin + "old\n" + readmeEnd + "after\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	want := "before\n" + readmeBegin + "| Figure | limit\\* | Spoke | gorilla\\* |\n| --- | --- | --- | --- |\n| JSON echo <1>, µs | 9.00 | 9.90 (1.10) | 21.5 (2.50) |\n" + readmeEnd + "after\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
	if err := write("nothing\n"); err == nil || !strings.Contains(err.Error(), "between which the table belongs") {
		t.Errorf("a README without the lines: %v", err)
	}
}
