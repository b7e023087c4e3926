package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/spokehub/spoke"
)

// The exit codes. A drain that came to its end is exitOK, however many clients had to be told.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// run is the whole program. The first signal begins a graceful drain, the second ends it at once; SIGHUP has the certificates read again, if there are any.
func run(args []string, lookupEnv func(string) (string, bool), stdout, stderr io.Writer, signals <-chan os.Signal) int {
	set, err := parseSettings(args, lookupEnv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "spoked: %v\nRun spoked -h for the flags.\n", err)
		return exitUsage
	case set.version:
		fmt.Fprintln(stdout, versionLine())
		return exitOK
	}
	log := newLogger(stderr, set.logFormat, set.logLevel)
	set.config.Logger = log

	srv, err := spoke.New(set.config)
	if err != nil {
		fmt.Fprintf(stderr, "spoked: %v\nRun spoked -h for the flags.\n", err)
		return exitUsage
	}
	app, err := assemble(srv, set, log)
	if err != nil {
		log.Error("cannot assemble the server", "error", errors.Join(err, srv.Shutdown(context.Background())))
		return exitFail
	}
	if err := app.serve(stdout, signals); err != nil {
		log.Error("stopped", "error", err)
		return exitFail
	}
	return exitOK
}

// app is an assembled server.
type app struct {
	srv    *spoke.Server
	scheme string
	log    *slog.Logger
	health *health
	jobs   []func(context.Context) // run beside the server until it has stopped
	admin  *admin                  // nil: off
}

// assemble puts hubs, page and health checks on srv.
func assemble(srv *spoke.Server, set *settings, log *slog.Logger) (*app, error) {
	a := &app{srv: srv, scheme: "http", log: log, health: &health{}}
	if set.config.TLS.CertFile != "" {
		a.scheme = "https"
	}

	chat := newChat()
	hub, err := srv.MapHub("/chat", chat)
	if err != nil {
		return nil, err
	}
	live := newLive(func(t tick) error { return hub.Clients().Group(liveGroup).Send("tick", t) })
	chat.attach(hub, live)
	if err := live.attach(hub); err != nil {
		return nil, err
	}
	a.jobs = append(a.jobs, chat.announce, live.run)

	if set.bench {
		if _, err := srv.MapHub("/bench", bench{}, benchOptions); err != nil {
			return nil, err
		}
	}
	a.health.register(srv.Handle)
	srv.Handle("/", newPage())
	if set.adminAddr != "" {
		a.admin = newAdmin(set.adminAddr, a.health, srv.Stats)
	}
	return a, nil
}

// sameRequest is how soon after the first the same signal is taken for its echo: timeout(1) and some supervisors signal a process and its group.
const sameRequest = 100 * time.Millisecond

var errInterrupted = errors.New("interrupted by a second signal before the drain was over")

// serve runs until a signal has come and the drain is over.
func (a *app) serve(stdout io.Writer, signals <-chan os.Signal) error {
	addr, err := a.srv.Listen()
	if err != nil {
		return errors.Join(err, a.srv.Shutdown(context.Background()))
	}
	// The jobs outlive the drain: its clients still see the broadcast and the rooms.
	jobsCtx, stopJobs := context.WithCancel(context.Background())
	var jobs sync.WaitGroup
	defer jobs.Wait()
	defer stopJobs()
	for _, job := range a.jobs {
		jobs.Go(func() { job(jobsCtx) })
	}

	ctx, drain := context.WithCancel(context.Background())
	defer drain()
	ended := make(chan error, 2)
	running := 1
	go func() { ended <- a.srv.Run(ctx) }()
	if a.admin != nil {
		adminAddr, err := a.admin.listen()
		if err != nil {
			drain()
			return errors.Join(err, <-ended)
		}
		running++
		go func() { ended <- a.admin.run(jobsCtx) }()
		a.log.Info("admin listener", "url", "http://"+adminAddr.String()+"/")
	}
	if _, err := fmt.Fprintf(stdout, "Spoke is serving %s\n", pageURL(a.scheme, addr)); err != nil {
		a.log.Warn("cannot print the page's address", "error", err, "address", addr.String())
	}
	a.health.ready.Store(true)

	var first os.Signal
	var at time.Time
	for first == nil {
		select {
		case err := <-ended:
			if err == nil {
				err = errors.New("a listener ended without being asked to")
			}
			return err
		case sig := <-signals:
			if a.reload(sig) {
				continue
			}
			first, at = sig, time.Now()
			a.log.Info("draining", "signal", first.String())
			a.health.ready.Store(false)
			drain()
		}
	}
	var failures []error
	for running > 0 {
		select {
		case err := <-ended:
			running--
			failures = append(failures, err)
			stopJobs() // the server has ended (or the admin listener, which ends only with the jobs)
		case sig := <-signals:
			if a.reload(sig) {
				continue
			}
			if sig == first && time.Since(at) < sameRequest {
				continue
			}
			return errInterrupted
		}
	}
	a.log.Info("drained")
	return errors.Join(failures...)
}

// reload has the certificates read again when sig asks for it. Without any, SIGHUP is what it is to all programs: the end.
func (a *app) reload(sig os.Signal) bool {
	if sig != syscall.SIGHUP {
		return false
	}
	switch err := a.srv.ReloadCertificates(); {
	case errors.Is(err, spoke.ErrNoCertificateFiles):
		return false
	case err != nil:
		a.log.Error("certificates not reloaded: those before stay", "error", err)
	default:
		expire, _ := a.srv.CertificatesExpire()
		a.log.Info("certificates reloaded", "first expires", expire)
	}
	return true
}

// pageURL is where a browser on this machine finds the page.
func pageURL(scheme string, addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.Network() + ":" + addr.String()
	}
	host := tcp.IP.String()
	if len(tcp.IP) == 0 || tcp.IP.IsUnspecified() {
		host = "localhost" // 0.0.0.0 is no address to visit
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port)) + "/"
}
