package spoke_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
	"github.com/spokehub/spoke/internal/leaktest"
)

// clientsEnv makes the test binary a client: ADDRESS NUMBER TRANSPORT. A process may have 20,000 descriptors on some machines, which is not enough
// for both ends of 15,000 connections.
const clientsEnv = "SPOKE_TEST_IDLE_CLIENTS"

// TestMain fails the package when a goroutine or a descriptor is left behind.
func TestMain(m *testing.M) {
	if v := os.Getenv(clientsEnv); v != "" {
		if err := idleClients(v); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(leaktest.Main(m))
}

// idleClients connects, says so, and holds the connections until its input ends.
func idleClients(v string) error {
	var addr, transport string
	var n int
	if _, err := fmt.Sscanf(v, "%s %d %s", &addr, &n, &transport); err != nil {
		return fmt.Errorf("%s is %q: %w", clientsEnv, v, err)
	}
	connect := map[string]func(addr string) (net.Conn, error){
		"WebSockets": func(addr string) (net.Conn, error) {
			c, err := hubtest.Dial(addr, "/h")
			if err != nil {
				return nil, err
			}
			return c.Conn, nil
		},
		"negotiated WebSockets": idleWebSocket,
		"event streams":         idleStream,
		"polls":                 idlePoll,
	}[strings.ReplaceAll(transport, "_", " ")]
	if connect == nil {
		return fmt.Errorf("%s is %q: no such transport", clientsEnv, v)
	}
	conns := make([]net.Conn, n)
	errs := make(chan error, 16)
	var wg sync.WaitGroup
	for w := range cap(errs) {
		wg.Go(func() {
			for i := w; i < n; i += cap(errs) {
				c, err := connect(addr)
				if err != nil {
					errs <- fmt.Errorf("client %d: %w", i, err)
					return
				}
				conns[i] = c
			}
			errs <- nil
		})
	}
	wg.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			return err
		}
	}
	fmt.Println("connected")
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent closes it or ends
	for _, c := range conns {
		c.Close()
	}
	return nil
}

// memory is the live heap and the stacks in use.
func memory() (heap, stack int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// visitIdle has n clients of a transport come from another process, calls during while they are there, and waits until they have left.
func visitIdle(t *testing.T, s *spoke.Server, addr, transport string, n int, during func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientsEnv+"="+addr+" "+strconv.Itoa(n)+" "+strings.ReplaceAll(transport, " ", "_"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "connected\n" {
		in.Close()
		t.Fatalf("the clients say %q", line)
	}
	waitFor(t, "all connections", func() bool { return s.Stats().Hubs.Connections == int64(n) })
	during()
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of all connections", func() bool {
		st := s.Stats()
		return st.Hubs.Connections == 0 && st.Engine.Open == 0 && st.Endpoints.Connections == 0
	})
}

// TestIdleConnections holds 15,000 hub connections: their number of goroutines is nought, what each costs is printed, and after they have left the memory is back.
func TestIdleConnections(t *testing.T) {
	n := 15_000
	if raceEnabled {
		n = 1000
	}
	s, addr := start(t, spoke.Config{}, func(s *spoke.Server) { mapHub(t, s, "/h", Room{}) })
	visit := func(n int, during func()) { visitIdle(t, s, addr, "WebSockets", n, during) }
	visit(50, func() {}) // pools and tables come into being
	waitFor(t, "idle workers to end", func() bool { return s.Stats().Hubs.Workers == 0 })
	goroutines := runtime.NumGoroutine()
	heap0, stack0 := memory()
	var grown int64
	visit(n, func() {
		waitFor(t, "idle workers to end", func() bool { return s.Stats().Hubs.Workers == 0 })
		if g := runtime.NumGoroutine(); g > goroutines+4 { // those of the child process
			t.Errorf("%d goroutines with %d connections, %d without", g, n, goroutines)
		}
		heap1, stack1 := memory()
		grown = heap1 + stack1 - heap0 - stack0
		t.Logf("%d idle connections: %d bytes of heap and %d bytes of stack each", n, (heap1-heap0)/int64(n), (stack1-stack0)/int64(n))
	})
	waitFor(t, "idle workers to end", func() bool { return s.Stats().Hubs.Workers == 0 })
	var left int64
	back := func() bool { // tables are trimmed once a second, pools over two collections
		heap2, stack2 := memory()
		left = heap2 + stack2 - heap0 - stack0
		return left <= grown/20
	}
	if raceEnabled { // fewer connections, beside which everything else weighs more
		back()
	} else {
		waitFor(t, "95 % of the memory", back)
	}
	t.Logf("after they have left: %d of %d bytes are still there (%.1f %%)", left, grown, 100*float64(left)/float64(grown))
}
