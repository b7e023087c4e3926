package spoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
	"github.com/spokehub/spoke/internal/logtest"
)

// connected opens a polled connection that has had the answer to its handshake.
func connected(t *testing.T, url string, client, fresh *http.Client) *requests {
	t.Helper()
	r, err := openRequests(t, url, client, fresh)
	if err == nil {
		_, err = r.poll(context.Background(), client)
	}
	if err == nil {
		err = r.post(shakeHands)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.wantPoll(200, "{}\x1e")
	return r
}

// wantPoll polls, and wants that answer.
func (r *requests) wantPoll(status int, body string) {
	r.t.Helper()
	if got := r.pollNow(r.client); got != fmt.Sprintf("%d %q", status, body) {
		r.t.Fatalf("a poll was answered with %s, want %d %q", got, status, body)
	}
}

// pollNow is a poll, whatever its answer is.
func (r *requests) pollNow(client *http.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), hubtest.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.url, nil)
	if err != nil {
		return err.Error()
	}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %q", res.StatusCode, b)
}

const (
	unknownID = "404 \"No Connection with that ID\""
	abort     = "{\"type\":1,\"target\":\"Abort\",\"arguments\":[]}\x1e"
)

// TestPollEnds: how polls and their connections end, in each of the ways in which requests may come in, HTTP/2 included (wire contract, sections 6 and 7).
func TestPollEnds(t *testing.T) {
	left := make(chan string, 16)
	mapHubs := func(s *spoke.Server) *spoke.Hub {
		h := mapHub(t, s, "/h", nil, func(o *spoke.HubOptions) {
			o.PollTimeout = time.Second
			o.DisconnectedMiddleware = []spoke.DisconnectedMiddleware{func(next func(*spoke.Context, error) error) func(*spoke.Context, error) error {
				return func(c *spoke.Context, cause error) error {
					left <- c.ConnectionID()
					return next(c, cause)
				}
			}}
		})
		for name, f := range map[string]any{
			"Abort": func(c *spoke.Context) { c.Abort() },
			"ID":    func(c *spoke.Context) string { return c.ConnectionID() },
		} {
			if err := h.Handle(name, f); err != nil {
				t.Fatal(err)
			}
		}
		return h
	}
	onEachServer(t, mapHubs, func(t *testing.T, hub *spoke.Hub, url string, client, fresh *http.Client) {
		// id is the public id, which the hub's event will say.
		id := func(r *requests) string {
			if err := r.post("{\"type\":1,\"invocationId\":\"1\",\"target\":\"ID\",\"arguments\":[]}\x1e"); err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(r.pollNow(client), `result\":\"`)
			id, _, _ := strings.Cut(rest, `\"`)
			return id
		}
		gone := func(r *requests, id string) {
			t.Helper()
			select {
			case got := <-left:
				if got != id {
					t.Errorf("%s has left, want %s", got, id)
				}
			case <-time.After(hubtest.Timeout):
				t.Fatal("the hub does not hear of the end")
			}
			got := ""
			for range 3 { // after a DELETE the hub is heard for as long as its end takes
				if got = r.pollNow(client); got == unknownID {
					return
				}
			}
			t.Errorf("a poll after the end was answered with %s", got)
		}

		t.Run("nothing to say", func(t *testing.T) {
			r := connected(t, url, client, fresh)
			who := id(r)
			began := time.Now()
			r.wantPoll(200, "")
			if d := time.Since(began); d < 900*time.Millisecond {
				t.Errorf("after %v", d)
			}
			if err := hub.Clients().Client(who).Send("m", 1); err != nil {
				t.Fatal(err)
			}
			r.wantPoll(200, "{\"type\":1,\"target\":\"m\",\"arguments\":[1]}\x1e")
			if err := r.delete(); err != nil {
				t.Fatal(err)
			}
			gone(r, who)
		})
		for name, record := range map[string]string{"the hub ends it": abort, "the client's Close": "{\"type\":7}\x1e"} {
			t.Run(name, func(t *testing.T) {
				r := connected(t, url, client, fresh)
				who := id(r)
				if err := r.post(record); err != nil {
					t.Fatal(err)
				}
				r.wantPoll(200, "{\"type\":7}\x1e")
				r.wantPoll(204, "")
				gone(r, who)
			})
		}
		t.Run("the hub ends it while a poll waits", func(t *testing.T) {
			r := connected(t, url, client, fresh)
			who := id(r)
			answer := make(chan string, 1)
			go func() { answer <- r.pollNow(fresh) }()
			if err := r.post(abort); err != nil {
				t.Fatal(err)
			}
			if got := <-answer; got != "200 \"{\\\"type\\\":7}\\x1e\"" {
				t.Errorf("the poll that waited was answered with %s", got)
			}
			r.wantPoll(204, "")
			gone(r, who)
		})
		t.Run("DELETE while a poll waits", func(t *testing.T) {
			r := connected(t, url, client, fresh)
			who := id(r)
			answer := make(chan string, 1)
			go func() { answer <- r.pollNow(fresh) }()
			if err := r.delete(); err != nil {
				t.Fatal(err)
			}
			switch got := <-answer; got { // the DELETE may have been the first of the two to come
			case "200 \"{\\\"type\\\":7,\\\"allowReconnect\\\":true}\\x1e\"", "204 \"\"", unknownID:
			default:
				t.Errorf("the poll that waited was answered with %s", got)
			}
			gone(r, who)
			if err := r.delete(); err == nil || !strings.Contains(err.Error(), "404") {
				t.Errorf("a second DELETE: %v", err)
			}
		})
		t.Run("replaced", func(t *testing.T) {
			r := connected(t, url, client, fresh)
			who := id(r)
			answers := make(chan string, 2)
			for _, c := range []*http.Client{client, fresh} { // whichever comes first is replaced
				go func() { answers <- r.pollNow(c) }()
			}
			got := <-answers
			if got != "204 \"\"" {
				t.Errorf("the poll that was replaced was answered with %s", got)
			}
			if got := <-answers; got != "200 \"\"" {
				t.Errorf("the other one was answered with %s", got)
			}
			if err := r.delete(); err != nil {
				t.Fatal(err)
			}
			gone(r, who)
		})
	})
}

