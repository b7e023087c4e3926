// Command spoked is a runnable Spoke server: a page with a chat and a live broadcast, hubs for both, health checks, and
// with -bench a hub for measuring and for tests with other clients.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	os.Exit(run(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr, signals))
}
