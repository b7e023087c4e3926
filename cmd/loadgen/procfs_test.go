package main

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

func TestProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		if _, err := openProcess(os.Getpid()); err == nil {
			t.Error("no /proc, but no error")
		}
		return
	}
	p, err := openProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	u, err := p.read()
	if err != nil || u.rss < 1<<20 || p.name == "" {
		t.Errorf("%q uses %+v, %v", p.name, u, err)
	}
	own := ownCPU()
	if own < u.cpu-1e9 || own <= 0 {
		t.Errorf("this process has used %v, by its own count %v", u.cpu, own)
	}
	if busy, ok := machineBusy(); !ok || busy < u.cpu {
		t.Errorf("the machine has used %v, this process %v", busy, u.cpu)
	}
	other := *p
	other.start = "1"
	if _, err := other.read(); !errors.Is(err, errProcessGone) {
		t.Errorf("another process with the same number: %v", err)
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := openProcess(cmd.Process.Pid); !errors.Is(err, errProcessGone) {
		t.Errorf("a process that has ended: %v", err)
	}
}

func TestSlope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x, y []float64
		want float64
		ok   bool
	}{
		{nil, nil, 0, false},
		{[]float64{1}, []float64{1}, 0, false},
		{[]float64{2, 2}, []float64{1, 3}, 0, false},
		{[]float64{0, 1000}, []float64{5000, 505_000}, 500, true},
		{[]float64{0, 1, 2, 3}, []float64{1, 2, 4, 5}, 1.4, true},
	} {
		if got, ok := slope(c.x, c.y); ok != c.ok || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v over %v: %v, %t", c.y, c.x, got, ok)
		}
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	m := thisMachine()
	if m.Processors < 1 || m.OS != runtime.GOOS || m.Go != runtime.Version() {
		t.Errorf("%+v", m)
	}
	if runtime.GOOS == "linux" && (m.Kernel == "" || m.Memory < 1<<26) {
		t.Errorf("%+v", m)
	}
	if v := procValue("a b\t: 1\na : 2\n", "a"); v != "2" {
		t.Errorf("a is %q", v)
	}
}
