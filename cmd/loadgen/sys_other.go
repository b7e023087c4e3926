//go:build !linux

package main

import (
	"syscall"
	"time"
)

// descriptorLimit is not known here.
func descriptorLimit() (uint64, bool) { return 0, false }

func prepareSocket(uintptr, bool, int) error { return nil }

func precise() {}

func nap(d time.Duration) { time.Sleep(d) }

func childAttributes() *syscall.SysProcAttr { return nil }
