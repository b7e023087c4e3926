package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// runIn runs the program in testdata.
func runIn(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(args, dir, &out, &errs)
	return code, out.String(), errs.String()
}

// TestGolden: what is written for the hubs of testdata is what is kept there; examples/typescript compiles these files.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args string
	}{
		{"chat", "-client ChatClient ./chat Chat"},
		{"camel", "-names camel -client-names go -client Chat=ChatClient ./chat Chat"},
		{"two", "-client Chat=github.com/spokehub/spoke/cmd/spokegen/testdata/chat.ChatClient ./chat Chat ./news/chat Chat"},
		{"shapes", "./shapes Shapes"},
		{"nil-slices", "-nil-slices -type github.com/spokehub/spoke/cmd/spokegen/testdata/shapes.Money=string|null ./shapes Shapes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("golden", tt.name+".d.ts")
			args := append([]string{"-out", file}, strings.Fields(tt.args)...)
			if *update {
				if code, _, stderr := runIn(t, "testdata", args...); code != 0 {
					t.Fatal(stderr)
				}
			}
			if code, _, stderr := runIn(t, "testdata", append([]string{"-check"}, args...)...); code != 0 {
				t.Errorf("code %d: %s", code, stderr)
			}
		})
	}
}

func TestOut(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hubs.d.ts")
	args := []string{"-out", file, "./news/chat", "Chat"}
	check := append([]string{"-check"}, args...)

	if code, _, stderr := runIn(t, "testdata", check...); code != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("-check without the file: %d, %s", code, stderr)
	}
	if code, stdout, stderr := runIn(t, "testdata", args...); code != 0 || stdout != "" {
		t.Fatalf("%d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := runIn(t, "testdata", check...); code != 0 {
		t.Errorf("-check of what was just written: %d, %s", code, stderr)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := runIn(t, "testdata", "./news/chat", "Chat"); code != 0 || stdout != string(written) {
		t.Errorf("to standard output: %d, %s, %d bytes; the file has %d", code, stderr, len(stdout), len(written))
	}
	if err := os.WriteFile(file, []byte("// changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "spokegen: " + file + " is not current: run spokegen again without -check\n"
	if code, _, stderr := runIn(t, "testdata", check...); code != 1 || stderr != want {
		t.Errorf("-check of a changed file: %d, %s", code, stderr)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "// changed\n" {
		t.Errorf("-check has written: %q, %v", b, err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	const help = "name a package and its hub types, for instance: ./chat Chat (-help shows more)"
	for _, tt := range []struct{ args, want string }{
		{"", help},
		{"./chat", help},
		{"Chat", "Chat: the package of a hub type comes before it, for instance: . Chat"},
		{"./chat ./news Chat", "no hub type is named after the package ./chat"},
		{"./chat Chat Chat", "Chat of ./chat is named twice"},
		{"-check ./chat Chat", "-check compares with a file: name it by -out"},
		{"-client News=X ./chat Chat", "-client News=X: no hub of that name is given"},
		{"-client X -client Y ./chat Chat", `invalid value "Y" for flag -client: X is the client interface of all hubs already; say HUB=Y`},
		{"-client =X ./chat Chat", `invalid value "=X" for flag -client: want HUB=interface`},
		{"-client Chat=X -client Chat=Y ./chat Chat", `invalid value "Chat=Y" for flag -client: Chat has the client interface X already`},
		{"-names snake ./chat Chat", `invalid value "snake" for flag -names: want go (Send) or camel (send)`},
		{"-type Money=string ./chat Chat", `invalid value "Money=string" for flag -type: want import/path.Name=TypeScript, for instance github.com/google/uuid.UUID=string`},
		{"-type a/b.C=string -type a/b.C=number ./chat Chat", `invalid value "a/b.C=number" for flag -type: a/b.C is declared as string already`},
		{"-nothing ./chat Chat", "flag provided but not defined: -nothing"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := runIn(t, "testdata", strings.Fields(tt.args)...)
			if want := "spokegen: " + tt.want + "\n"; code != 2 || stdout != "" || stderr != want {
				t.Errorf("got  %d, %s%swant %s", code, stdout, stderr, want)
			}
		})
	}
	if code, _, stderr := runIn(t, "testdata", "-help"); code != 0 || !strings.Contains(stderr, "Usage:") || !strings.Contains(stderr, "-nil-slices") {
		t.Errorf("-help: %d, %s", code, stderr)
	}
}
