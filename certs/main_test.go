package certs_test

import (
	"os"
	"testing"

	"github.com/spokehub/spoke/internal/leaktest"
)

// TestMain fails the package when a goroutine or a descriptor is left behind.
func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }
