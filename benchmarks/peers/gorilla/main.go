// Command gorilla serves loadgen's calls on gorilla/websocket. Raw frames: the library has no hub protocol, the calls are read
// by byte pattern. One goroutine reads each connection; a mutex orders its writers; broadcasts use PreparedMessage.
package main

import (
	"log"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/spokehub/spoke/benchmarks/peers/internal/bench"
)

type conn struct {
	*websocket.Conn
	mu sync.Mutex // of writers
}

var calls = bench.Calls[*conn]{
	Write: func(c *conn, text []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = c.WriteMessage(websocket.TextMessage, text) // the reader sees the end of the connection
	},
	Fan: func(members []*conn, text []byte) {
		m, err := websocket.NewPreparedMessage(websocket.TextMessage, append([]byte(nil), text...))
		if err != nil {
			log.Fatal(err)
		}
		for _, c := range members {
			c.mu.Lock()
			_ = c.WritePreparedMessage(m)
			c.mu.Unlock()
		}
	},
}

var upgrader websocket.Upgrader

func serve(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	c := &conn{Conn: ws}
	var st bench.State
	defer calls.Leave(c, &st)
	for {
		_, p, err := ws.ReadMessage()
		if err != nil || !calls.Receive(c, &st, p) {
			return
		}
	}
}

func main() {
	l := bench.Listen()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bench/negotiate", bench.Negotiate)
	mux.HandleFunc("GET /bench", serve)
	log.Fatal(http.Serve(l, mux))
}
