package engine

import (
	"fmt"
	"os"
)

// children are programs that tests run in a process of their own.
var children = map[string]func() error{}

func runChild(name string) int {
	f, ok := children[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "there is no child %q\n", name)
		return 1
	}
	if err := f(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
