package spoke

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spokehub/spoke/certs"
	"github.com/spokehub/spoke/engine"
	"github.com/spokehub/spoke/http1"
)

// TLSOptions have the server speak TLS, and nothing else, on its address; the zero value is plain. Zero values of the limits are the stated defaults. See docs/tls.md.
type TLSOptions struct {
	// CertFile and KeyFile are files in PEM: a certificate with its chain, and its private key. Several of each, in the same order and separated by commas, serve several
	// names. They are read again when they change, and by Server.ReloadCertificates; what is broken is logged and never takes the place of what works.
	CertFile string
	KeyFile  string
	// Reload is how often the files are looked at. Default 10 s; negative: only ReloadCertificates does.
	Reload time.Duration
	// Config is for what files do not say, such as client certificates; the certificates are its own unless CertFile is set. It is copied, and used as engine.TLS says:
	// MinVersion is TLS 1.2 or higher, NextProtos http/1.1 unless set.
	Config *tls.Config
	// HandshakeTimeout is the time for a handshake, from the connection's beginning on. Default 10 s.
	HandshakeTimeout time.Duration
	// Handshakes is how many may be under way at once; more connections are reset. About 23 KB each. Default 4,096.
	Handshakes int
	// HandshakesComputing is how many of these compute at once. Default half of GOMAXPROCS, at least 1.
	HandshakesComputing int
	// HSTS is the max-age of the Strict-Transport-Security header on answers: for so long browsers refuse plain HTTP for the whole host, on all of its ports. Answers for localhost
	// have none, nor do those of a server that is mounted in another. Default 30 days; negative: no header.
	HSTS time.Duration
}

const defaultHSTS = 30 * 24 * time.Hour

// on says that the server speaks TLS.
func (o *TLSOptions) on() bool { return o.CertFile != "" || o.KeyFile != "" || o.Config != nil }

// security is what a server has that speaks TLS.
type security struct {
	hands *engine.Handshaker // nil: plain
	files *certs.Store       // nil: the certificates are not files
	hsts  string             // "": none

	ctx  context.Context // ends the watch
	stop context.CancelFunc
	jobs sync.WaitGroup
}

// load reads the files and checks all else.
func (s *security) load(cfg *Config) error {
	o := &cfg.TLS
	if !o.on() {
		if *o != (TLSOptions{}) {
			return errors.New("Config.TLS has limits but neither CertFile nor Config: want a certificate, or none of it")
		}
		return nil
	}
	base := &tls.Config{}
	if o.Config != nil {
		base = o.Config.Clone()
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pairs, err := o.pairs()
		if err != nil {
			return err
		}
		if len(base.Certificates) > 0 || base.GetCertificate != nil {
			return errors.New("Config.TLS has both CertFile and a Config with certificates of its own: want one of them")
		}
		if s.files, err = certs.Load(certs.Config{Pairs: pairs, Interval: o.Reload, Logger: cfg.Logger}); err != nil {
			return fmt.Errorf("Config.TLS: %w", err)
		}
		base.GetCertificate = s.files.GetCertificate
	}
	hands, err := engine.NewHandshaker(engine.TLS{Config: base, HandshakeTimeout: o.HandshakeTimeout, Handshakes: o.Handshakes, Computing: o.HandshakesComputing})
	if err != nil {
		return fmt.Errorf("Config.TLS: %w", err)
	}
	s.hands = hands
	switch age := o.HSTS; {
	case age == 0:
		s.hsts = strictTransport(defaultHSTS)
	case age > 0:
		s.hsts = strictTransport(age)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return nil
}

// strictTransport is the header's value: RFC 6797, section 6.1.1.
func strictTransport(age time.Duration) string {
	return "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
}

// pairs are the files, by twos.
func (o *TLSOptions) pairs() ([]certs.Pair, error) {
	var certFiles, keyFiles list
	_, _ = certFiles.Set(o.CertFile), keyFiles.Set(o.KeyFile)
	switch {
	case len(keyFiles) == 0:
		return nil, fmt.Errorf("Config.TLS.CertFile is %s and KeyFile is empty: want the private key's file too", o.CertFile)
	case len(certFiles) == 0:
		return nil, fmt.Errorf("Config.TLS.KeyFile is %s and CertFile is empty: want the certificate's file too", o.KeyFile)
	case len(certFiles) != len(keyFiles):
		return nil, fmt.Errorf("Config.TLS.CertFile names %d files and KeyFile %d: want a key for each certificate, in the same order", len(certFiles), len(keyFiles))
	}
	pairs := make([]certs.Pair, len(certFiles))
	for i := range pairs {
		pairs[i] = certs.Pair{CertFile: certFiles[i], KeyFile: keyFiles[i]}
	}
	return pairs, nil
}

// start watches the files. Under Server.mu.
func (s *security) start() {
	if s.files != nil {
		s.jobs.Go(func() { s.files.Watch(s.ctx) })
	}
}

func (s *security) shutdown() {
	if s.stop != nil {
		s.stop()
	}
	s.jobs.Wait()
}

// ErrNoCertificateFiles is what errors.Is finds in the error of ReloadCertificates when there are none.
var ErrNoCertificateFiles = errors.New("spoke: the certificates are not files")

// ReloadCertificates reads the files of Config.TLS again, and serves what is new from the next handshake on; connections live on, and sessions can be resumed. Of what cannot be used
// the old certificate stays: the error names each such file. Programs call it on SIGHUP. Any goroutine.
func (s *Server) ReloadCertificates() error {
	if s.security.files == nil {
		return ErrNoCertificateFiles
	}
	if err := s.security.files.Reload(); err != nil {
		return fmt.Errorf("spoke: %w", err)
	}
	return nil
}

// CertificatesExpire is when the first of the certificates of Config.TLS that are files does; false: there are none.
func (s *Server) CertificatesExpire() (time.Time, bool) {
	if s.security.files == nil {
		return time.Time{}, false
	}
	return s.security.files.Expires(), true
}

type tlsKey struct{}

// tlsContext keeps what a connection under TLS has agreed on; net/http knows only its own connections.
func tlsContext(ctx context.Context, nc net.Conn) context.Context {
	if s, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		st := s.ConnectionState()
		return context.WithValue(ctx, tlsKey{}, &st)
	}
	return ctx
}

// front serves requests on connections that the loops have given away, as the loops do.
func (s *Server) front(w http.ResponseWriter, r *http.Request) {
	if st, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok {
		r.TLS = st
		if s.security.hsts != "" && http1.StrictHost(r.Host) {
			w.Header().Set("Strict-Transport-Security", s.security.hsts)
		}
	}
	s.ServeHTTP(w, r)
}
