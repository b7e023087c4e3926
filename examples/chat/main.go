// Command chat is the smallest whole Spoke program: a hub with one method, and a page that talks to it.
// Run it, then open http://127.0.0.1:8080/ in two windows.
package main

import (
	"context"
	_ "embed"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/spokehub/spoke"
)

// Chat is the hub: each exported method is one that clients can call.
type Chat struct{}

// Send tells everybody.
func (Chat) Send(c *spoke.Context, user, text string) error {
	return c.Clients().All().Send("messageReceived", user, text)
}

//go:embed chat.html
var page string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv, err := newServer("127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Print("open http://127.0.0.1:8080/ in two windows")
	if err := srv.Run(ctx); err != nil { // returns after a graceful drain when ctx ends
		log.Fatal(err)
	}
}

func newServer(addr string) (*spoke.Server, error) {
	srv, err := spoke.New(spoke.Config{Addr: addr})
	if err != nil {
		return nil, err
	}
	if _, err := srv.MapHub("/chat", Chat{}); err != nil {
		return nil, err
	}
	srv.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page) // the browser has gone: nobody to tell
	}))
	return srv, nil
}
