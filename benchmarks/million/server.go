package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/auth"
	"github.com/spokehub/spoke/endpoint"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/limits"
	"github.com/spokehub/spoke/ws"
)

// server is a spoke.Server without listeners: the same rooms, put together in the same way, on the memory backend.
type server struct {
	engine  *engine.Engine
	runtime *hubrt.Runtime
	hub     *hubrt.Hub
	http    http1.Config

	// connected is called in the connected event, on a worker.
	connected atomic.Pointer[func(c *hubrt.Context) error]
}

const (
	hubPath   = "/hub"
	userKey   = "user"
	userStart = "user-"
)

func newServer(cfg config) (*server, error) {
	eng, err := engine.New(engine.Config{Backend: "memory", Loops: cfg.loops})
	if err != nil {
		return nil, err
	}
	s := &server{engine: eng}
	if err := s.assemble(cfg); err != nil {
		return nil, errors.Join(err, eng.Shutdown(context.Background()))
	}
	return s, nil
}

func (s *server) assemble(cfg config) error {
	s.runtime = hubrt.NewRuntime(hubrt.RuntimeConfig{Loops: s.engine.Loops(), AppendHeader: ws.AppendHeader})
	hub, err := s.runtime.NewHub("hub", nil, hubrt.Options{
		KeepAliveInterval: cfg.keepAlive,
		ClientTimeout:     time.Hour, // it runs, from each client's first ping on, but these clients do not go on pinging
		Rates:             limits.Rates{Messages: 100, Bytes: 1 << 20},
		DropRequest:       !cfg.keepHead,
	})
	if err != nil {
		return err
	}
	hub.OnConnected(func(c *hubrt.Context) error { return (*s.connected.Load())(c) })
	s.hub = hub
	set := endpoint.NewSet(endpoint.Config{Engine: s.engine, Authenticate: authenticate})
	if _, err := set.Map(hubPath, hub, endpoint.Options{KeepHead: true}); err != nil {
		return err
	}
	set.Start()
	s.http = http1.Config{Serve: set.Serve}
	return s.http.Validate()
}

// authenticate takes the user id that the request names, as a test server does. The copy is needed: a piece of the query would keep
// the whole request alive.
func authenticate(r *http.Request) (*auth.Identity, error) {
	return &auth.Identity{UserID: strings.Clone(r.URL.Query().Get(userKey))}, nil
}

// userNumber is the number in a user id, which is its client's index.
func userNumber(id string) (int, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(id, userStart))
	if err != nil {
		return 0, fmt.Errorf("user id %q: want %s and a number", id, userStart)
	}
	return i, nil
}

// shake is all that a client sends to be connected: the upgrade as browsers send it, and the handshake in a frame that is masked with
// zeros.
func shake(i int) []byte {
	b := fmt.Appendf(nil, "GET %s?%s=%s%d HTTP/1.1\r\n", hubPath, userKey, userStart, i)
	b = append(b, "Host: hub.example.org\r\n"+
		"Connection: Upgrade\r\n"+
		"Pragma: no-cache\r\n"+
		"Cache-Control: no-cache\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n"+
		"Upgrade: websocket\r\n"+
		"Origin: https://hub.example.org\r\n"+
		"Sec-WebSocket-Version: 13\r\n"+
		"Accept-Encoding: gzip, deflate, br, zstd\r\n"+
		"Accept-Language: en-GB,en;q=0.9\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"...)
	return appendMasked(b, `{"protocol":"json","version":1}`+"\x1e")
}

// appendMasked appends a short text message as a client sends it.
func appendMasked(b []byte, text string) []byte {
	const fin, textFrame, masked = 0x80, 1, 0x80
	b = append(b, fin|textFrame, masked|byte(len(text)), 0, 0, 0, 0)
	return append(b, text...)
}

// onLoops runs f on each loop, and returns when all have.
func (s *server) onLoops(f func(l *engine.Loop, done func())) {
	var wg sync.WaitGroup
	for _, l := range s.engine.Loops() {
		wg.Add(1)
		if !l.Post(engine.TaskFunc(func(l *engine.Loop) { f(l, wg.Done) })) {
			wg.Done() // it has stopped, so nothing is left to wait for
		}
	}
	wg.Wait()
}

// hold stops the loops until release is called.
func (s *server) hold() (release func()) {
	released := make(chan struct{})
	s.onLoops(func(_ *engine.Loop, done func()) {
		done()
		<-released
	})
	return func() { close(released) }
}

// barrier returns when all that was posted before has been run and what it has sent has been written: that happens at the end of the
// iteration, so a task of the next one can tell.
func (s *server) barrier() {
	s.onLoops(func(l *engine.Loop, done func()) {
		l.Post(engine.TaskFunc(func(*engine.Loop) { done() }))
	})
}

func (s *server) stop(ctx context.Context) error {
	return errors.Join(s.engine.Shutdown(ctx), s.runtime.Stop(ctx))
}