// TestPollNotTaken: a client that does not take the answer to its poll has lost what is in it, and so its connection (wire contract, section 6).
func TestPollNotTaken(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			var log logtest.Buffer
			cfg := spoke.Config{Drain: -1, ParkedTimeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))} // longer than the test waits
			cfg.Engine.SendTimeout = time.Second
			s, err := spoke.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			hub := mapHub(t, s, "/h", nil)
			url, client := mountedAs(t, s, version == "HTTP/2")
			r := connected(t, url, client, client)
			sendMuch(t, hub)
			res, err := client.Get(r.url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != 200 || res.ContentLength < much {
				t.Fatalf("the poll was answered with %s and %d bytes", res.Status, res.ContentLength)
			}
			waitFor(t, "the end of the connection", func() bool { return s.Stats().Hubs.Connections == 0 })
			if got := r.pollNow(client); got != unknownID {
				t.Errorf("a poll after the end was answered with %s", got)
			}
			if all := log.String(); !strings.Contains(all, `reason=send-timeout transport=LongPolling`) || !strings.Contains(all, `error="endpoint: the client has taken nothing of the answer to its poll for 1s"`) {
				t.Errorf("the end was logged as %s", all)
			}
		})
	}
}

// much is more than the kernel, or the window of HTTP/2, takes at once.
const much = 40 << 20

