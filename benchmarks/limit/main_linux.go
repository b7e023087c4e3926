package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on: an IPv4 address and a port")
	coalesce := flag.Bool("coalesce", false, "join the broadcasts of one turn of the loop into one write per socket")
	ping := flag.Duration("ping", 0, "`interval` at which each connection gets a ping, in JSON; 0: never")
	flag.Parse()
	if err := run(*addr, *coalesce, *ping); err != nil {
		fmt.Fprintf(os.Stderr, "limit: %v\n", err)
		os.Exit(1)
	}
}

func run(addr string, coalesce bool, ping time.Duration) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	s, err := newServer(at, coalesce, ping, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "limit: listening on %v, coalesce %t, ping %v\n", at, coalesce, ping)
	return s.serve()
}
