//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "limit: it is made of Linux system calls and runs on Linux only")
	os.Exit(1)
}
