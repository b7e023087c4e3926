package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spokehub/spoke/internal/certtest"
	"github.com/spokehub/spoke/internal/hubtest"
)

// SIGHUP has the certificate read again; connections stay.
func TestTLSAndReload(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	dir := t.TempDir()
	certFile, keyFile := ca.Issue(nil, "127.0.0.1", "first.example").Write(t, dir, "server")
	p := start(t, "-tls-cert", certFile, "-tls-key", keyFile, "-tls-reload", "-1s")
	trusting := &tls.Config{RootCAs: ca.Pool()}
	names := func() string {
		t.Helper()
		nc, err := tls.Dial("tcp", p.addr, trusting)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return strings.Join(nc.ConnectionState().PeerCertificates[0].DNSNames, " ")
	}
	nc, err := tls.Dial("tcp", p.addr, trusting)
	if err != nil {
		t.Fatal(err)
	}
	c, err := hubtest.New(nc, "/chat")
	if err != nil {
		t.Fatal(err)
	}
	p.clients = append(p.clients, c)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting, DisableKeepAlives: true}}
	res, err := client.Get("https://" + p.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !strings.Contains(string(page), "<title>Spoke</title>") {
		t.Errorf("the page is %d, %.100q", res.StatusCode, page)
	}

	if got := names(); got != "first.example" {
		t.Errorf("serves %s", got)
	}
	ca.Issue(nil, "127.0.0.1", "second.example").Write(t, dir, "server")
	p.signal(syscall.SIGHUP)
	p.log.Await(t, hubtest.Timeout, "certificates reloaded")
	if got := names(); got != "second.example" {
		t.Errorf("serves %s after SIGHUP", got)
	}
	if err := os.WriteFile(keyFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.log.Await(t, hubtest.Timeout, "certificates not reloaded")
	if got := names(); got != "second.example" {
		t.Errorf("serves %s with a broken key", got)
	}
	var state roomState
	invoke(t, c, &state, "Join", "lobby", "Ann") // the connection has lived through all of it
	p.signal(syscall.SIGTERM)
	c.Close()
	p.end(exitOK)
}

// Without certificates SIGHUP is what it is to any program.
func TestHangUpWithoutTLS(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.signal(syscall.SIGHUP)
	p.end(exitOK)
}

func TestTLSRefused(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	if code := run([]string{"-tls-cert", "nowhere.crt"}, noEnv, io.Discard, &stderr, nil); code != exitUsage || !strings.Contains(stderr.String(), "KeyFile is empty") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
