package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/interop/golden/replay"
	"github.com/spokehub/spoke/interop/probe/hubs"
)

// stopTimeout bounds the graceful stop of a test's server.
const stopTimeout = 15 * time.Second

// served is a Spoke server with the recordings' hubs.
type served struct {
	addr string
	stop func() error // once; later calls return the same
}

// listen serves on Spoke's own listener.
func listen(backend string) (*served, error) {
	srv, err := probe(backend)
	if err != nil {
		return nil, err
	}
	addr, err := srv.Listen()
	if err != nil {
		return nil, errors.Join(err, shutdown(srv))
	}
	return &served{addr.String(), sync.OnceValue(func() error { return shutdown(srv) })}, nil
}

// mount serves through a net/http server, from which WebSockets are taken over into the loops.
func mount() (*served, error) {
	srv, err := probe("")
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, shutdown(srv))
	}
	web := &http.Server{Handler: srv}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ln) }()
	return &served{ln.Addr().String(), sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err := errors.Join(shutdown(srv), web.Shutdown(ctx)) // in this order: event streams and polls are requests that last
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	})}, nil
}

func probe(backend string) (*spoke.Server, error) {
	cfg := spoke.Config{Addr: "127.0.0.1:0", Authenticate: hubs.Authenticate, Drain: -1}
	cfg.Engine.Backend = backend
	srv, err := spoke.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := hubs.Map(srv); err != nil {
		return nil, errors.Join(err, shutdown(srv))
	}
	return srv, nil
}

func shutdown(srv *spoke.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return srv.Shutdown(ctx)
}

// TestRecordings replays the whole corpus against Spoke: everything passes but what expected.txt names, and that does not pass.
func TestRecordings(t *testing.T) {
	t.Parallel()
	all, err := replay.Load(corpus, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	expect, err := readExpectations("expected.txt", all)
	if err != nil {
		t.Fatal(err)
	}
	type way struct {
		name  string
		serve func() (*served, error)
	}
	ways := []way{{"net/http mount", mount}}
	if runtime.GOOS == "linux" {
		ways = append(ways, way{"epoll", func() (*served, error) { return listen("epoll") }})
	}
	ways = append(ways, way{"gnet", func() (*served, error) { return listen("gnet") }})
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s, err := w.serve()
			if err != nil {
				t.Fatal(err)
			}
			suite := replay.Suite{Target: replay.TCP(s.addr), Expect: expect, Own: func() (replay.Target, func(), error) {
				own, err := w.serve()
				if err != nil {
					return replay.Target{}, nil, err
				}
				target := replay.TCP(own.addr)
				stop := func() {
					if err := own.stop(); err != nil {
						t.Errorf("a server of its own: %v", err)
					}
				}
				target.Shutdown = stop
				return target, stop, nil
			}}
			counts := suite.Run(t.Context(), all, func(r replay.Result) {
				switch {
				case r.Outcome == replay.Failed:
					t.Error(report(r))
				case r.Runs > 1:
					t.Log(report(r))
				}
			})
			t.Log(replay.Summary(counts))
			if counts[replay.NotRun] > 0 || counts[replay.Passed] == 0 {
				t.Errorf("%v", counts)
			}
			if err := s.stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

// TestCommand runs the command as a user does.
func TestCommand(t *testing.T) {
	t.Parallel()
	s, err := mount()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	url := "http://" + s.addr
	other := httptest.NewServer(http.NotFoundHandler()) // passes nothing
	t.Cleanup(other.Close)
	notYet := filepath.Join(t.TempDir(), "expected.txt")
	if err := os.WriteFile(notYet, []byte("[not yet]\ninvoke-echo it has no hubs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string // in what is printed
	}{
		{"passes", []string{"-expect", "expected.txt", url, "invoke-echo", "negotiate-v?"}, 0, "3 passed, 0 failed, 0 may differ, 0 not expected yet"},
		{"tells all", []string{"-v", url, "invoke-echo"}, 0, "invoke-echo: passed"},
		{"fails", []string{other.URL, "invoke-echo"}, 1, "0 passed, 1 failed"},
		{"first difference", []string{other.URL, "invoke-echo"}, 1, "invoke-echo: FAILED\n  step 2: "},
		{"not yet", []string{"-expect", notYet, "-v", other.URL, "invoke-echo"}, 0, "invoke-echo: not expected yet: it has no hubs"},
		{"needs its own server", []string{"-v", url, "close-shutdown-sse"}, 0, "not run: it stops the server"},
		{"list", []string{"-list"}, 0, "invoke-echo\t/probe\tA string there and back."},
		{"help", []string{"-h"}, 0, "-parallel"},
		{"unknown scenario", []string{url, "invoke-ecco"}, 2, `there is no scenario "invoke-ecco"`},
		{"bad pattern", []string{url, "["}, 2, "syntax error in pattern"},
		{"no URL", nil, 2, "want a URL"},
		{"https", []string{"https://127.0.0.1:1"}, 2, "want http://host:port"},
		{"path", []string{url + "/probe"}, 2, "want http://host:port"},
		{"unknown flag", []string{"-wrong"}, 2, "-wrong"},
		{"no scenarios at a time", []string{"-parallel", "0", url}, 2, "-parallel"},
		{"no list file", []string{"-expect", "missing.txt", url}, 2, "missing.txt"},
		{"nobody there", []string{"http://127.0.0.1:1", "invoke-echo"}, 1, "could not send"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if code := run(t.Context(), tt.args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("code %d, want %d with %q:\n%s", code, tt.code, tt.want, &out)
			}
		})
	}
}
