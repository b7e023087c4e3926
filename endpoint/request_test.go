package endpoint

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/hubrt"
	"github.com/spokehub/spoke/longpoll"
)

// served is a set with loops and a hub, in a synctest bubble.
type served struct {
	t   *testing.T
	eng *engine.Engine
	rt  *hubrt.Runtime
	set *Set
	e   *Endpoint
}

func serveBubble(t *testing.T, cfg Config, opt Options, f func(s *served)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		eng, err := engine.New(engine.Config{Backend: "memory", Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		s := &served{t: t, eng: eng, rt: hubrt.NewRuntime(hubrt.RuntimeConfig{Loops: eng.Loops()})}
		h, err := s.rt.NewHub("hub", nil, hubrt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Handle("Echo", func(s string) string { return s }); err != nil {
			t.Fatal(err)
		}
		cfg.Engine = eng
		s.set = NewSet(cfg)
		if s.e, err = s.set.Map("/hub", h, opt); err != nil {
			t.Fatal(err)
		}
		s.set.Start()
		f(s)
		s.rt.Drain(t.Context(), 0)
		if err := eng.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.rt.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// reply is an answer that may still be on its way.
type reply chan *httptest.ResponseRecorder

// begin serves a request on a goroutine of its own.
func (s *served) begin(method, target, body string) reply {
	r := httptest.NewRequest(method, target, strings.NewReader(body)).WithContext(s.t.Context())
	done := make(reply, 1)
	go func() {
		w := httptest.NewRecorder()
		s.set.ServeHTTP(w, r)
		done <- w
	}()
	return done
}

func (a reply) want(t *testing.T, status int, body string) {
	t.Helper()
	synctest.Wait()
	select {
	case w := <-a:
		if w.Code != status || w.Body.String() != body {
			t.Errorf("got %d %q, want %d %q", w.Code, w.Body, status, body)
		}
	default:
		t.Errorf("no answer, want %d %q", status, body)
	}
}

func (s *served) park() token {
	s.t.Helper()
	k, err := s.set.registry.park(s.e, false, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return k.token
}

const shake = "{\"protocol\":\"json\",\"version\":1}\x1e"

// TestRequestsBeforeTheBeginning: a request of net/http puts its connection into the registry before the loop has begun it. Others that find it there wait for that.
func TestRequestsBeforeTheBeginning(t *testing.T) {
	t.Parallel()
	serveBubble(t, Config{}, Options{}, func(s *served) {
		k := s.park()
		q := s.e.open(k, LongPolling, nil, s.eng.Loops()[0])
		post := s.begin("POST", "/hub?id="+k.String(), shake)
		second := s.begin("GET", "/hub?id="+k.String(), "")
		synctest.Wait()
		first := &relayedPoll{answer: make(chan longpoll.Answer, 1)}
		if !q.start(func() { q.beginPolls(hubrt.Peer{}).Poll(first) }) {
			t.Fatal("the loop has ended")
		}
		post.want(t, 200, "")
		if a := <-first.answer; a.Status != http.StatusOK || len(a.Frames) != 0 {
			t.Errorf("first poll: %+v", a)
		}
		second.want(t, 200, "{}\x1e")
		s.begin("DELETE", "/hub?id="+k.String(), "").want(t, 202, "")
		s.begin("GET", "/hub?id="+k.String(), "").want(t, 404, "No Connection with that ID")
	})
}

// TestEarlyPosts: what is sent before there is a transport is handed on, in order, and a POST whose body ends only when there is one goes to that.
func TestEarlyPosts(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"LongPolling", "ServerSentEvents"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			serveBubble(t, Config{}, Options{}, func(s *served) {
				k := s.park()
				target := "/hub?id=" + k.String()
				s.begin("POST", target, shake[:10]).want(t, 200, "")
				s.begin("POST", target, "").want(t, 200, "")
				s.begin("POST", target, strings.Repeat(" ", maxEarly)).want(t, 413, tooEarly.body)
				s.begin("POST", target, shake[10:]).want(t, 200, "")

				pr, pw := io.Pipe()
				late := make(reply, 1)
				go func() {
					w := httptest.NewRecorder()
					s.set.ServeHTTP(w, httptest.NewRequest("POST", target, pr))
					late <- w
				}()
				synctest.Wait() // it has seen that there is no transport
				ctx, leave := context.WithCancel(s.t.Context())
				r := httptest.NewRequest("GET", target, nil).WithContext(ctx)
				if transport == "ServerSentEvents" {
					r.Header.Set("Accept", "text/event-stream")
				}
				first := httptest.NewRecorder()
				first.Body = new(bytes.Buffer)
				done := make(chan struct{})
				go func() {
					s.set.ServeHTTP(first, r)
					close(done)
				}()
				synctest.Wait()
				if _, err := io.WriteString(pw, "{\"type\":1,\"invocationId\":\"1\",\"target\":\"Echo\",\"arguments\":[\"x\"]}\x1e"); err != nil {
					t.Fatal(err)
				}
				pw.Close()
				late.want(t, 200, "")
				const result = "{\"type\":3,\"invocationId\":\"1\",\"result\":\"x\"}\x1e"
				if transport == "LongPolling" {
					s.begin("GET", target, "").want(t, 200, "{}\x1e"+result)
					s.begin("DELETE", target, "").want(t, 202, "")
				}
				leave()
				<-done
				synctest.Wait()
				if transport == "ServerSentEvents" && first.Body.String() != ":\r\ndata: {}\x1e\r\n\r\ndata: "+result+"\r\n\r\n" {
					t.Errorf("the stream is %q", first.Body)
				}
				if n := s.set.registry.earlyBytes.Load(); n != 0 {
					t.Errorf("%d early bytes are counted still", n)
				}
				if n := s.set.registry.size(); n != 0 {
					t.Errorf("%d connections are left", n)
				}
			})
		})
	}
}
