//go:build !windows

package engine

import "syscall"

func isReset(e syscall.Errno) bool { return e == syscall.ECONNRESET }
