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
		b.WriteString(`<testsuite name="a client's">` + "\n")
		for _, w := range ways {
			if w.client = strings.Replace(c, "*", "1.2", 1); reasonForNone(w) > 0 {
				continue
			}
			b.WriteString(`<testsuite name="` + w.String() + `">` + "\n")
			for _, s := range sections {
				for _, f := range s.features {
					if reasonFor(w, f) == 0 {
						b.WriteString(`<testcase name="` + strings.ReplaceAll(f, "&", "&amp;") + `" classname="test"/>` + "\n")
					}
				}
			}
			b.WriteString("</testsuite>\n")
		}
		b.WriteString("</testsuite>\n")
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
	for _, want := range []string{
		"| groups | yes | yes | yes |", "| client results: several questions at once | [4] | [4] | [4] |", "## Java 1.2\n", "LongPolling<br>http<br>MessagePack |", "| Java 1.2 | 42 of 44 | 42 of 44 | [2] | [1] |",
	} {
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
		{"a reason for what passed", once(`<testsuite name="JavaScript 6.1.2 in Node, JSON, WebSockets, http">`, `<testsuite name="JavaScript 6.1.2 in Node, JSON, WebSockets, http"><testcase name="client results: several questions at once"/>`), "though reasons.go says"},
		{"a missing client", func(xml string) string { return strings.ReplaceAll(xml, `name="Java `, `name="other `) }, "no results of Java *, JSON, WebSockets, http"},
		{"a missing way", func(xml string) string {
			return strings.ReplaceAll(xml, "MessagePack, LongPolling", "other, LongPolling")
		}, "no results of JavaScript 10.* in Node, MessagePack, LongPolling, http"},
		{"a way that there is not", func(xml string) string {
			return strings.Replace(xml, "Node, JSON, LongPolling", "Node, JSON, Pigeons", 1)
		}, "JSON, Pigeons, http is no column"},
		{"results of what cannot be", once("in Chromium, JSON, ServerSentEvents", "in Chromium, MessagePack, ServerSentEvents"), "though reasons.go says that there is no such thing"},
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
