package engine_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"

	"github.com/spokehub/spoke/engine"
)

// lines answers each line with itself, and says when the connection has ended.
type lines struct{ closed chan engine.CloseReason }

func (lines) OnData(c *engine.Conn, p []byte) (n int) {
	for i, b := range p {
		if b == '\n' {
			c.Write(p[n : i+1])
			n = i + 1
		}
	}
	return n // the rest is shown again, with what comes behind it
}

func (lines) OnEOF(c *engine.Conn)                                    { c.Close(engine.PeerClosed, nil) }
func (lines) OnDrain(*engine.Conn)                                    {}
func (lines) OnDeadline(*engine.Conn, uint32)                         {}
func (h lines) OnClose(_ *engine.Conn, r engine.CloseReason, _ error) { h.closed <- r }

// A server of lines, with its client, over a socket where there are listeners.
func ExampleEngine_Listen() {
	e, err := engine.New(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	closed := make(chan engine.CloseReason, 1)
	open := func(*engine.Conn) engine.Handler { return lines{closed} }
	at, err := e.Listen("tcp", "127.0.0.1:0", open)
	var nc net.Conn
	if err == nil {
		nc, err = net.Dial("tcp", at.String())
	} else { // no sockets on this system yet
		nc, err = e.Dial(open)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(nc, "hello\n")
	answer := make([]byte, 6)
	if _, err := io.ReadFull(nc, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", answer)
	nc.Close()
	fmt.Println(<-closed)
	// Output:
	// hello
	// peer-closed
}

// A frame is made once and sent to any number of connections of a loop, in a task.
func ExampleLoop_Post() {
	e, err := engine.New(engine.Config{Backend: "memory", Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	var members []*engine.Conn // the loop's
	var ends []net.Conn
	for range 3 {
		nc, err := e.Dial(func(c *engine.Conn) engine.Handler {
			members = append(members, c)
			return lines{make(chan engine.CloseReason, 1)}
		})
		if err != nil {
			log.Fatal(err)
		}
		ends = append(ends, nc)
	}
	frame := engine.NewFrame([]byte("news"), 0)
	e.Loops()[0].Post(engine.TaskFunc(func(*engine.Loop) {
		for _, c := range members {
			c.Send(frame)
		}
	}))
	for _, nc := range ends {
		got := make([]byte, 4)
		if _, err := io.ReadFull(nc, got); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", got)
		nc.Close()
	}
	// Output:
	// news
	// news
	// news
}

// The same server behind TLS, with a certificate made for tests.
func ExampleEngine_ListenTLS() {
	made := httptest.NewTLSServer(nil)
	defer made.Close()
	e, err := engine.New(engine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Shutdown(context.Background())
	closed := make(chan engine.CloseReason, 1)
	at, err := e.ListenTLS("tcp", "127.0.0.1:0", engine.TLS{Config: &tls.Config{Certificates: made.TLS.Certificates}}, func(c *engine.Conn) engine.Handler {
		state, _ := c.TLS()
		fmt.Println("a handshake with", tls.VersionName(state.Version))
		return lines{closed}
	})
	if err != nil {
		log.Fatal(err)
	}
	trusts := x509.NewCertPool()
	trusts.AddCert(made.Certificate())
	nc, err := tls.Dial("tcp", at.String(), &tls.Config{RootCAs: trusts, ServerName: "example.com"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(nc, "hello\n")
	answer := make([]byte, 6)
	if _, err := io.ReadFull(nc, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", answer)
	nc.Close()
	fmt.Println(<-closed)
	// Output:
	// a handshake with TLS 1.3
	// hello
	// peer-closed
}
