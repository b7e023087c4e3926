// Command nbio serves loadgen's calls on lesismal/nbio, event loops under net/http's interface. Raw frames: the library has no
// hub protocol, the calls are read by byte pattern.
package main

import (
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/spokehub/spoke/benchmarks/peers/internal/bench"
)

var calls = bench.Calls[*websocket.Conn]{
	Write: func(c *websocket.Conn, text []byte) {
		_ = c.WriteMessage(websocket.TextMessage, text) // OnClose sees the end of the connection
	},
	Fan: func(members []*websocket.Conn, text []byte) {
		for _, c := range members {
			_ = c.WriteMessage(websocket.TextMessage, text)
		}
	},
}

func main() {
	l := bench.Listen()
	addr := l.Addr().String()
	if err := l.Close(); err != nil { // the engine opens its own
		log.Fatal(err)
	}
	up := websocket.NewUpgrader()
	up.OnOpen(func(c *websocket.Conn) { c.SetSession(&bench.State{}) })
	up.OnMessage(func(c *websocket.Conn, _ websocket.MessageType, p []byte) {
		if !calls.Receive(c, c.Session().(*bench.State), p) {
			_ = c.Close()
		}
	})
	up.OnClose(func(c *websocket.Conn, _ error) {
		if st, ok := c.Session().(*bench.State); ok {
			calls.Leave(c, st)
		}
	})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bench/negotiate", bench.Negotiate)
	mux.HandleFunc("GET /bench", func(w http.ResponseWriter, r *http.Request) {
		_, _ = up.Upgrade(w, r, nil) // it has answered what is wrong
	})
	engine := nbhttp.NewEngine(nbhttp.Config{Network: "tcp", Addrs: []string{addr}, Handler: mux, MaxLoad: 1_000_000})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	engine.Stop()
}
