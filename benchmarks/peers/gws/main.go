// Command gws serves loadgen's calls on lxzan/gws. Raw frames: the library has no hub protocol, the calls are read by byte
// pattern. One goroutine reads each connection; broadcasts use the library's Broadcaster, as its README recommends.
package main

import (
	"log"
	"net/http"

	"github.com/lxzan/gws"
	"github.com/spokehub/spoke/benchmarks/peers/internal/bench"
)

var calls = bench.Calls[*gws.Conn]{
	Write: func(c *gws.Conn, text []byte) {
		_ = c.WriteMessage(gws.OpcodeText, text) // OnClose sees the end of the connection
	},
	Fan: func(members []*gws.Conn, text []byte) {
		b := gws.NewBroadcaster(gws.OpcodeText, append([]byte(nil), text...))
		defer b.Close()
		for _, c := range members {
			_ = b.Broadcast(c)
		}
	},
}

type handler struct{ gws.BuiltinEventHandler }

const stateKey = "state"

func state(c *gws.Conn) *bench.State {
	v, _ := c.Session().Load(stateKey)
	return v.(*bench.State)
}

func (handler) OnOpen(c *gws.Conn) { c.Session().Store(stateKey, &bench.State{}) }

func (handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if !calls.Receive(c, state(c), m.Bytes()) {
		c.WriteClose(1002, nil)
	}
}

func (handler) OnClose(c *gws.Conn, _ error) { calls.Leave(c, state(c)) }

func main() {
	l := bench.Listen()
	up := gws.NewUpgrader(handler{}, &gws.ServerOption{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bench/negotiate", bench.Negotiate)
	mux.HandleFunc("GET /bench", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop()
	})
	log.Fatal(http.Serve(l, mux))
}
