package engine

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDescriptorsExhausted lets a child process with few descriptors run out of them: it must go on serving those it has, not
// spin, count, and accept the rest when some become free.
func TestDescriptorsExhausted(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{backendEpoll, backendGnet} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			testDescriptorsExhausted(t, backend)
		})
	}
}

func testDescriptorsExhausted(t *testing.T, backend string) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SPOKE_ENGINE_TEST_CHILD=descriptors", "SPOKE_ENGINE_TEST_BACKEND="+backend)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		t.Fatal(err)
	}
	const n = 100 // the child has 64 descriptors
	var conns []net.Conn
	for range n {
		conns = append(conns, dialAt(t, "tcp", addr))
	}
	answered := 0
	for _, nc := range conns {
		send(t, nc, []byte("ping"))
	}
	for _, nc := range conns { // in the order of the backlog: first those that have descriptors
		if answered == 20 {
			break
		}
		receive(t, nc, "ping")
		answered++
	}
	for range 3 { // the ones that are served stay so
		send(t, conns[0], []byte("more"))
		receive(t, conns[0], "more")
	}
	var line string
	if _, err := fmt.Fscanln(out, &line); err != nil || line != "exhausted" {
		t.Fatalf("%v, %q", err, line)
	}
	for i, nc := range conns { // each that leaves makes room for one that waits
		if i >= answered {
			receive(t, nc, "ping")
		}
		_ = nc.Close()
	}
	_ = stdin.Close()
	report, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v, %s", err, report)
	}
	var accepted, exhausted, iterations int64
	if _, err := fmt.Sscan(string(report), &accepted, &exhausted, &iterations); err != nil {
		t.Fatalf("%v in %q", err, report)
	}
	if accepted != n || exhausted == 0 {
		t.Errorf("the child accepted %d connections of %d and was out of descriptors %d times", accepted, n, exhausted)
	}
	if iterations > 100_000 {
		t.Errorf("the child's loop went round %d times: it spins", iterations)
	}
}

func init() {
	children["descriptors"] = func() error {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
			return err
		}
		e, err := New(Config{Backend: os.Getenv("SPOKE_ENGINE_TEST_BACKEND"), Loops: 1})
		if err != nil {
			return err
		}
		at, err := e.Listen("tcp", "127.0.0.1:0", echo().open)
		if err != nil {
			return err
		}
		fmt.Println(at)
		for e.Stats().FDExhausted == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("exhausted")
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // until the parent is done
			return err
		}
		l := e.Loops()[0]
		iterations := make(chan uint32, 1)
		l.Post(TaskFunc(func(l *Loop) { iterations <- l.iter }))
		n := <-iterations
		s := e.Stats()
		e.StopListening()
		fmt.Println(s.Accepted, s.FDExhausted, n)
		return nil
	}
}
