package http1_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
)

func ExampleConfig() {
	cfg := &http1.Config{Serve: func(x *http1.Exchange) {
		x.ReadBody(32<<10, func(body []byte, ok bool) {
			if !ok {
				return // the client has left, or has been told what was wrong
			}
			x.Reply(http.StatusOK, http.Header{"Content-Type": {"text/plain"}}, append([]byte("you said "), body...))
		})
	}}
	if err := cfg.Validate(); err != nil {
		log.Fatal(err)
	}
	eng, err := engine.New(engine.Config{Backend: "memory", Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	client, err := eng.Dial(cfg.Open) // with sockets: eng.Listen("tcp", addr, cfg.Open)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(client, "POST /echo HTTP/1.1\r\nHost: example\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"); err != nil {
		log.Fatal(err)
	}
	answer, err := io.ReadAll(client)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s ... %s\n", answer[:15], answer[len(answer)-14:])
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
	if err := eng.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: HTTP/1.1 200 OK ... you said hello
}

// Another goroutine answers, and the loop goes on meanwhile.
func ExampleExchange_Later() {
	cfg := &http1.Config{}
	cfg.Serve = func(x *http1.Exchange) {
		post := x.Later()
		name := x.Request().URL.Query().Get("name")
		go func() {
			text := "hello " + name // something slow
			post(func() { x.Reply(http.StatusOK, nil, []byte(text)) })
		}()
	}
	fmt.Println(cfg.Validate())
	// Output: <nil>
}
