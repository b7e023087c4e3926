package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/internal/hubtest"
)

func TestMounted(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l) }()
	base := "http://" + l.Addr().String()

	// Its other handlers are what they were, and negotiate is the hub's.
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/", "This program has a hub on /clock."},
		{"GET", "/time", "T"},
		{"POST", "/clock/negotiate?negotiateVersion=1", `"connectionToken":"`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s: %d, %v, %q", c.method, c.path, res.StatusCode, err, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()

	a, err := hubtest.Dial(l.Addr().String(), "/clock")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := hubtest.Dial(l.Addr().String(), "/clock")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	raw, err := a.Invoke("Now")
	if err != nil {
		t.Fatal(err)
	}
	var now time.Time
	if err := json.Unmarshal(raw, &now); err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("Now returned %s, error %v", raw, err)
	}
	// b is known to be there once it has had an answer.
	if _, err := b.Invoke("Now"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Invoke("Ring"); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Next(); err != nil || m.Target != "rang" || len(m.Arguments) != 1 {
		t.Errorf("b got %+v, error %v", m, err)
	}
	a.Close()
	b.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
