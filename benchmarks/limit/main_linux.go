package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on: an IPv4 address and a port")
	coalesce := flag.Bool("coalesce", false, "join the broadcasts of one turn of the loop into one write per socket")
	pings := flag.Bool("pings", false, "answer each ping of a client by one")
	flag.Parse()
	if err := run(*addr, *coalesce, *pings); err != nil {
		fmt.Fprintf(os.Stderr, "limit: %v\n", err)
		os.Exit(1)
	}
}

func run(addr string, coalesce, pings bool) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	s, err := newServer(at, coalesce, pings, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "limit: listening on %v, coalesce %t, pings %t\n", at, coalesce, pings)
	return s.serve()
}
