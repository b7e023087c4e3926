package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	optNoPort       = 24 // IP_BIND_ADDRESS_NO_PORT: the kernel chooses the port when it knows the whole pair of addresses
	prSetTimerSlack = 29
)

// descriptorLimit is the number of files that a process may open. The Go runtime has raised the soft limit to the hard one.
func descriptorLimit() (uint64, bool) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, false
	}
	return r.Cur, true
}

// prepareSocket runs before connect.
func prepareSocket(fd uintptr, bind bool, receiveBuffer int) error {
	if bind {
		if err := syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, optNoPort, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if receiveBuffer > 0 {
		if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// precise ties the goroutine to a thread whose sleeps end on time, not up to 50 µs later. The thread ends with the goroutine.
func precise() {
	runtime.LockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0) // without it the sleeps are a little longer
}

// nap sleeps in the kernel. The Go runtime's timers are rounded up to a millisecond when nothing else runs.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // a signal ends it early: the caller looks at the clock
}

// childAttributes keeps a Ctrl-C at the terminal away from the child processes, which the parent ends in good order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
