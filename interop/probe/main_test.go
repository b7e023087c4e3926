package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestServes: it says where it listens, serves the hubs there, and ends with 0 when it is told to.
func TestServes(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, printed := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"-urls", "http://127.0.0.1:0"}, printed, printed)
		_ = printed.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	url, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		t.Fatalf("%q, %v", line, err)
	}
	for _, tt := range []struct {
		path   string
		status int
	}{
		{"/probe/negotiate?negotiateVersion=1", http.StatusOK},
		{"/bench/negotiate?negotiateVersion=1", http.StatusOK},
		{"/secure/negotiate?negotiateVersion=1", http.StatusUnauthorized},
		{"/nothing/negotiate?negotiateVersion=1", http.StatusNotFound},
	} {
		resp, err := http.Post(url+tt.path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, %q, %v; want %d", tt.path, resp.StatusCode, body, err, tt.status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if c := <-code; c != 0 {
		t.Errorf("code %d", c)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"help", []string{"-h"}, 0, "-urls"},
		{"unknown flag", []string{"-wrong"}, 2, "-wrong"},
		{"arguments left over", []string{"more"}, 2, `"more"`},
		{"another scheme", []string{"-urls", "ftp://127.0.0.1:0"}, 2, "loopback"},
		{"https without a certificate", []string{"-urls", "https://127.0.0.1:0"}, 2, "want both files for https"},
		{"https without a key", []string{"-urls", "https://127.0.0.1:0", "-tls-cert", "cert.pem"}, 2, "want both files for https"},
		{"http with a certificate", []string{"-urls", "http://127.0.0.1:0", "-tls-cert", "cert.pem", "-tls-key", "key.pem"}, 2, "and none without"},
		{"no such certificate", []string{"-urls", "https://127.0.0.1:0", "-tls-cert", "missing.pem", "-tls-key", "missing.pem"}, 1, "missing.pem"},
		{"no port", []string{"-urls", "http://127.0.0.1"}, 2, "loopback"},
		{"path", []string{"-urls", "http://127.0.0.1:0/probe"}, 2, "loopback"},
		{"all addresses", []string{"-urls", "http://0.0.0.0:0"}, 2, "loopback"},
		{"a name", []string{"-urls", "http://example.com:80"}, 2, "loopback"},
		{"unknown engine", []string{"-urls", "http://127.0.0.1:0", "-engine", "steam"}, 1, "steam"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if code := run(t.Context(), tt.args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("code %d, want %d with %q: %s", code, tt.code, tt.want, &out)
			}
		})
	}
}
