package http1

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// TestMain fails the package when a goroutine outlives the tests. (A fuzzing process has goroutines of the testing package's own.)
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() == "" && !settles(before) {
		code = max(code, 1)
	}
	os.Exit(code)
}

// settles waits until there are no more goroutines than before, for those that are about to end.
func settles(before int) bool {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		if runtime.NumGoroutine() <= before {
			return true
		}
	}
	fmt.Fprintf(os.Stderr, "%d goroutines are left, before the tests there were %d\n", runtime.NumGoroutine(), before)
	if err := pprof.Lookup("goroutine").WriteTo(os.Stderr, 1); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return false
}
