package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the package when a goroutine or a descriptor is left behind.
func TestMain(m *testing.M) {
	before := descriptors()
	code := m.Run()
	if code == 0 {
		if left := leaked(before); left != "" {
			fmt.Fprintln(os.Stderr, left)
			code = 1
		}
	}
	os.Exit(code)
}

// descriptors are the open ones, with what they are; none on systems that do not tell. Those of the runtime's own poller stay open for good.
func descriptors() []string {
	var open []string
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && (strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "pipe:")) {
			open = append(open, target)
		}
	}
	return open
}

// leaked waits for what is on its way out, and describes what stays.
func leaked(before []string) (left string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		left = ""
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "spokehub/spoke") && !strings.Contains(g, "TestMain") {
				left = "leaked goroutine:\n" + g
			}
		}
		if after := descriptors(); left == "" && len(after) > len(before) {
			left = fmt.Sprintf("leaked descriptors: %d are open, %d were before: %v", len(after), len(before), after)
		}
		if left == "" {
			return ""
		}
	}
	return left
}
