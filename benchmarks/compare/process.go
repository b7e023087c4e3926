package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spokehub/spoke/benchmarks/internal/loopback"
)

// pinning is the beginning of a command line that keeps a program on one processor; nil: nothing is pinned.
func pinning(o *options) func(client bool) []string {
	if o.serverCPU < 0 || o.clientCPU < 0 {
		return nil
	}
	return func(client bool) []string {
		cpu := o.serverCPU
		if client {
			cpu = o.clientCPU
		}
		return []string{"taskset", "-c", strconv.Itoa(cpu)}
	}
}

// process is a program that was started.
type process struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{}
	err    error // after done
}

// start starts a program. It is ended when ctx ends: by SIGTERM, and if that does not help by SIGKILL.
func (b *bench) start(ctx context.Context, client bool, args []string) (*process, error) {
	if b.pin != nil {
		args = append(b.pin(client), args...)
	}
	p := &process{cmd: exec.CommandContext(ctx, args[0], args[1:]...), output: new(tail), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 5 * time.Second
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "DOTNET_PROCESSOR_COUNT=1")
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// last is how an ended program has ended, for the end of an error's text.
func (p *process) last() string {
	text := ""
	if p.err != nil {
		text = ", " + p.err.Error()
	}
	if out := p.output.String(); out != "" {
		text += ": " + out
	}
	return text
}

// end asks a program to end, and kills it if it does not within a while.
func (p *process) end(sig os.Signal, patience time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.cmd.Process.Signal(sig) // it may just have ended
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// tail keeps the last output of a program. Any goroutine.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailMax = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailMax; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}

// running is a server under load.
type running struct {
	*process
	addr, admin string
}

const startTimeout = 10 * time.Second

// serve starts a server on a free port and waits until it listens.
func (b *bench) serve(ctx context.Context, s *server, extra ...string) (*running, error) {
	addr, err := loopback.FreeAddress()
	if err != nil {
		return nil, err
	}
	admin := ""
	if s.admin {
		if admin, err = loopback.FreeAddress(); err != nil {
			return nil, err
		}
	}
	p, err := b.start(ctx, false, b.command(s, addr, admin, extra...))
	if err != nil {
		return nil, err
	}
	r := &running{process: p, addr: addr, admin: admin}
	until := time.Now().Add(startTimeout)
	for {
		nc, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return r, nc.Close()
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("it ended at once%s", p.last())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			p.end(syscall.SIGTERM, time.Second)
			return nil, fmt.Errorf("it does not listen on %s after %v: %s", addr, startTimeout, p.output)
		}
	}
}

func (r *running) stop() { r.end(syscall.SIGTERM, 2*time.Second) }

// collect makes a server collect its garbage and give free memory back to the system: twice, so that what finalizers and pools held goes, too.
func (r *running) collect(ctx context.Context) error {
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.admin+"/debug/free", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusNoContent {
			return fmt.Errorf("POST /debug/free: %s", resp.Status)
		}
	}
	return nil
}
