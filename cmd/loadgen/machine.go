package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// machine is where the client ran.
type machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Kernel     string `json:"kernel,omitempty"`
	CPU        string `json:"cpu,omitempty"`
	Processors int    `json:"processors"` // that this process may use
	Memory     int64  `json:"memoryBytes,omitempty"`
	Go         string `json:"go"`
	Version    string `json:"version"` // of loadgen
}

// thisMachine finds out what the system tells.
func thisMachine() machine {
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version(), Version: "(devel)"}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				m.Version = s.Value[:12]
			}
		}
	}
	m.Kernel = strings.TrimSpace(readText("/proc/sys/kernel/osrelease"))
	m.CPU = procValue(readText("/proc/cpuinfo"), "model name")
	if kb, err := strconv.ParseInt(strings.TrimSuffix(procValue(readText("/proc/meminfo"), "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kb << 10
	}
	return m
}

func readText(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return "" // not this system
	}
	return string(b)
}

// procValue is the value of the first "key : value" line.
func procValue(text, key string) string {
	for line := range strings.Lines(text) {
		k, v, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
