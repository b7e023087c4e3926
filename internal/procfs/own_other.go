//go:build !unix

package procfs

import "time"

// OwnCPU is not known here: 0.
func OwnCPU() time.Duration { return 0 }
