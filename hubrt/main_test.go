package hubrt

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the package when a goroutine is left behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			fmt.Fprintln(os.Stderr, "leaked goroutine:\n"+left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked waits a moment for what is on its way out, and returns one of those that stay.
func leaked() (left string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		left = ""
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "spoke/") && !strings.Contains(g, "TestMain") {
				left = g
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}
