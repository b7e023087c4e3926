// Command loadgen loads a SignalR server and says what it saw: latency from the intended send time, throughput, bytes, errors
// by kind, and whether a message was lost, doubled or overtaken. See README.md.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(os.Args[1:], program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, signals: signals}))
}
