package engine

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"sync"
	"syscall"
	"testing"
	"time"
)

// identity is a certificate for "localhost" and the pool that trusts it.
var identity = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
})

// serverTLS and clientTLS are configurations that fit each other.
func serverTLS() *tls.Config {
	cert, _ := identity()
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func clientTLS() *tls.Config {
	_, pool := identity()
	return &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// handshaker makes one that must be right.
func handshaker(t testing.TB, cfg TLS) *Handshaker {
	t.Helper()
	if cfg.Config == nil {
		cfg.Config = serverTLS()
	}
	h, err := NewHandshaker(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// tlsPeer is the client's end of a TLS connection, which ends and breaks off as a plain one does.
type tlsPeer struct {
	*tls.Conn
	raw peer
}

func (p tlsPeer) CloseWrite() error { return errors.Join(p.Conn.CloseWrite(), p.raw.CloseWrite()) }

// overTLS is b with a TLS handshake at the beginning of each connection.
func overTLS(b backend, version uint16) backend {
	plain := b.make
	b.name += " " + tls.VersionName(version)
	b.make = func(t testing.TB, e *Engine) serve {
		return func(open func(c *Conn) Handler) func() peer {
			dial := plain(t, e)(handshaker(t, TLS{}).Open(open))
			return func() peer {
				raw := dial()
				if raw == nil {
					return nil
				}
				cfg := clientTLS()
				cfg.MinVersion, cfg.MaxVersion = version, version
				p := tlsPeer{tls.Client(raw, cfg), raw}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				err := p.HandshakeContext(ctx)
				if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) { // refused before the client's part was through
					return p
				}
				if err != nil {
					t.Error(err)
				}
				return p
			}
		}
	}
	return b
}

func TestContractOverTLS(t *testing.T) {
	for _, plain := range backends {
		versions := []uint16{tls.VersionTLS13}
		if plain.name == memoryBackend.name { // the difference is crypto/tls's, not the sockets'
			versions = append(versions, tls.VersionTLS12)
		}
		for _, version := range versions {
			b := overTLS(plain, version)
			t.Run(b.name, func(t *testing.T) {
				for _, tc := range contract {
					if instead, ok := contractTLS[tc.name]; ok {
						tc.run = instead
					}
					t.Run(tc.name, func(t *testing.T) {
						t.Parallel()
						cfg := b.cfg
						if tc.tune != nil {
							tc.tune(&cfg)
						}
						tc.run(t, start(t, cfg, b))
					})
				}
			})
		}
	}
}

// contractTLS has other forms of some clauses: those whose client uses what a tls.Conn cannot do.
var contractTLS = map[string]func(t *testing.T, w *world){
	"input/a paused connection slows its peer and loses nothing": testPauseUnderLoadTLS,
}

// testPauseUnderLoadTLS is testPauseUnderLoad with a client that goes on writing: a tls.Conn cannot, after its write has timed out.
func testPauseUnderLoadTLS(t *testing.T, w *world) {
	const most = 16 << 20 // of a client that nobody reads: the buffers of two kernels
	var got []byte
	refs, done := make(chan Ref, 1), make(chan struct{})
	p := w.connect((&probe{
		data: func(c *Conn, p []byte) int {
			if len(got) == 0 && len(p) > 0 {
				c.PauseRead()
				refs <- c.Ref()
			}
			got = append(got, p...)
			return len(p)
		},
		eof: func(c *Conn) { close(done); c.Close(PeerClosed, nil) },
	}).open)
	all := numbers(24 << 20)
	send(t, p, all[:4])
	r := await(t, refs, "the first bytes")
	sent := make(chan int, len(all)>>16+1)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := 4; i < len(all); i += 1 << 16 {
			n := min(1<<16, len(all)-i)
			send(t, p, all[i:i+n])
			sent <- n
		}
		if err := p.CloseWrite(); err != nil {
			t.Error(err)
		}
	}()
	sum := 0
	for stands := false; !stands; {
		select {
		case n := <-sent:
			sum += n
		case <-time.After(200 * time.Millisecond): // for as long as the other form's client tries
			stands = true
		}
	}
	if sum > most {
		t.Errorf("the peer of a paused connection could send %d bytes, want at most %d", sum, most)
	}
	on(t, r.Loop(), func() {
		if len(got) != 4 {
			t.Errorf("a paused handler was shown %d bytes", len(got))
		}
		r.Conn().ResumeRead()
	})
	await(t, written, "the writer")
	await(t, done, "the end of the stream")
	if !bytes.Equal(got, all) {
		t.Fatalf("got %d bytes, or in another order than the %d sent", len(got), len(all))
	}
}
