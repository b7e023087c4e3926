package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestDeclarations: client/hubs.d.ts is what spokegen writes for the hub as it is now, by the command that go generate runs.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^//go:generate go run (\S+) (.*)$`).FindSubmatch(source)
	if line == nil {
		t.Fatal("main.go has no line for go generate")
	}
	args := append([]string{"run", string(line[1]), "-check"}, strings.Fields(string(line[2]))...)
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s(go generate ./examples/typescript writes it anew)", err, out)
	}
}

// TestServer: the hub is one that the server takes.
func TestServer(t *testing.T) {
	t.Parallel()
	srv, err := newServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
