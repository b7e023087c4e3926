// Command typescript is a hub with a client in TypeScript whose compiler knows the hub: see client/chat.ts. cmd/spokegen has written
// client/hubs.d.ts, which go generate writes anew and a test compares. To see them talk:
//
//	go run ./examples/typescript
//	cd examples/typescript && npm ci && npm run build && npm start Ann
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/spokehub/spoke"
)

//go:generate go run github.com/spokehub/spoke/cmd/spokegen -out client/hubs.d.ts -client ChatClient . Chat

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	srv, err := newServer(*addr)
	if err != nil {
		log.Fatal(err)
	}
	at, err := srv.Listen()
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("hub on http://%s/chat", at)
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func newServer(addr string) (*spoke.Server, error) {
	srv, err := spoke.New(spoke.Config{Addr: addr})
	if err != nil {
		return nil, err
	}
	if _, err := srv.MapHub("/chat", &Chat{}); err != nil {
		return nil, err
	}
	return srv, nil
}
