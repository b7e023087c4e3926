package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spokehub/spoke/engine"
)

// security is what the flags say about TLS.
type security struct {
	insecure bool
	caFile   string
	config   *tls.Config // nil: the target is plain. Constant
}

// prepare makes the configuration for t.
func (s *security) prepare(t target) error {
	if !t.secure {
		if s.insecure || s.caFile != "" {
			return errors.New("-insecure and -ca are for servers with TLS: the URL begins with https:// or wss://")
		}
		return nil
	}
	if s.insecure && s.caFile != "" {
		return errors.New("-insecure trusts anybody and -ca certain ones: give one of them")
	}
	s.config = &tls.Config{ServerName: t.name, InsecureSkipVerify: s.insecure, NextProtos: []string{"http/1.1"}}
	if s.caFile == "" {
		return nil
	}
	b, err := os.ReadFile(s.caFile)
	if err != nil {
		return fmt.Errorf("-ca: %w", err)
	}
	s.config.RootCAs = x509.NewCertPool()
	if !s.config.RootCAs.AppendCertsFromPEM(b) {
		return fmt.Errorf("-ca: there is no certificate in PEM in %s", s.caFile)
	}
	return nil
}

// shake makes nc, which the loops can take, one that speaks TLS and that they can take. It closes nc after an error.
func (s *security) shake(ctx context.Context, nc net.Conn, timeout time.Duration) (net.Conn, error) {
	if s.config == nil {
		return nc, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tc := engine.TLSClient(nc, s.config)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, shakeError{err}
	}
	return tc, nil
}

// shakeError is a failed handshake.
type shakeError struct{ error }

func (e shakeError) Unwrap() error { return e.error }

// shakeFault names the kind of a failed handshake.
func shakeFault(err error) string {
	var untrusted *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &untrusted):
		return "tls: certificate not trusted (-ca or -insecure?)"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "tls: handshake timeout"
	}
	return "tls: handshake failed"
}
