package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spokehub/spoke/internal/hubtest"
)

func TestChat(t *testing.T) {
	t.Parallel()
	srv, err := newServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()

	res, err := http.Get("http://" + addr.String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "messageReceived") {
		t.Errorf("the page: %d, %v, %q", res.StatusCode, err, body)
	}
	http.DefaultClient.CloseIdleConnections()

	clients := make([]*hubtest.Client, 2)
	for i := range clients {
		if clients[i], err = hubtest.Dial(addr.String(), "/chat"); err != nil {
			t.Fatal(err)
		}
		defer clients[i].Close()
	}
	if err := clients[0].Send("send", "Ann", "Grüße"); err != nil {
		t.Fatal(err)
	}
	for i, c := range clients {
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m.Target != "messageReceived" || len(m.Arguments) != 2 || string(m.Arguments[0]) != `"Ann"` || string(m.Arguments[1]) != `"Grüße"` {
			t.Errorf("client %d got %+v", i, m)
		}
	}
	for _, c := range clients {
		c.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
