package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestCertificate: a client that trusts it takes it for what a loopback address shows, and for nothing else.
func TestCertificate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	if code := run(t.Context(), []string{"-certificate", dir}, io.Discard, io.Discard); code != 0 {
		t.Fatalf("code %d", code)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v, %v", info.Mode(), err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(pair.Leaf)
	for name, good := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "10.0.0.1": false, "example.com": false} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: name}); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(dir, "cert.pem")
	if code := run(t.Context(), []string{"-certificate", file}, io.Discard, io.Discard); code != 1 {
		t.Errorf("code %d for a folder that is a file", code)
	}
}
