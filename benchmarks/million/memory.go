package main

import (
	"fmt"

	"github.com/spokehub/spoke/internal/procfs"
)

// enoughMemory is an error when the machine, as far as it tells, has less than need bytes free: a simulation that swaps measures
// nothing, and one that the kernel kills says nothing.
func enoughMemory(need uint64) error {
	n, ok := procfs.FreeMemory()
	free := uint64(n)
	if !ok || free >= need {
		return nil
	}
	const mib = 1 << 20
	fits := uint64(0)
	if free > fixedMemory {
		fits = (free - fixedMemory) / perConnection
	}
	return fmt.Errorf("%d MiB of memory are needed and %d MiB are free: want at most -n %d here", need/mib, free/mib, fits)
}
