// Package procfs reads what Linux says of processes and of the machine, for the tools that measure. On other systems most of it is not
// known. Any goroutine may call all of it.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// Process is a process that is looked at.
type Process struct {
	dir   string
	name  string
	start string // field 22 of stat: tells a later process of the same number apart
}

// Usage is what a process has used.
type Usage struct {
	CPU      time.Duration // of all its threads, in steps of 10 ms
	Resident int64         // bytes of memory
}

// ErrEnded says that a process is not there, or no longer.
var ErrEnded = errors.New("the process has ended")

// Open looks for a process.
func Open(pid int) (*Process, error) {
	p := &Process{dir: fmt.Sprintf("/proc/%d", pid)}
	fields, name, err := p.stat()
	if err != nil {
		return nil, err
	}
	p.name, p.start = name, fields[22-3]
	return p, nil
}

// Name is that of the program, up to 15 bytes.
func (p *Process) Name() string { return p.name }

// stat reads the fields from the third on, the state.
func (p *Process) stat() (fields []string, name string, err error) {
	b, err := os.ReadFile(p.dir + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", ErrEnded
	}
	if err != nil {
		return nil, "", err
	}
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')') // the name may have both in it
	if open < 0 || end < open {
		return nil, "", fmt.Errorf("%s/stat is not as expected", p.dir)
	}
	fields = strings.Fields(string(b[end+1:]))
	if len(fields) < 22 {
		return nil, "", fmt.Errorf("%s/stat has %d fields behind the name, at least 22 are expected", p.dir, len(fields))
	}
	return fields, string(b[open+1 : end]), nil
}

// Read samples the process. One that has ended is ErrEnded, also while its parent has not asked for it, and when another has its number.
func (p *Process) Read() (Usage, error) {
	f, _, err := p.stat()
	if err != nil {
		return Usage{}, err
	}
	if f[0] == "Z" || f[0] == "X" || f[22-3] != p.start {
		return Usage{}, ErrEnded
	}
	user, err1 := strconv.ParseInt(f[14-3], 10, 64)
	system, err2 := strconv.ParseInt(f[15-3], 10, 64)
	pages, err3 := strconv.ParseInt(f[24-3], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Usage{}, err
	}
	return Usage{CPU: time.Duration(user+system) * tick, Resident: pages * int64(os.Getpagesize())}, nil
}

// Read samples the process of a number.
func Read(pid int) (Usage, error) {
	p, err := Open(pid)
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return p.Read()
}

// Resident is this process's resident memory in bytes; 0 where it is not known.
func Resident() int64 {
	u, err := Read(os.Getpid())
	if err != nil {
		return 0
	}
	return u.Resident
}

// Descriptors is the number of files and sockets that a process has open.
func Descriptors(pid int) (int, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(list), err
}
