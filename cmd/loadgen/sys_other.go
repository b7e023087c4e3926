//go:build !linux

package main

import (
	"syscall"
	"time"
)

// descriptorLimit is not known here.
func descriptorLimit() (uint64, bool) { return 0, false }

// ownCPU is not known here: 0.
func ownCPU() time.Duration { return 0 }

func prepareSocket(uintptr, bool, int) error { return nil }

func precise() {}

func nap(d time.Duration) { time.Sleep(d) }

func childAttributes() *syscall.SysProcAttr { return nil }
