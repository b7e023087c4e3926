package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spokehub/spoke/internal/procfs"
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
	m.Kernel, m.CPU = procfs.Kernel(), procfs.CPUModel()
	m.Memory, _ = procfs.Memory()
	return m
}
