package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// enoughMemory is an error when the machine, as far as it tells, has less than need bytes free: a simulation that swaps measures
// nothing, and one that the kernel kills says nothing.
func enoughMemory(need uint64) error {
	free, ok := freeMemory()
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

// freeMemory is what Linux says is available to new work, and no more than what the control group leaves; false elsewhere.
func freeMemory() (uint64, bool) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	free, ok := available(info)
	if !ok {
		return 0, false
	}
	most, errMax := readNumber("/sys/fs/cgroup/memory.max") // "max" is no number: no limit
	used, errUsed := readNumber("/sys/fs/cgroup/memory.current")
	if errMax == nil && errUsed == nil {
		free = min(free, most-min(used, most))
	}
	return free, true
}

// available reads the line MemAvailable, in KiB, of /proc/meminfo.
func available(info []byte) (uint64, bool) {
	for s := bufio.NewScanner(bytes.NewReader(info)); s.Scan(); {
		rest, ok := strings.CutPrefix(s.Text(), "MemAvailable:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 53)
		return kib << 10, err == nil
	}
	return 0, false
}

func readNumber(name string) (uint64, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}

// resident is the process's resident memory in bytes; 0 where it cannot be told.
func resident() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 50)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
