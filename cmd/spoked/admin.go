package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/spokehub/spoke"
)

// admin serves profiles and counters on an address of its own, with net/http: it must answer when the event loops do not.
type admin struct {
	addr     string
	server   *http.Server
	listener net.Listener
}

func newAdmin(addr string, h *health, stats func() spoke.Stats) *admin {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	h.register(mux.Handle)
	started := time.Now()
	mux.Handle("/metrics.json", checked(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(report{ // the caller has gone: nobody to tell
			UptimeSeconds: time.Since(started).Seconds(), Ready: h.ready.Load(), Go: goFigures(), Server: stats(),
		})
	})))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "/debug/pprof/\n/metrics.json\n/healthz\n/readyz\n")
	})
	return &admin{addr: addr, server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}
}

// report is the body of /metrics.json.
type report struct {
	UptimeSeconds float64
	Ready         bool
	Go            figures
	Server        spoke.Stats
}

// figures are what the Go runtime says of itself. Bytes.
type figures struct {
	Goroutines  int
	HeapObjects uint64
	Stacks      uint64
	Total       uint64
	GCCycles    uint64
}

// goFigures reads without stopping the world.
func goFigures() figures {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	value := func(i int) uint64 {
		if s[i].Value.Kind() != metrics.KindUint64 {
			return 0 // this Go has no such metric
		}
		return s[i].Value.Uint64()
	}
	return figures{Goroutines: runtime.NumGoroutine(), HeapObjects: value(0), Stacks: value(1), Total: value(2), GCCycles: value(3)}
}

func (a *admin) listen() (net.Addr, error) {
	l, err := net.Listen("tcp", a.addr)
	if err != nil {
		return nil, err
	}
	a.listener = l
	return l.Addr(), nil
}

// run serves until ctx ends; requests that still run, such as a profile, are cut off.
func (a *admin) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = a.server.Close() })
	defer stop()
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
