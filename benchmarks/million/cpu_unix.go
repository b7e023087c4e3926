//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it fails for a bad pointer only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
