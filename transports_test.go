package spoke_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
)

// mounted serves s with net/http, TLS and HTTP/2, until the test ends.
func mounted(t *testing.T, s *spoke.Server) (url string, client *http.Client) {
	t.Helper()
	return mountedAs(t, s, true)
}

// mountedAs is mounted with or without HTTP/2.
func mountedAs(t *testing.T, s *spoke.Server, h2 bool) (url string, client *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(s)
	srv.EnableHTTP2 = h2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	transport := srv.Client().Transport.(*http.Transport)
	if transport.ForceAttemptHTTP2 != h2 {
		t.Fatal("the test's client does not speak the version of HTTP that is asked for")
	}
	transport.MaxIdleConnsPerHost = 4096
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0) // as browsers have one: a client that has broken a connection off comes back at less cost
	return srv.URL, srv.Client()
}

// stream opens the event stream of a negotiated connection and shakes hands.
func (r *requests) stream(ctx context.Context) (*bufio.Reader, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", r.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { res.Body.Close() })
	br := bufio.NewReader(res.Body)
	if err := r.post(shakeHands); err != nil {
		return nil, err
	}
	if line, err := event(br); err != nil || line != "{}\x1e" {
		return nil, errors.Join(errors.New("the handshake is answered with "+line), err)
	}
	return br, nil
}

// event reads the next one.
func event(br *bufio.Reader) (string, error) {
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return line, err
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return strings.TrimSuffix(data, "\r\n"), nil
		}
	}
}

// TestIdleStreamOnHTTP2: the time for a write is none for silence. (HTTP/2 ends a stream whose write deadline passes while nothing is being written.)
func TestIdleStreamOnHTTP2(t *testing.T) {
	t.Parallel()
	const send = 50 * time.Millisecond
	s, err := spoke.New(spoke.Config{Drain: -1, Engine: engine.Config{SendTimeout: send}})
	if err != nil {
		t.Fatal(err)
	}
	hub := mapHub(t, s, "/h", nil)
	url, client := mounted(t, s)
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) }) // before the mount
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := openRequests(t, url, client, client)
	if err != nil {
		t.Fatal(err)
	}
	br, err := r.stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(4 * send)
	if err := hub.Clients().All().Send("late"); err != nil {
		t.Fatal(err)
	}
	if got, err := event(br); err != nil || !strings.Contains(got, "late") {
		t.Errorf("after a while of silence: %q, %v", got, err)
	}
}

// TestShutdownGivenUp: when a drain is given up, the connections that have no socket in the loops end, too: their requests, and the contexts of their calls.
func TestShutdownGivenUp(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		s, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0", Drain: -1})
		if err != nil {
			t.Fatal(err)
		}
		hub := mapHub(t, s, "/h", nil)
		running, ended := make(chan struct{}, 2), make(chan struct{}, 2)
		if err := hub.Handle("Wait", func(ctx context.Context) { running <- struct{}{}; <-ctx.Done(); ended <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
		var url string
		var client *http.Client
		if own {
			addr, err := s.Listen()
			if err != nil {
				t.Fatal(err)
			}
			url, client = "http://"+addr.String(), &http.Client{Transport: &http.Transport{}}
			t.Cleanup(client.CloseIdleConnections)
		} else {
			url, client = mounted(t, s)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		const wait = "{\"type\":1,\"target\":\"Wait\",\"arguments\":[]}\x1e"

		streamed, err := openRequests(t, url, client, client)
		if err != nil {
			t.Fatal(err)
		}
		br, err := streamed.stream(ctx)
		if err == nil {
			err = streamed.post(wait)
		}
		if err != nil {
			t.Fatal(err)
		}
		polled, err := openRequests(t, url, client, client)
		if err == nil {
			_, err = polled.poll(ctx, client)
		}
		if err == nil {
			err = polled.post(shakeHands + wait)
		}
		if err == nil {
			_, err = polled.poll(ctx, client) // the handshake
		}
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		go func() {
			_, err := polled.poll(ctx, client)
			answer <- err
		}()
		<-running
		<-running
		short, cancelShort := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancelShort()
		if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("own HTTP %v: shutdown with calls that go on: %v", own, err)
		}
		<-ended
		<-ended
		if _, err := io.Copy(io.Discard, br); ctx.Err() != nil {
			t.Errorf("own HTTP %v: the stream goes on: %v", own, err)
		}
		if <-answer; ctx.Err() != nil {
			t.Errorf("own HTTP %v: the poll goes on", own)
		}
	}
}
