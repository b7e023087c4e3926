// Package leaktest fails a package's tests when they leave a goroutine or a descriptor behind.
package leaktest

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long what is on its way out may take.
const patience = 5 * time.Second

// Main runs the tests and returns the exit code: os.Exit(leaktest.Main(m)) in TestMain. A leak turns success into failure and is described on standard
// error. While fuzzing nothing is checked: the testing package then has goroutines and pipes of its own.
func Main(m *testing.M) int {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // starts the runtime's own poller, which stays
		_ = ln.Close()
	}
	before := descriptors()
	code := m.Run()
	if code != 0 || fuzzing() {
		return code
	}
	http.DefaultClient.CloseIdleConnections()
	if left := leaked(before); left != "" {
		fmt.Fprintln(os.Stderr, left)
		return 1
	}
	return 0
}

func fuzzing() bool {
	f := flag.Lookup("test.fuzz")
	return f != nil && f.Value.String() != ""
}

// leaked waits for what is on its way out, and describes what stays.
func leaked(before []string) (left string) {
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		left = ""
		buf := make([]byte, 1<<20)
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "spokehub/spoke") && !strings.Contains(g, "internal/leaktest.") {
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

// descriptors are the open sockets, pipes, pollers and eventfds; none on systems that do not tell.
func descriptors() []string {
	var open []string
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "anon_inode:")) {
			open = append(open, to)
		}
	}
	return open
}
