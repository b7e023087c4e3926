//go:build unix

package procfs

import (
	"syscall"
	"time"
)

// OwnCPU is the processor time that this process has used, in microseconds' steps; 0 on systems other than Unix.
func OwnCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it fails for a bad pointer only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
