package engine

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// isReset: Windows has numbers of its own.
func isReset(e syscall.Errno) bool {
	return e == syscall.ECONNRESET || e == windows.WSAECONNRESET || e == windows.WSAECONNABORTED
}
