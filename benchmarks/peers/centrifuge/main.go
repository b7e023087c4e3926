// Command centrifuge serves the same calls on centrifugal/centrifuge, in that library's own JSON protocol, which loadgen does
// not speak: RPC "echo" returns its data, RPC "broadcast" publishes its data to the channel "all", which the server subscribes
// every client to. benchmarks/compare has a small client for it.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/centrifugal/centrifuge"
	"github.com/spokehub/spoke/benchmarks/peers/internal/bench"
)

const channel = "all"

func main() {
	l := bench.Listen()
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: "bench"},
			Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}},
		}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnRPC(func(e centrifuge.RPCEvent, answer centrifuge.RPCCallback) {
			switch e.Method {
			case "echo":
				answer(centrifuge.RPCReply{Data: e.Data}, nil)
			case "broadcast":
				_, err := node.Publish(channel, e.Data)
				answer(centrifuge.RPCReply{Data: []byte("null")}, err)
			default:
				answer(centrifuge.RPCReply{}, centrifuge.ErrorMethodNotFound)
			}
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/bench", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	log.Fatal(http.Serve(l, mux))
}
