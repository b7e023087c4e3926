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
	"runtime/debug"
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
	mux.HandleFunc("POST /debug/free", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "/debug/pprof/\n/debug/free (POST: collects garbage, and gives free memory back to the system)\n/metrics.json\n/healthz\n/readyz\n")
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
	Goroutines   int
	HeapObjects  uint64
	HeapUnused   uint64 // room in the heap's pages that is reserved, but holds no object
	HeapFree     uint64 // pages that are free, and not given back to the system
	HeapReleased uint64 // pages that are given back; in Total, but not in memory
	Stacks       uint64
	Total        uint64
	GCCycles     uint64
}

// goFigures reads without stopping the world.
func goFigures() figures {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	value := func(i int) uint64 {
		if s[i].Value.Kind() != metrics.KindUint64 {
			return 0 // this Go has no such metric
		}
		return s[i].Value.Uint64()
	}
	return figures{Goroutines: runtime.NumGoroutine(), HeapObjects: value(0), HeapUnused: value(1), HeapFree: value(2), HeapReleased: value(3),
		Stacks: value(4), Total: value(5), GCCycles: value(6)}
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
