// Package certs serves TLS certificates that are files, and the newest when the files change: at a call of Reload, and by itself, since Watch reads them again
// every so often. The contents decide, so that a file that was replaced, renamed into place, or is behind a symbolic link that points elsewhere now (as Kubernetes
// and certbot have it) is noticed like one that was written to, on any file system, and one that was only touched is not.
//
// What cannot be used (a key that is not the certificate's, half a file) never takes the place of what can: the old certificate stays, and the fault is
// reported. Connections are not touched by any of it, nor are session tickets, whose keys belong to the tls.Config.
package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultInterval is how often Watch looks at the files by default.
const DefaultInterval = 10 * time.Second

// Config of a Store.
type Config struct {
	// Pairs are the certificates, at least one. With several, a client gets the first that fits the name it asks for and the algorithms that it knows, or
	// else the first of all.
	Pairs []Pair
	// Interval is how often Watch reads the files, all of which are a few KiB; default DefaultInterval. Negative: never, only Reload does.
	Interval time.Duration
	// Logger gets what Watch finds: new certificates (info), files that cannot be used and certificates that have expired (warn); nil is silence.
	Logger *slog.Logger
}

// Store serves the newest certificates of its files. Any goroutine.
type Store struct {
	interval time.Duration
	log      *slog.Logger
	served   atomic.Pointer[[]*tls.Certificate] // never nil, nor is any of them; what it points to does not change

	mu    sync.Mutex
	pairs []loaded // under mu
}

// loaded is the state of a pair.
type loaded struct {
	Pair
	cert   *tls.Certificate
	seen   [sha256.Size]byte // of the contents that cert was made of
	fault  string            // what is wrong with the files, as Watch has last said; "": nothing
	warned string            // what is wrong with cert, as was last said; "": nothing
}

// Load reads all pairs. Errors name each file that is missing or cannot be used; that a certificate has expired is logged, not an error.
func Load(cfg Config) (*Store, error) {
	s := &Store{interval: cfg.Interval, log: cfg.Logger}
	if s.interval == 0 {
		s.interval = DefaultInterval
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Pairs) == 0 {
		return nil, errors.New("certs: no certificate: the names of a certificate file and its key file are expected")
	}
	for _, p := range cfg.Pairs {
		s.pairs = append(s.pairs, loaded{Pair: p})
	}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads all files and serves what is new, from the next handshake on. Of a pair that cannot be used the old certificate stays; the errors name each.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := range s.pairs {
		if err := s.pairs[i].reload(s.log); err != nil {
			errs = append(errs, err)
		}
	}
	s.publish()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	return nil
}

// reload takes what is new in the files.
func (p *loaded) reload(log *slog.Logger) error {
	c, err := p.read()
	if err != nil {
		return err
	}
	sum := c.sum()
	if p.cert == nil || sum != p.seen {
		cert, err := p.parse(c)
		if err != nil {
			return err
		}
		if p.cert != nil {
			log.Info("serving a new certificate", "file", p.CertFile, "expires", cert.Leaf.NotAfter, "names", cert.Leaf.DNSNames)
		}
		p.cert, p.seen, p.warned = cert, sum, ""
	}
	p.fault = ""
	if why := outdated(p.cert, time.Now()); why != p.warned {
		p.warned = why
		if why != "" {
			log.Warn("clients will refuse this certificate", "file", p.CertFile, "why", why, "from", p.cert.Leaf.NotBefore, "until", p.cert.Leaf.NotAfter)
		}
	}
	return nil
}

// publish has the handshakes use what the pairs have. Under mu.
func (s *Store) publish() {
	list := make([]*tls.Certificate, 0, len(s.pairs))
	for _, p := range s.pairs {
		if p.cert == nil {
			return // of Load, which fails
		}
		list = append(list, p.cert)
	}
	s.served.Store(&list)
}

// Watch looks at the files every Interval, until ctx ends. What goes wrong is logged, each fault once.
func (s *Store) Watch(ctx context.Context) {
	if s.interval < 0 {
		return
	}
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look()
		}
	}
}

// look is Reload, with what is wrong logged once.
func (s *Store) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pairs {
		p := &s.pairs[i]
		if err := p.reload(s.log); err != nil && err.Error() != p.fault {
			p.fault = err.Error()
			s.log.Warn("the certificate's files cannot be used: the one before stays", "error", p.fault)
		}
	}
	s.publish()
}

// GetCertificate is what tls.Config.GetCertificate wants.
func (s *Store) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	list := *s.served.Load()
	if len(list) > 1 {
		for _, c := range list {
			if hello.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
	}
	return list[0], nil
}

// Expires is when the first of the certificates that are served expires.
func (s *Store) Expires() time.Time {
	var first time.Time
	for _, c := range *s.served.Load() {
		if first.IsZero() || c.Leaf.NotAfter.Before(first) {
			first = c.Leaf.NotAfter
		}
	}
	return first
}
