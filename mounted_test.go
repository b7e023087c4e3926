package spoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/hubtest"
)

func TestMounted(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	mapHub(t, s, "/chat", Room{})
	mux := http.NewServeMux()
	mux.Handle("/chat/", s)
	mux.Handle("/chat", s)
	mux.HandleFunc("/other", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "mine") })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer s.Shutdown(context.Background())
	addr := srv.Listener.Addr().String()

	res, err := http.Post(srv.URL+"/chat/negotiate?negotiateVersion=1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var n struct{ ConnectionToken string }
	err = json.NewDecoder(res.Body).Decode(&n)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr, "/chat?id="+n.ConnectionToken)
	if r := invoke(t, c, "Echo", "x"); r != `"x"` {
		t.Errorf("result %s", r)
	}

	// Bytes that net/http has read behind the head belong to the connection.
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var all []byte
	all = append(all, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"...)
	all = hubtest.AppendFrame(all, 1, []byte("{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":1,\"invocationId\":\"a\",\"target\":\"Echo\",\"arguments\":[7]}\x1e"))
	if _, err := nc.Write(all); err != nil {
		t.Fatal(err)
	}
	nc.SetReadDeadline(time.Now().Add(hubtest.Timeout))
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte(`"result":7}`)) {
		n, err := nc.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
}

func TestMountedWhereNothingCanBeHijacked(t *testing.T) {
	t.Parallel()
	s, err := spoke.New(spoke.Config{Drain: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	mapHub(t, s, "/chat", Room{})
	r := httptest.NewRequest("GET", "/chat", nil)
	for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 501 || !strings.Contains(w.Body.String(), "cannot be opened") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	if n := s.Stats().Endpoints.Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
