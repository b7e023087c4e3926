package main

import (
	"io"
	"net/http"
	"sync/atomic"
)

// health answers the checks of a load balancer or an orchestrator.
type health struct {
	ready atomic.Bool // any goroutine; false before the start and from the first signal on
}

func (h *health) register(handle func(pattern string, handler http.Handler)) {
	handle("/healthz", checked(http.HandlerFunc(h.alive)))
	handle("/readyz", checked(http.HandlerFunc(h.readiness)))
}

// alive is 200 as long as the process can answer at all.
func (h *health) alive(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n") // the caller has gone: nobody to tell
}

// readiness is 503 from the first signal on, so that no new clients are sent here.
func (h *health) readiness(w http.ResponseWriter, _ *http.Request) {
	if !h.ready.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

// checked keeps caches and other methods away from a check.
func checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
