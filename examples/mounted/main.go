// Command mounted puts a hub into a net/http program that is there already: its mux, its middleware and its http.Server stay what they are.
// The server hands the hub's connections over to Spoke's event loops; everything else is served as before.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spokehub/spoke"
)

// Clock is the hub.
type Clock struct{}

// Now answers the caller.
func (Clock) Now() time.Time { return time.Now() }

// Ring tells everybody else.
func (Clock) Ring(c *spoke.Context) error { return c.Clients().Others().Send("rang", time.Now()) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Print("hub on http://127.0.0.1:8080/clock, pages on / and /time")
	if err := serve(ctx, l); err != nil {
		log.Fatal(err)
	}
}

// serve serves on l until ctx ends.
func serve(ctx context.Context, l net.Listener) error {
	hubs, err := spoke.New(spoke.Config{})
	if err != nil {
		return err
	}
	if _, err := hubs.MapHub("/clock", Clock{}); err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "This program has a hub on /clock.") })
	mux.HandleFunc("GET /time", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, time.Now().Format(time.RFC3339)) })
	mux.Handle("/clock", hubs)           // the WebSocket
	mux.Handle("/clock/negotiate", hubs) // what clients ask first
	server := &http.Server{Handler: logged(mux), ReadHeaderTimeout: 10 * time.Second}

	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return errors.Join(err, hubs.Shutdown(context.WithoutCancel(ctx)))
	case <-ctx.Done():
	}
	// First the hubs: an event stream or a poll is a request for net/http, which waits until it has ended.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return errors.Join(hubs.Shutdown(ending), server.Shutdown(ending))
}

// logged is some middleware.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Print(r.Method, " ", r.URL.Path) // never the query: it holds tokens
		next.ServeHTTP(w, r)
	})
}
