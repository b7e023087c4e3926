package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spokehub/spoke/benchmarks/internal/loopback"
)

// pinned is a command line that keeps a program on one processor; -1: it is not pinned.
func pinned(cpu int, args ...string) []string {
	if cpu < 0 {
		return args
	}
	return append([]string{"taskset", "-c", strconv.Itoa(cpu)}, args...)
}

// server is a running spoked.
type server struct {
	cmd         *exec.Cmd
	output      bytes.Buffer // after done
	done        chan struct{}
	addr, admin string
}

const startTimeout = 15 * time.Second

// serve starts spoked anew, so that no run has the garbage of another.
func (b *bench) serve(ctx context.Context) (*server, error) {
	addr, err := loopback.FreeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := loopback.FreeAddress()
	if err != nil {
		return nil, err
	}
	// Each negotiate parks a connection for 15 s: the cap must not end the run.
	args := pinned(b.serverCPU, b.work+"/spoked", "-bench", "-log-level=ERROR", "-drain=-1s", "-max-parked=100000000", "-addr="+addr, "-admin-addr="+admin)
	s := &server{cmd: exec.CommandContext(ctx, args[0], args[1:]...), done: make(chan struct{}), addr: addr, admin: admin}
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	s.cmd.WaitDelay = 5 * time.Second
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // its end by a signal is no error
		close(s.done)
	}()
	for until := time.Now().Add(startTimeout); ; {
		if _, err = s.counters(ctx); err == nil {
			return s, nil
		}
		select {
		case <-s.done:
			return nil, fmt.Errorf("spoked ended at once: %s", bytes.TrimSpace(s.output.Bytes()))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			s.stop()
			return nil, fmt.Errorf("spoked does not answer after %v: %w", startTimeout, err)
		}
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// counters are what the server says of itself.
type counters struct {
	Server struct {
		Engine    struct{ BytesIn, BytesOut, Open, Accepted int64 }
		Hubs      struct{ Connections, Handshakes, Calls, CallsFailed, Published int64 }
		Endpoints struct{ Parked, Expired int64 }
	}
}

// negotiations are those that were answered with a token.
func (c *counters) negotiations() int64 {
	return c.Server.Endpoints.Parked + c.Server.Endpoints.Expired
}

func (s *server) counters(ctx context.Context) (*counters, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics.json", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, errors.Join(err, fmt.Errorf("/metrics.json: %s", resp.Status))
	}
	c := &counters{}
	if err := json.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("/metrics.json: %w", err)
	}
	return c, nil
}

// settled are the counters when all connections have ended.
func (s *server) settled(ctx context.Context) (*counters, error) {
	for until := time.Now().Add(startTimeout); ; {
		c, err := s.counters(ctx)
		if err != nil || c.Server.Engine.Open+c.Server.Hubs.Connections == 0 {
			return c, err
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("%d connections are open, and %d hub connections, %v after their client has ended", c.Server.Engine.Open, c.Server.Hubs.Connections, startTimeout)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// client runs a load client to its end and returns its standard output.
func (b *bench) client(ctx context.Context, args ...string) (stdout []byte, err error) {
	args = pinned(b.clientCPU, args...)
	ctx, cancel := context.WithTimeout(ctx, b.duration+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second
	stdout, err = cmd.Output()
	if err != nil {
		return stdout, fmt.Errorf("%s: %w\n%s%s", strings.Join(args, " "), err, stdout, stderr.Bytes())
	}
	return stdout, nil
}
