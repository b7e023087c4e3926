package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain is a child process of -procs when it is started as one, and fails the package when a goroutine is left behind.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
	}
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			fmt.Fprintln(os.Stderr, left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked waits a moment for what is on its way out, and describes what stays.
func leaked() (left string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		left = ""
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if (strings.Contains(g, "loadgen") || strings.Contains(g, "engine.")) && !strings.Contains(g, "TestMain") {
				left = "leaked goroutine:\n" + g
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}
