// Command upload streams a gibibyte from a client that sends as fast as it can to a hub that is slow, and says what that does to the server's memory and to another
// client's latency. It fails when an item is lost, doubled, out of order or changed, when memory grows, and with -latency when the other client's calls take longer.
//
// They are compared with its calls at rest and, as client, method and server share the processors, with those under the same upload to a sink: a few lines that read the socket, decode the item and
// hand it to the same method. What remains is the server's own: that calls wait on the loop behind items. A call is answered in some tens of microseconds, and an item takes the loop about as many; so once
// the items are more than one in a hundred of what the loop does, the other client's 99th percentile is that of a call that has met one.
//
//	go run ./benchmarks/upload [-size 1024] [-rate 4] [-protocol json] [-latency 10]
//
// Server and clients are one process, and their connections share one event loop: what one client does to another is most there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
}

// command runs the program with its arguments, without the name.
func command(ctx context.Context, args []string, out, help io.Writer) error {
	cfg := config{size: 1024, item: 16 << 10, rate: 4, protocol: messagePack, phase: time.Second, latency: 10}
	fs := flag.NewFlagSet("upload", flag.ContinueOnError)
	fs.SetOutput(help)
	fs.IntVar(&cfg.size, "size", cfg.size, "MiB to upload")
	fs.IntVar(&cfg.item, "item", cfg.item, "bytes of an item")
	fs.IntVar(&cfg.rate, "rate", cfg.rate, "MiB a second that the hub takes")
	fs.StringVar(&cfg.protocol, "protocol", cfg.protocol, "hub protocol of the upload, json or messagepack")
	fs.DurationVar(&cfg.phase, "phase", cfg.phase, "the upload runs for so long, goes to the sink for a quarter of it, and rests as long, in turn, so that latency with and without it is measured on the same machine")
	fs.IntVar(&cfg.latency, "latency", cfg.latency, "percent that the other client's median and 99th percentile may be worse under the upload than at rest and under one to the sink; 0: not judged")
	timeout := fs.Duration("timeout", 10*time.Minute, "end with an error after this time")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: there are only flags, see -help", fs.Arg(0))
	}
	if err := cfg.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("not done after %v, which is -timeout", *timeout))
	defer cancel()
	r, err := run(ctx, cfg)
	if err != nil {
		return err
	}
	r.print(out)
	return r.verdict()
}
