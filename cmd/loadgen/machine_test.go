package main

import (
	"runtime"
	"testing"
)

func TestMachine(t *testing.T) {
	t.Parallel()
	m := thisMachine()
	if m.Processors < 1 || m.OS != runtime.GOOS || m.Go != runtime.Version() {
		t.Errorf("%+v", m)
	}
	if runtime.GOOS == "linux" && (m.Kernel == "" || m.Memory < 1<<26) {
		t.Errorf("%+v", m)
	}
}
