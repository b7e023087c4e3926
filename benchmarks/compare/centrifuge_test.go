package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fakeCentrifuge speaks as much of the protocol as the load client asks for. skip makes it leave out that broadcast; -1: none.
type fakeCentrifuge struct {
	t    *testing.T
	l    net.Listener
	skip int64

	mu    sync.Mutex
	conns []net.Conn // under mu
	seen  int64      // under mu: broadcasts
	wg    sync.WaitGroup
}

func newFakeCentrifuge(t *testing.T, skip int64) *fakeCentrifuge {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeCentrifuge{t: t, l: l, skip: skip}
	f.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(nc) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, nc := range f.conns {
			nc.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

func frame(text string) []byte {
	if len(text) < 126 {
		return append([]byte{0x81, byte(len(text))}, text...)
	}
	return append([]byte{0x81, 126, byte(len(text) >> 8), byte(len(text))}, text...)
}

var rpc = regexp.MustCompile(`^\{"id":2,"rpc":\{"method":"(\w+)","data":"(\w+)"\}\}$`)

func (f *fakeCentrifuge) serve(nc net.Conn) {
	defer nc.Close()
	r := bufio.NewReader(nc)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if line == "\r\n" {
			break
		}
	}
	fmt.Fprint(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	f.mu.Lock()
	f.conns = append(f.conns, nc)
	f.mu.Unlock()
	for {
		var h [2]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return
		}
		p := make([]byte, 4+int(h[1]&0x7f))
		if _, err := io.ReadFull(r, p); err != nil {
			return
		}
		f.mu.Lock()
		switch text := string(p[4:]); text {
		case `{"id":1,"connect":{}}`:
			_, _ = nc.Write(frame(`{"id":1,"connect":{"client":"x"}}`))
			_, _ = nc.Write([]byte{0x89, 0})
			_, _ = nc.Write(frame("{}"))
		case "{}": // the pong
		default:
			m := rpc.FindStringSubmatch(text)
			if m == nil {
				f.t.Errorf("the client sent %q", text)
				break
			}
			if m[1] == "echo" {
				_, _ = nc.Write(frame(fmt.Sprintf(`{"id":2,"rpc":{"data":%q}}`, m[2])))
				break
			}
			f.seen++
			if f.seen-1 == f.skip {
				break
			}
			push := frame(fmt.Sprintf("{\"push\":{\"channel\":\"all\",\"pub\":{\"data\":%q}}}\n{}", m[2])) // two lines in one message
			for _, c := range f.conns {
				_, _ = c.Write(push)
			}
			_, _ = nc.Write(frame(`{"id":2,"rpc":{"data":null}}`))
		}
		f.mu.Unlock()
	}
}

func TestCentrifugeLoad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		args  []string
		skip  int64
		ended string // a part of it
	}{
		{"echo", []string{"echo", "-n", "5", "-depth", "3"}, -1, loadComplete},
		{"broadcast", []string{"broadcast", "-n", "5", "-outstanding", "4"}, -1, loadComplete},
		{"a broadcast is lost", []string{"broadcast", "-n", "5", "-outstanding", "4"}, 2, "broadcast 3 came when 2 was due"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCentrifuge(t, tt.skip)
			file := filepath.Join(t.TempDir(), "result.json")
			args := append(tt.args, "-warmup", "10ms", "-duration", "100ms", "-server-pid", strconv.Itoa(os.Getpid()), "-json", file, "http://"+f.l.Addr().String()+"/bench")
			if err := centrifugeLoad(args); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r loadResult
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(r.Ended, tt.ended) || r.Ready != 5 || r.Wanted != 5 {
				t.Errorf("%s", text)
			}
			if tt.skip < 0 && (r.units() < 1 || r.percentile(99) <= 0) {
				t.Errorf("nothing was measured: %s", text)
			}
		})
	}
}

func TestCentrifugeOptions(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"idle"}, {"echo"}, {"echo", "-server-pid", "1", "not a URL"}, {"echo", "http://x/y"}, {"echo", "-n", "0", "-server-pid", "1", "http://x/y"}} {
		if err := centrifugeLoad(args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	file := filepath.Join(t.TempDir(), "result.json")
	if err := centrifugeLoad([]string{"echo", "-server-pid", "1", "-json", file, "http://127.0.0.1:1/x"}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "connection 1: ") {
		t.Errorf("%s, %v", text, err)
	}
}
