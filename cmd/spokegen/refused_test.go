package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/cmd/spokegen/testdata/bad"
	hubmethod "github.com/spokehub/spoke/hubrt/method"
)

// position is what spokegen puts in front of what is wrong with a hub.
var position = regexp.MustCompile(`(?m)^testdata/bad/bad\.go:[0-9]+: `)

// refusals is what is wrong with a hub of testdata, as run tells it. The packages are loaded once, for that takes a second.
func refusals(t *testing.T, args ...string) string {
	t.Helper()
	opt, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.program == nil {
		if loaded.program, err = load(".", []string{"./testdata/bad", "./testdata/news/chat"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err = loaded.read(opt); err == nil {
		t.Fatal("accepted")
	}
	return err.Error()
}

var loaded struct {
	sync.Mutex
	*program
}

// TestRefusedAsByTheServer: a hub that the server would refuse is refused in the same words, each with its file and line.
func TestRefusedAsByTheServer(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"Arguments": bad.Arguments{},
		"Results":   bad.Results{},
		"Locked":    &bad.Locked{},
		"Items":     bad.Items{},
		"Fields":    bad.Fields{Bad: func(func()) {}, Option: func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var table hubmethod.Table[*spoke.Context]
			registered := table.AddValue(value, nil)
			if registered == nil {
				t.Fatal("the server takes it")
			}
			want := strings.Split(registered.Error(), "\n")
			var got []string
			for line := range strings.SplitSeq(refusals(t, "./testdata/bad", name), "\n") {
				if !position.MatchString(line) {
					t.Errorf("no position: %s", line)
				}
				got = append(got, position.ReplaceAllString(line, ""))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want string // after position; several lines: all of them, in order
	}{
		{"./testdata/bad Empty", "Empty is no hub: it has no exported methods"},
		{"./testdata/bad Interface", "Interface is no hub: it is an interface; name the type whose value is given to MapHub"},
		{"./testdata/bad Generic", "Generic is no hub: it is generic; name a type that says for which types, such as: type OfGeneric = Generic[int]"},
		{"./testdata/bad Variable", "Variable is no type, but a var"},
		{"./testdata/bad Twice", `hub method "Send": Duplicate definitions of 'Send'. Overloading is not supported. ("SEND" is registered, and names ignore ASCII case.)`},
		{"./testdata/bad Fields", "hub method \"Number\": the field has a spoke tag, but int is not a function type\n" +
			"hub method \"hidden\": the field has a spoke tag, but is not exported\n" +
			"hub method \"bad\": parameter 1 (func()) cannot be an argument: func() has no encoding\n" +
			`hub method "Option": its spoke tag has the option "inlined"; there are inline and user`},
		{"./testdata/news/chat Nope", "package github.com/spokehub/spoke/cmd/spokegen/testdata/news/chat has no type Nope; its types are Chat, Message, Promise"},
		{"-client NoClient ./testdata/bad Fine", "NoClient is no client interface: it is a struct; its methods are to be what the hub calls on clients"},
		{"-client Constraint ./testdata/bad Fine", "Constraint is no client interface: it is a constraint of types"},
		{"-client EmptyClient ./testdata/bad Fine", "EmptyClient is no client interface: it has no methods"},
		{"-client GenericClient ./testdata/bad Fine", "GenericClient is no client interface: it is generic; name a type that says for which types, such as: type OfGenericClient = GenericClient[int]"},
		{"-client [] ./testdata/bad Fine", "client interface []: want a name, or import/path.Name"},
		{"-client no/where.Client ./testdata/bad Fine", "client interface no/where.Client: package no/where is not among what the hubs import"},
		{"-client BadClient ./testdata/bad Fine", "client method \"answers\": result iter.Seq[int] is a stream; clients answer with one value\n" +
			"client method \"asks\": fmt.Stringer cannot be a result: nothing says which type to make for the interface fmt.Stringer; any is the only interface allowed\n" +
			"client method \"func\": parameter 1 (func()) cannot be an argument: func() has no encoding\n" +
			"client method \"streams\": parameter 1 (<-chan int) is a stream; clients take values only\n" +
			"client method \"tell\": Duplicate definitions of 'tell'. Overloading is not supported. (\"tell\" is registered, and names ignore ASCII case.)\n" +
			`client method "two": it returns (int, int); allowed are nothing, error, T and (T, error)`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			if got := position.ReplaceAllString(refusals(t, strings.Fields(tt.args)...), ""); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestBroken: packages that are not there, or do not compile.
func TestBroken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, source, want string }{
		{"no file", "", "no Go files"},
		{"syntax", "package broken\n\ntype Hub struct{\n", "hub.go:3:18: expected '}', found 'EOF'"},
		{"type", "package broken\n\ntype Hub struct{}\n\nfunc (Hub) Send(Nothing) {}\n", "hub.go:5: undefined: Nothing"},
		{"import", "package broken\n\nimport _ \"no.such/package\"\n\ntype Hub struct{}\n", "no.such/package"},
		{"body", "package broken\n\ntype Hub struct{}\n\nfunc (Hub) Send() { undefined() }\n", ""}, // a body may be broken: the declarations may be what it waits for
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module broken\n\ngo 1.26\n"), 0o600)
			if tt.source != "" {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, "hub.go"), []byte(tt.source), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := runIn(t, dir, ".", "Hub")
			switch {
			case tt.want == "" && (code != 0 || !strings.Contains(stdout, "Send(): void;")):
				t.Errorf("code %d, %s%s", code, stdout, stderr)
			case tt.want != "" && (code != 1 || stdout != "" || !strings.Contains(stderr, tt.want)):
				t.Errorf("code %d, %s\ngot  %s\nwant %s", code, stdout, stderr, tt.want)
			}
		})
	}
	if code, _, stderr := runIn(t, ".", "./nowhere", "Hub"); code != 1 || !strings.Contains(stderr, "nowhere") {
		t.Errorf("a folder that is not there: %d, %s", code, stderr)
	}
	if code, _, stderr := runIn(t, ".", "../../examples/...", "Hub"); code != 1 || !strings.Contains(stderr, "is several packages") {
		t.Errorf("several packages: %d, %s", code, stderr)
	}
}
