package ws_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/ws"
)

// upper answers each piece of payload in capital letters.
type upper struct{ ended chan struct{} }

func (upper) OnPayload(c *ws.Conn, p []byte) {
	for i, b := range p {
		if b >= 'a' && b <= 'z' {
			p[i] = b - 'a' + 'A'
		}
	}
	c.Write(false, p)
}

func (upper) OnDrain(*ws.Conn)            {}
func (upper) OnDeadline(*ws.Conn, uint32) {}

func (u upper) OnClosed(_ *ws.Conn, r engine.CloseReason, graceful bool, code uint16, _ error) {
	fmt.Println(r, graceful, code)
	close(u.ended)
}

// A WebSocket in memory: what the client sends is "hello" and a close frame, masked with zeros.
func ExampleNewConn() {
	e, err := engine.New(engine.Config{Backend: "memory"})
	if err != nil {
		log.Fatal(err)
	}
	u := upper{ended: make(chan struct{})}
	client, err := e.Dial(func(ec *engine.Conn) engine.Handler { return ws.NewConn(ec, nil, u) })
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(client, "\x81\x85\x00\x00\x00\x00hello"+"\x88\x82\x00\x00\x00\x00\x03\xe9"); err != nil {
		log.Fatal(err)
	}
	<-u.ended
	answer, err := io.ReadAll(client)
	fmt.Printf("%q %v\n", answer, err)
	_ = client.Close()
	if err := e.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// client-closed true 1001
	// "\x81\x05HELLO\x88\x02\x03\xe8" <nil>
}
