package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Go runs on.
const ticksPerSecond = 100

// process reads the processor time and memory of the server from /proc.
type process struct {
	dir   string
	name  string
	start string // field 22 of stat: tells a later process of the same number apart
	page  int64
}

// usage is what a process has used.
type usage struct {
	cpu time.Duration // of all its threads, in steps of 10 ms
	rss int64         // bytes
}

var errProcessGone = errors.New("the server's process has ended")

// openProcess looks at a process; 0 is none.
func openProcess(pid int) (*process, error) {
	p := &process{dir: fmt.Sprintf("/proc/%d", pid), page: int64(os.Getpagesize())}
	fields, name, err := p.stat()
	if err != nil {
		return nil, fmt.Errorf("-server-pid %d: %w", pid, err)
	}
	p.name, p.start = name, fields[22-3]
	return p, nil
}

// stat reads the fields from the third on, the state.
func (p *process) stat() (fields []string, name string, err error) {
	b, err := os.ReadFile(p.dir + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", errProcessGone
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

// read samples the process. A zombie has ended.
func (p *process) read() (usage, error) {
	f, _, err := p.stat()
	if err != nil {
		return usage{}, err
	}
	if f[0] == "Z" || f[0] == "X" || f[22-3] != p.start {
		return usage{}, errProcessGone
	}
	user, err1 := strconv.ParseInt(f[14-3], 10, 64)
	system, err2 := strconv.ParseInt(f[15-3], 10, 64)
	pages, err3 := strconv.ParseInt(f[24-3], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return usage{}, err
	}
	return usage{cpu: time.Duration(user+system) * (time.Second / ticksPerSecond), rss: pages * p.page}, nil
}

// machineBusy is the processor time that the whole machine has used; ok false: it is not known.
func machineBusy() (busy time.Duration, ok bool) {
	line, _, _ := strings.Cut(readText("/proc/stat"), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, false
	}
	var ticks int64
	for i, text := range f[1:9] { // user nice system idle iowait irq softirq steal
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, false
		}
		if i != 3 && i != 4 {
			ticks += v
		}
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), true
}

// slope is the least-squares slope of y over x; ok false: x does not vary.
func slope(x, y []float64) (v float64, ok bool) {
	n := float64(len(x))
	if len(x) < 2 {
		return 0, false
	}
	var sx, sy float64
	for i := range x {
		sx += x[i]
		sy += y[i]
	}
	mx, my := sx/n, sy/n
	var sxx, sxy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	if sxx == 0 {
		return 0, false
	}
	return sxy / sxx, true
}
