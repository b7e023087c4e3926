package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// The names of the servers that figures refer to.
const (
	limitName    = "limit"
	coalesceName = "limit-coalesce"
	oursName     = "spoke"
	gnetName     = "spoke-gnet"
	eventsName   = "spoke-events"
)

// server is one of the programs that are compared.
type server struct {
	name    string
	title   string   // in tables
	program string   // of the directory of binaries
	args    []string // besides -addr
	ours    bool
	protocol
	admin   bool   // it knows -admin-addr and has pprof there
	version string // of the library, from benchmarks/peers/go.mod
	module  string
	remark  string
	only    string // the one experiment that it is for; "": all
}

// protocol is what a server speaks.
type protocol uint8

const (
	signalR    protocol = iota
	rawFrames           // WebSocket frames; the calls are read by byte pattern
	centrifuge          // that library's own
)

// allServers are those that may be measured, in the order of a round.
var allServers = []server{
	{name: limitName, title: "limit", program: "limit", protocol: rawFrames, remark: "benchmarks/limit: our own epoll loop, one write(2) per socket"},
	{name: coalesceName, title: "coalescing limit", program: "limit", args: []string{"-coalesce"}, protocol: rawFrames, remark: "benchmarks/limit -coalesce: broadcasts of one turn of the loop in one write(2) per socket"},
	{name: oursName, title: "Spoke", program: "spoked", args: oursArgs, ours: true, admin: true, remark: "spoked -bench, its default backend: SignalR, JSON"},
	{name: gnetName, title: "Spoke on gnet", program: "spoked", args: append([]string{"-engine=gnet"}, oursArgs...), ours: true, admin: true, remark: "spoked -bench -engine gnet: SignalR, JSON"},
	{name: eventsName, title: "Spoke, event streams", program: "spoked", args: oursArgs, ours: true, admin: true, only: eventsExperiment, remark: "spoked -bench, its default backend, by clients of server-sent events"},
	{name: "gws", title: "gws", program: "gws", protocol: rawFrames, admin: true, module: "github.com/lxzan/gws", remark: "raw frames, no hub protocol of its own"},
	{name: "gorilla", title: "gorilla", program: "gorilla", protocol: rawFrames, admin: true, module: "github.com/gorilla/websocket", remark: "raw frames, no hub protocol of its own"},
	{name: "nbio", title: "nbio", program: "nbio", protocol: rawFrames, admin: true, module: "github.com/lesismal/nbio", remark: "raw frames, no hub protocol of its own"},
	{name: "centrifuge", title: "centrifuge", program: "centrifuge", protocol: centrifuge, admin: true, module: "github.com/centrifugal/centrifuge", remark: "its own JSON protocol, driven by a client in benchmarks/compare"},
	{name: "philippseith", title: "philippseith", program: "philippseith", admin: true, module: "github.com/philippseith/signalr", remark: "SignalR, JSON"},
	{name: "aspnet", title: "ASP.NET Core", program: "aspnet/aspnet.dll", remark: "SignalR, JSON"},
}

var oursArgs = []string{"-bench", "-log-level=ERROR", "-drain=-1s"}

func serverNames() []string {
	var names []string
	for _, s := range allServers {
		names = append(names, s.name)
	}
	return names
}

// build builds what is to be measured. What cannot be built is left out, with a note; without the limit or Spoke there is nothing
// to be said.
func (b *bench) build(ctx context.Context) error {
	b.say("building")
	peers := filepath.Join(b.opts.root, "benchmarks", "peers")
	if err := b.goBuild(ctx, b.opts.root, "./cmd/spoked", "./cmd/loadgen", "./benchmarks/limit"); err != nil {
		return err
	}
	help, err := exec.CommandContext(ctx, b.binary("spoked"), "-help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("spoked -help: %w", err)
	}
	for _, s := range allServers {
		if !b.opts.servers.has(s.name) {
			continue
		}
		var err error
		switch {
		case s.name == gnetName:
			if !hasBackend(string(help), "gnet") {
				err = errors.New("this spoked has no backend gnet")
			}
		case s.name == "aspnet":
			s.version, err = b.buildASPNET(ctx, filepath.Join(peers, "aspnet"))
		case s.module != "":
			if s.version, err = moduleVersion(filepath.Join(peers, "go.mod"), s.module); err == nil {
				err = b.goBuild(ctx, peers, "./"+s.program)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.leave(s.title, err)
			continue
		}
		b.servers = append(b.servers, s)
	}
	return nil
}

func (b *bench) goBuild(ctx context.Context, dir string, packages ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", b.binary("") + string(filepath.Separator)}, packages...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s in %s: %w\n%s", strings.Join(packages, " "), dir, err, lastLines(out, 10))
	}
	return nil
}

// buildASPNET builds the ASP.NET Core hub where dotnet is installed.
func (b *bench) buildASPNET(ctx context.Context, dir string) (version string, err error) {
	dotnet, err := exec.LookPath("dotnet")
	if err != nil {
		return "", errors.New("dotnet is not installed here")
	}
	cmd := exec.CommandContext(ctx, dotnet, "build", "-c", "Release", "-o", b.binary("aspnet"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("dotnet build: %w\n%s", err, lastLines(out, 10))
	}
	out, err := exec.CommandContext(ctx, dotnet, "--version").Output()
	return strings.TrimSpace(string(out)), err
}

// binary is the path of a program that was built.
func (b *bench) binary(name string) string {
	return filepath.Join(b.work, "bin", filepath.FromSlash(name))
}

// command is the command line of a server.
func (b *bench) command(s *server, addr, admin string, extra ...string) []string {
	var c []string
	if s.program == "aspnet/aspnet.dll" {
		c = append(c, "dotnet")
	}
	c = append(c, b.binary(s.program), "-addr", addr)
	c = append(append(c, s.args...), extra...)
	if s.admin && admin != "" {
		c = append(c, "-admin-addr", admin)
	}
	return c
}

var engineHelp = regexp.MustCompile(`(?m)^  -engine .*\n(.*)$`)

// hasBackend looks for a backend in the text of spoked -help.
func hasBackend(help, name string) bool {
	m := engineHelp.FindStringSubmatch(help)
	return m != nil && regexp.MustCompile(`\b`+name+`\b`).MatchString(m[1])
}

// moduleVersion is the version that a go.mod requires.
func moduleVersion(gomod, module string) (string, error) {
	text, err := os.ReadFile(gomod)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == "require" {
			f = f[1:]
		}
		if len(f) >= 2 && f[0] == module {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", gomod, module)
}

func lastLines(text []byte, n int) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

// checkMachine says what is missing before anything is built.
func (b *bench) checkMachine() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the limit and the measuring of processes need Linux, this is %s", runtime.GOOS)
	}
	if b.pin == nil {
		return nil
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return errors.New("taskset is not installed (it is in util-linux); -server-cpu -1 -client-cpu -1 measures without pinning")
	}
	for _, cpu := range []int{b.opts.serverCPU, b.opts.clientCPU} {
		if out, err := exec.Command("taskset", "-c", fmt.Sprint(cpu), "true").CombinedOutput(); err != nil {
			return fmt.Errorf("processor %d cannot be used: %w: %s", cpu, err, bytes.TrimSpace(out))
		}
	}
	return nil
}