// sendMuch sends so much to all.
func sendMuch(t *testing.T, hub *spoke.Hub) {
	t.Helper()
	piece := strings.Repeat("x", 1<<20)
	for range much / len(piece) {
		if err := hub.Clients().All().Send("m", piece); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPollTakenSlowly: a client that is at an answer for longer than it may be away between two polls is not away.
func TestPollTakenSlowly(t *testing.T) {
	t.Parallel()
	onEachServerWith(t, func(cfg *spoke.Config) { cfg.ParkedTimeout = 3 * time.Second }, func(s *spoke.Server) *spoke.Hub { return mapHub(t, s, "/h", nil) },
		func(t *testing.T, hub *spoke.Hub, url string, client, fresh *http.Client) {
			t.Parallel()
			r := connected(t, url, client, fresh)
			sendMuch(t, hub)
			res, err := client.Get(r.url)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			const slow = 6
			for range slow { // the client's link is slow: that time passes is what is tested, and sockets have no other time
				time.Sleep(time.Second)
				if _, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := io.Copy(io.Discard, res.Body); err != nil || n < much-slow<<20 {
				t.Fatalf("%d more bytes, %v", n, err)
			}
			if err := hub.Clients().All().Send("m", 1); err != nil {
				t.Fatal(err)
			}
			r.wantPoll(200, "{\"type\":1,\"target\":\"m\",\"arguments\":[1]}\x1e")
			if err := r.delete(); err != nil {
				t.Error(err)
			}
		})
}

// TestPollEndIsLogged: who is answered with 404 or 500 finds in the server's log why the connection has ended, by its public id, and never the token.
func TestPollEndIsLogged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(cfg *spoke.Config)
		end    func(s *spoke.Server, hub *spoke.Hub, r *requests) error
		poll   string   // what the first poll after the end is answered with
		want   []string // of the end
	}{
		{
			"no poll comes", func(cfg *spoke.Config) { cfg.ParkedTimeout = time.Second }, func(*spoke.Server, *spoke.Hub, *requests) error { return nil }, unknownID,
			[]string{"reason=keep-alive-timeout", `error="endpoint: no poll has come for 1s"`},
		}, {
			"too much waits", func(cfg *spoke.Config) { cfg.Engine.FramesMax = 2 },
			func(s *spoke.Server, hub *spoke.Hub, r *requests) (err error) {
				waitFor(r.t, "a loop's sends to be more than may wait", func() bool { // those that a loop finds at once are one frame
					err = errors.Join(err, hub.Clients().All().Send("m", 1))
					return s.Stats().Hubs.Connections == 0 || err != nil
				})
				return err
			}, unknownID,
			[]string{"reason=outbound-overflow", `error="longpoll: 2 frames wait to go out, at most 2 may"`},
		}, {
			"the disconnected event fails", func(cfg *spoke.Config) {
				cfg.Hub.DisconnectedMiddleware = []spoke.DisconnectedMiddleware{func(func(*spoke.Context, error) error) func(*spoke.Context, error) error {
					return func(*spoke.Context, error) error { return errors.New("no farewell") }
				}}
			}, func(_ *spoke.Server, _ *spoke.Hub, r *requests) error {
				if err := r.post("{\"type\":7}\x1e"); err != nil {
					return err
				}
				r.wantPoll(200, "{\"type\":7}\x1e")
				return nil
			}, "500 \"\"",
			[]string{"reason=internal-error", `error="no farewell"`},
		},
	}
	for _, tt := range tests {
		for _, mounted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, mounted %v", tt.name, mounted), func(t *testing.T) {
				t.Parallel()
				var log logtest.Buffer
				cfg := spoke.Config{Drain: -1, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
				tt.change(&cfg)
				var hub *spoke.Hub
				var s *spoke.Server
				var url string
				var client *http.Client
				if mounted {
					var err error
					if s, err = spoke.New(cfg); err != nil {
						t.Fatal(err)
					}
					hub = mapHub(t, s, "/h", nil)
					url, client = mountedAs(t, s, true)
					defer func() { // before the mount
						if err := s.Shutdown(context.Background()); err != nil {
							t.Error(err)
						}
					}()
				} else {
					var addr string
					s, addr = start(t, cfg, func(s *spoke.Server) { hub = mapHub(t, s, "/h", nil) })
					url = "http://" + addr
					client = &http.Client{Transport: new(http.Transport)}
				}
				defer client.CloseIdleConnections()
				r := connected(t, url, client, client)
				if err := tt.end(s, hub, r); err != nil {
					t.Fatal(err)
				}
				if tt.poll == unknownID {
					waitFor(t, "the end", func() bool { return s.Stats().Hubs.Connections == 0 })
				}
				if got := r.pollNow(client); got != tt.poll {
					t.Errorf("a poll after the end was answered with %s, want %s", got, tt.poll)
				}
				waitFor(t, "the end", func() bool { return s.Stats().Hubs.Connections == 0 })
				if got := r.pollNow(client); got != unknownID {
					t.Errorf("a poll after that was answered with %s", got)
				}
				_, token, _ := strings.Cut(r.url, "?id=")
				all := log.String()
				if strings.Contains(all, token) {
					t.Error("the token is in the log")
				}
				end, refusal := "", ""
				for line := range strings.Lines(all) {
					if strings.Contains(line, "connection="+r.id) && strings.Contains(line, `msg="connection closed"`) {
						end += line
					}
					if strings.Contains(line, `msg="request refused"`) {
						refusal = line
					}
				}
				for _, want := range append(tt.want, "level=DEBUG", "transport=LongPolling", "path=/h", "remote=127.0.0.1:") {
					if !strings.Contains(end, want) || strings.Count(end, "\n") != 1 {
						t.Errorf("the end was logged as %q, want one line with %s", end, want)
					}
				}
				for _, want := range []string{"level=DEBUG", "method=GET", "path=/h", "status=404", "answer=\"" + textOf(unknownID) + "\"", "remote=127.0.0.1:"} {
					if !strings.Contains(refusal, want) {
						t.Errorf("the refusal was logged as %q, want %s", refusal, want)
					}
				}
			})
		}
	}
}

// textOf is the body in what pollNow returns.
func textOf(answer string) string {
	_, quoted, _ := strings.Cut(answer, " ")
	return strings.Trim(quoted, "\"")
}

// TestPollWithoutFlush: a writer that can neither be flushed nor have deadlines, as a middleware's may be, gets the whole answer all the same.
func TestPollWithoutFlush(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	hub := mapHub(t, s, "/h", nil)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(struct{ http.ResponseWriter }{w}, r) }))
	defer srv.Close()
	defer func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	r := connected(t, srv.URL, srv.Client(), srv.Client())
	long := strings.Repeat("x", 100_000) // more than is written at once
	if err := hub.Clients().All().Send("m", long); err != nil {
		t.Fatal(err)
	}
	if got, want := r.pollNow(r.client), fmt.Sprintf("200 %q", "{\"type\":1,\"target\":\"m\",\"arguments\":[\""+long+"\"]}\x1e"); got != want {
		t.Errorf("the answer is %.60s, %d characters, want %d", got, len(got), len(want))
	}
	if err := r.delete(); err != nil {
		t.Error(err)
	}
}
