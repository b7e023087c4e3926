package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestKeptState(t *testing.T) {
	if keptState(nil) != nil {
		t.Error("something is kept of nothing")
	}
	state := func() *tls.ConnectionState {
		return &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, CipherSuite: tls.TLS_AES_128_GCM_SHA256, NegotiatedProtocol: "http/1.1", ServerName: "a.example", TLSUnique: []byte("x")}
	}
	first := keptState(state())
	if first.Version != tls.VersionTLS13 || first.ServerName != "a.example" || first.TLSUnique != nil || !first.HandshakeComplete {
		t.Errorf("kept %+v", first)
	}
	if keptState(state()) != first {
		t.Error("two that have agreed on the same do not share it")
	}
	for name, change := range map[string]func(*tls.ConnectionState){
		"version": func(s *tls.ConnectionState) { s.Version = tls.VersionTLS12 },
		"suite":   func(s *tls.ConnectionState) { s.CipherSuite = tls.TLS_CHACHA20_POLY1305_SHA256 },
		"curve":   func(s *tls.ConnectionState) { s.CurveID = tls.X25519 },
		"name":    func(s *tls.ConnectionState) { s.ServerName = "b.example" },
		"ALPN":    func(s *tls.ConnectionState) { s.NegotiatedProtocol = "" },
		"resumed": func(s *tls.ConnectionState) { s.DidResume = true },
		"client":  func(s *tls.ConnectionState) { s.PeerCertificates = []*x509.Certificate{{}} },
	} {
		first := keptState(state())
		other := state()
		change(other)
		if keptState(other) == first {
			t.Errorf("another %s is shared", name)
		}
	}
}
