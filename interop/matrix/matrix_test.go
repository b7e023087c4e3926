package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suites gives a run in which all has passed, in the form of Node's reporter.
func suites(t *testing.T, change func(xml string) string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("<testsuites>\n<testcase name=\"another test\" classname=\"test\"/>\n")
	for _, c := range clients {
		for _, p := range protocols {
			suite := strings.Replace(c, "*", "1.2", 1) + ", " + p
			b.WriteString(`<testsuite name="` + suite + `">` + "\n")
			for _, s := range sections {
				for _, f := range s.features {
					if reasonFor(suite, f) == 0 {
						b.WriteString(`<testcase name="` + strings.ReplaceAll(f, "&", "&amp;") + `" classname="test"/>` + "\n")
					}
				}
			}
			b.WriteString("</testsuite>\n")
		}
	}
	b.WriteString("</testsuites>\n")
	file := filepath.Join(t.TempDir(), "results.xml")
	if err := os.WriteFile(file, []byte(change(b.String())), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPageIsWhatWasRun(t *testing.T) {
	t.Parallel()
	file := suites(t, func(xml string) string { return xml })
	page := filepath.Join(t.TempDir(), "page.md")
	var out strings.Builder
	if err := run([]string{"-write", "-into", page, file}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-check", "-into", page, file}, io.Discard, io.Discard); err != nil {
		t.Error("the page that was just written:", err)
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| groups | yes | yes |", "| client results: several questions at once | yes | yes | yes | yes | [1] | [1] | [1] | [1] | yes | yes |", "Java 1.2<br>MessagePack"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page has no %q:\n%s", want, b)
		}
	}
	if !strings.Contains(out.String(), "streaming up and down in one call") {
		t.Errorf("printed no table:\n%s", out.String())
	}
	if err := os.WriteFile(page, append(b, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-check", "-into", page, file}, io.Discard, io.Discard); err == nil {
		t.Error("another page passes the check")
	}
}

func TestEachFaultIsTold(t *testing.T) {
	t.Parallel()
	const groups = `<testcase name="groups" classname="test"/>`
	once := func(old, new string) func(string) string {
		return func(xml string) string { return strings.Replace(xml, old, new, 1) }
	}
	for _, test := range []struct {
		name   string
		change func(string) string
		want   string
	}{
		{"a failure", once(groups, `<testcase name="groups"><failure/></testcase>`), `"groups" failed`},
		{"an error", once(groups, `<testcase name="groups"><error/></testcase>`), `"groups" failed`},
		{"a skipped test", once(groups, `<testcase name="groups"><skipped/></testcase>`), `"groups" was skipped`},
		{"a missing test", once(groups, ""), `no test of "groups", and no reason`},
		{"an unknown test", once(groups, groups+`<testcase name="new"/>`), `"new" is no feature`},
		{"a reason for what passed", once(`<testsuite name="JavaScript 6.1.2 in Node, JSON">`, `<testsuite name="JavaScript 6.1.2 in Node, JSON"><testcase name="client results: several questions at once"/>`), "though reasons.go says"},
		{"a missing client", func(xml string) string { return strings.ReplaceAll(xml, `name="Java `, `name="other `) }, "no results of Java * with JSON"},
		{"no XML", func(string) string { return "ok" }, "no JUnit XML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := run([]string{suites(t, test.change)}, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
