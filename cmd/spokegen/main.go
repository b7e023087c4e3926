// Command spokegen reads Go hub types and writes TypeScript declarations of what clients can call on them and of what they call on
// clients, so that the TypeScript compiler catches a wrong name, a wrong argument and a wrong use of a result:
//
//	spokegen -out hubs.d.ts -client ChatClient ./chat Chat
//
// The file holds types only. A connection of @microsoft/signalr gets them by its declaration, without a cast and without code at run time:
//
//	const chat: ChatConnection = new HubConnectionBuilder().withUrl("/chat").build();
//
// A Go program usually says it in a comment: //go:generate go run github.com/spokehub/spoke/cmd/spokegen -out … -client … . Chat
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `Usage: spokegen [flags] PACKAGE HUB... [PACKAGE HUB...]

Writes TypeScript declarations of Go hub types, for @microsoft/signalr.
PACKAGE is a folder (./chat, .) or an import path, HUB the name of a type in it whose value is given to MapHub.

`

func main() { os.Exit(run(os.Args[1:], ".", os.Stdout, os.Stderr)) }

// run is the program in the folder dir; it returns the exit code: 0, 1 for hubs that cannot be declared or a file that is not current, 2 for wrong usage.
func run(args []string, dir string, stdout, stderr io.Writer) int {
	opt, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "spokegen:", err)
		return 2
	}
	text, err := generate(dir, opt)
	if err == nil {
		err = deliver(text, opt, dir, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "spokegen:", err)
		return 1
	}
	return 0
}

// generate is the text of the declarations.
func generate(dir string, opt options) ([]byte, error) {
	p, err := load(dir, opt.patterns())
	if err != nil {
		return nil, err
	}
	hubs, err := p.read(opt)
	if err != nil {
		return nil, err
	}
	return newWriter(p, opt).file(hubs), nil
}

// deliver writes the text, or compares it.
func deliver(text []byte, opt options, dir string, stdout io.Writer) error {
	if opt.out == "" {
		_, err := stdout.Write(text)
		return err
	}
	name := at(dir, opt.out)
	old, err := os.ReadFile(name)
	if err == nil && bytes.Equal(old, text) {
		return nil // its time stays, so that nothing that watches it wakes up
	}
	if opt.check {
		if err != nil {
			return err
		}
		return fmt.Errorf("%s is not current: run spokegen again without -check", opt.out)
	}
	return os.WriteFile(name, text, 0o644)
}
