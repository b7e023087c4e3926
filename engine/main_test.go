package engine

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/internal/leaktest"
)

// TestMain fails the package when a goroutine or a descriptor is left behind, and poisons freed slots and buffers throughout.
func TestMain(m *testing.M) {
	if f := os.Getenv("SPOKE_ENGINE_TEST_CHILD"); f != "" {
		os.Exit(runChild(f))
	}
	Poison()
	code := leaktest.Main(m)
	if code == 0 {
		if g := leftOfGnet(); g != "" {
			fmt.Fprintln(os.Stderr, g)
			code = 1
		}
	}
	os.Exit(code)
}

// leftOfGnet is a goroutine of gnet's that has not ended with its engine, if there is one after a moment.
func leftOfGnet() (left string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		left = ""
		buf := make([]byte, 1<<20)
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "gnet/v2.") || strings.Contains(g, "gnet/v2/pkg/netpoll.") {
				left = "leaked goroutine:\n" + g
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}
