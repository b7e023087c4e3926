package engine

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the package when a goroutine or a descriptor is left behind, and poisons freed slots and buffers throughout.
func TestMain(m *testing.M) {
	if f := os.Getenv("SPOKE_ENGINE_TEST_CHILD"); f != "" {
		os.Exit(runChild(f))
	}
	Poison()
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // starts the runtime's own poller, which stays
		_ = ln.Close()
	}
	fds := openFiles()
	code := m.Run()
	if code == 0 {
		if left := leaked(fds); left != "" {
			fmt.Fprintln(os.Stderr, left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked waits a moment for what is on its way out, and describes what stays.
func leaked(fds int) string {
	var left string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		left = ""
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "engine.") && !strings.Contains(g, "TestMain") {
				left = "leaked goroutine:\n" + g
			}
		}
		if n := openFiles(); left == "" && n > fds {
			left = fmt.Sprintf("leaked descriptors: %d before, %d after", fds, n)
		}
		if left == "" {
			return ""
		}
	}
	return left
}

// openFiles is the number of open sockets, pollers and eventfds of the process; 0 where it cannot be told.
func openFiles() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	n := 0
	for _, f := range names {
		to, err := os.Readlink("/proc/self/fd/" + f.Name())
		if err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "anon_inode:")) {
			n++
		}
	}
	return n
}
