// Command philippseith serves the hub /bench on philippseith/signalr: real SignalR, JSON, with the methods of spoked -bench.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"

	kitlog "github.com/go-kit/log"
	"github.com/philippseith/signalr"
	"github.com/spokehub/spoke/benchmarks/peers/internal/bench"
)

type hub struct{ signalr.Hub }

func (h *hub) Echo(x json.RawMessage) json.RawMessage { return x }

func (h *hub) Broadcast(x json.RawMessage) { h.Clients().All().Send("message", x) }

func (h *hub) Join(group string) { h.Groups().AddToGroup(group, h.ConnectionID()) }

func (h *hub) Leave(group string) { h.Groups().RemoveFromGroup(group, h.ConnectionID()) }

func (h *hub) Publish(group string, x json.RawMessage) {
	h.Clients().Group(group).Send("message", x)
}

func main() {
	l := bench.Listen()
	server, err := signalr.NewServer(context.Background(),
		signalr.SimpleHubFactory(&hub{}),
		signalr.Logger(kitlog.NewNopLogger(), false),
	)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	server.MapHTTP(signalr.WithHTTPServeMux(mux), "/bench")
	log.Fatal(http.Serve(l, mux))
}
