package spoke_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeProgram: the program in the README compiles as it stands there, and its hub is the one of examples/chat.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	readme := readFile(t, "README.md")
	_, block, ok := strings.Cut(readme, "```go\n")
	if !ok {
		t.Fatal("the README has no Go program")
	}
	block, _, _ = strings.Cut(block, "```")
	file := filepath.Join(t.TempDir(), "main.go")
	source := "package main\n\nimport (\n\"context\"\n\"log\"\n\"os\"\n\"os/signal\"\n\"syscall\"\n\n\"github.com/spokehub/spoke\"\n)\n\n" + block
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("the README's program: %v\n%s", err, out)
	}
	example := readFile(t, "examples/chat/main.go")
	hub := regexp.MustCompile(`(?s)func \(Chat\) Send\(.*?\n}\n`)
	if in, there := hub.FindString(block), hub.FindString(example); in == "" || in != there {
		t.Errorf("the hub method is not that of examples/chat:\n%s\n%s", in, there)
	}
}

// TestDocumentedCode: the Go code in the documents is that of the examples which run with the tests, paragraph by paragraph, white space aside.
func TestDocumentedCode(t *testing.T) {
	t.Parallel()
	space := regexp.MustCompile(`\s+`)
	flat := func(code string) string { return strings.TrimSpace(space.ReplaceAllString(code, " ")) }
	fenced, indented := regexp.MustCompile("(?s)```go\n(.*?)```"), regexp.MustCompile(`(?m)^    func (?:.*\n|\n    )+?    }\n`)
	for document, where := range map[string]string{"docs/hubs.md": "hubs_example_test.go", "docs/streams.md": "streams_example_test.go"} {
		example := flat(readFile(t, where))
		text := readFile(t, document)
		found := 0
		for _, block := range append(fenced.FindAllString(text, -1), indented.FindAllString(text, -1)...) {
			block = strings.TrimSuffix(strings.TrimPrefix(block, "```go\n"), "```")
			for part := range strings.SplitSeq(block, "\n\n") {
				if found++; !strings.Contains(example, flat(part)) {
					t.Errorf("%s: this is not in %s:\n%s", document, where, part)
				}
			}
		}
		if found < 2 {
			t.Errorf("%s: %d pieces of code were found: the expressions are wrong", document, found)
		}
	}
}

// TestLinks: what the documents of the project link to is there.
func TestLinks(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`") // f[T](x) is no link
	link := regexp.MustCompile(`\]\(([^)#: ]+)[^)]*\)`)
	found := 0
	for _, file := range append(files, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(readFile(t, file), ""), -1) {
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d links were found: the expression is wrong", found)
	}
}

// TestDeployDocument: docs/deploy.md shows the files of examples/deploy as they are.
func TestDeployDocument(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("examples/deploy/*")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	doc := readFile(t, "docs/deploy.md")
	for _, file := range files {
		if !strings.Contains(doc, "\n"+readFile(t, file)+"```\n") {
			t.Errorf("docs/deploy.md does not show %s as it is", file)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
