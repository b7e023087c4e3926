// Package bench is what the peers share: their flags, and the calls of cmd/loadgen by byte pattern for libraries that know
// WebSocket but no hub protocol.
package bench

import (
	"flag"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof" // on -admin-addr
	"runtime/debug"
)

// Listen reads the flags -addr and -admin-addr and opens the listener. With -admin-addr net/http/pprof answers there, and
// POST /debug/free, which benchmarks/compare asks before it reads the memory of an idle server: it collects garbage and gives free memory back.
func Listen() net.Listener {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	admin := flag.String("admin-addr", "", "`address` for /debug/pprof and /debug/free; empty: off")
	flag.Parse()
	if *admin != "" {
		http.HandleFunc("POST /debug/free", func(w http.ResponseWriter, _ *http.Request) {
			debug.FreeOSMemory()
			w.WriteHeader(http.StatusNoContent)
		})
		l, err := net.Listen("tcp", *admin)
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(http.Serve(l, http.DefaultServeMux)) }()
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	return l
}
