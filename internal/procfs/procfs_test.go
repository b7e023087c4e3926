package procfs

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

func TestProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		if _, err := Open(os.Getpid()); err == nil {
			t.Error("no /proc, but no error")
		}
		return
	}
	p, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	u, err := p.Read()
	if err != nil || u.Resident < 1<<20 || p.Name() == "" {
		t.Errorf("%q uses %+v, %v", p.Name(), u, err)
	}
	if n := Resident(); n < u.Resident/2 || n > 2*u.Resident {
		t.Errorf("this process has %d bytes of memory, and %d", u.Resident, n)
	}
	own := OwnCPU()
	if own < u.CPU-1e9 || own <= 0 {
		t.Errorf("this process has used %v, by its own count %v", u.CPU, own)
	}
	if busy, ok := Busy(); !ok || busy < u.CPU {
		t.Errorf("the machine has used %v, this process %v", busy, u.CPU)
	}
	if n, err := Descriptors(os.Getpid()); n < 3 || err != nil {
		t.Errorf("this process has %d files, %v", n, err)
	}
	other := *p
	other.start = "1"
	if _, err := other.Read(); !errors.Is(err, ErrEnded) {
		t.Errorf("another process with the same number: %v", err)
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cmd.Process.Pid); !errors.Is(err, ErrEnded) {
		t.Errorf("a process that has ended: %v", err)
	}
	if _, err := Read(cmd.Process.Pid); !errors.Is(err, ErrEnded) {
		t.Errorf("a process that has ended: %v", err)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		if _, ok := Memory(); ok || Kernel() != "" {
			t.Errorf("no /proc, but kernel %q", Kernel())
		}
		return
	}
	all, ok1 := Memory()
	free, ok2 := FreeMemory()
	if !ok1 || !ok2 || all < 1<<26 || free < 0 || free > all || Kernel() == "" {
		t.Errorf("%d bytes of memory, %d are free; kernel %q", all, free, Kernel())
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	if v := value("a b\t: 1\na : 2\n", "a"); v != "2" {
		t.Errorf("a is %q", v)
	}
	for text, want := range map[string]int64{
		"MemTotal: 9 kB\nMemAvailable:   16 kB\n": 16 << 10, "MemAvailable: 0 kB\n": 0,
		"MemFree: 16 kB\n": -1, "MemAvailable: many kB\n": -1, "MemAvailable: -1 kB\n": -1, "MemAvailable: 9223372036854775807 kB\n": -1, "": -1,
	} {
		if n, ok := bytesOf(text, "MemAvailable"); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %t, want %d", text, n, ok, want)
		}
	}
}
