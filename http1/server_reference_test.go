package http1

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// net/http's server refuses more than its reader of requests does: header names and values, Host, versions. What it refuses must not be served here.

// serve hands one request to a net/http server; got is its fingerprint, "" when the server has refused it.
func serve(t *testing.T, raw string) (got, answer string) {
	t.Helper()
	ended := make(chan struct{})
	c := &given{r: strings.NewReader(raw)}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && got == "" {
				got = fingerprint(r, body)
			}
		}),
		ErrorLog:                     log.New(io.Discard, "", 0),
		DisableGeneralOptionsHandler: true,
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				close(ended)
			}
		},
	}
	ln := &single{conns: make(chan net.Conn, 1)}
	ln.conns <- c
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	<-ended
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	<-done
	return got, c.out.String()
}

// given is a connection on which all has been said already.
type given struct {
	r   *strings.Reader
	out bytes.Buffer
}

func (c *given) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c *given) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *given) Close() error                     { return nil }
func (c *given) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *given) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *given) SetDeadline(time.Time) error      { return nil }
func (c *given) SetReadDeadline(time.Time) error  { return nil }
func (c *given) SetWriteDeadline(time.Time) error { return nil }

// single is a listener of one connection.
type single struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *single) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }
func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// oldExpectation: an expectation in HTTP/1.0 is to be ignored (RFC 9110, section 10.1.1); net/http's server answers one that it does not know with 417 all the same, as it may in HTTP/1.1.
func oldExpectation(raw string) bool {
	r, err := http.ReadRequest(newReader(strings.TrimPrefix(raw, "\r\n")))
	return err == nil && !r.ProtoAtLeast(1, 1) && r.Header.Get("Expect") != ""
}

// TestServerReference: what is served of the cases above is served by net/http's server with the same meaning, and so are requests made at random.
func TestServerReference(t *testing.T) {
	t.Parallel()
	for _, tt := range headVerdicts {
		if tt.status != 200 || len(tt.raw) > 2000 || oldExpectation(tt.raw) {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want, parts, err := referenceParts(tt.raw)
			if err != nil || len(want) != 1 {
				t.Fatalf("net/http reads %q, %v", want, err)
			}
			if got, answer := serve(t, parts[0]); got != want[0] {
				t.Errorf("net/http's server reads %q, want %q; it answers %q", got, want[0], answer)
			}
		})
	}
}
