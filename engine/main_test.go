package engine

import (
	"os"
	"testing"

	"github.com/spokehub/spoke/internal/leaktest"
)

// TestMain fails the package when a goroutine or a descriptor is left behind, and poisons freed slots and buffers throughout.
func TestMain(m *testing.M) {
	if f := os.Getenv("SPOKE_ENGINE_TEST_CHILD"); f != "" {
		os.Exit(runChild(f))
	}
	Poison()
	os.Exit(leaktest.Main(m))
}
