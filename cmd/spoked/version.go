package main

import (
	"fmt"
	"runtime/debug"
)

// versionLine says what this program was built from.
func versionLine() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "spoked (no build information)"
	}
	revision := "unknown revision"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return fmt.Sprintf("spoked %s (%s, %s)", info.Main.Version, revision, info.GoVersion)
}
