// Package bench is what the peers share: their flags, and the calls of cmd/loadgen by byte pattern for libraries that know
// WebSocket but no hub protocol.
package bench

import (
	"flag"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof" // on -admin-addr
)

// Listen reads the flags -addr and -admin-addr and opens the listener. With -admin-addr net/http/pprof answers there, which
// benchmarks/compare asks for a garbage collection before it reads the memory of an idle server.
func Listen() net.Listener {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	admin := flag.String("admin-addr", "", "`address` for /debug/pprof; empty: off")
	flag.Parse()
	if *admin != "" {
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
