package procfs

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Busy is the processor time that the whole machine has used, waiting for disks not counted; ok false: it is not known.
func Busy() (busy time.Duration, ok bool) {
	line, _, _ := strings.Cut(readText("/proc/stat"), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, false
	}
	var ticks int64
	for i, text := range f[1:9] { // user nice system idle iowait irq softirq steal
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, false
		}
		if i != 3 && i != 4 {
			ticks += v
		}
	}
	return time.Duration(ticks) * tick, true
}

// Kernel is the kernel's release; empty: it is not known.
func Kernel() string { return strings.TrimSpace(readText("/proc/sys/kernel/osrelease")) }

// CPUModel is the name of the first processor; empty: it is not known.
func CPUModel() string { return value(readText("/proc/cpuinfo"), "model name") }

// Memory is what the machine has, in bytes; ok false: it is not known.
func Memory() (n int64, ok bool) { return bytesOf(readText("/proc/meminfo"), "MemTotal") }

// FreeMemory is what Linux says is available to new work, in bytes, and no more than what the control group leaves; ok false: it is not known.
func FreeMemory() (n int64, ok bool) {
	n, ok = bytesOf(readText("/proc/meminfo"), "MemAvailable")
	if !ok {
		return 0, false
	}
	most, errMost := strconv.ParseInt(strings.TrimSpace(readText("/sys/fs/cgroup/memory.max")), 10, 64) // "max" is no number: no limit
	used, errUsed := strconv.ParseInt(strings.TrimSpace(readText("/sys/fs/cgroup/memory.current")), 10, 64)
	if errMost == nil && errUsed == nil {
		n = min(n, max(most-used, 0))
	}
	return n, true
}

// bytesOf reads a line such as "MemTotal:  16384 kB".
func bytesOf(text, key string) (n int64, ok bool) {
	kib, err := strconv.ParseInt(strings.TrimSuffix(value(text, key), " kB"), 10, 53)
	return kib << 10, err == nil && kib >= 0
}

func readText(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return "" // not this system
	}
	return string(b)
}

// value is the value of the first "key : value" line.
func value(text, key string) string {
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
