package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/internal/certtest"
)

// benchHub has the methods that loadgen calls.
type benchHub struct{}

func (benchHub) Echo(x string) string { return x }
func (benchHub) Broadcast(c *spoke.Context, x string) error {
	return c.Clients().All().Send("message", x)
}

// secureServer serves a benchHub under TLS.
func secureServer(t *testing.T) (url, caFile string) {
	t.Helper()
	ca := certtest.New(t)
	dir := t.TempDir()
	caFile = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := spoke.Config{Addr: "127.0.0.1:0", Drain: -1}
	cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Issue(nil, "127.0.0.1").Write(t, dir, "server")
	s, err := spoke.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.MapHub("/bench", benchHub{}); err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return "wss://" + addr.String() + "/bench", caFile
}

func TestOverTLS(t *testing.T) {
	t.Parallel()
	url, caFile := secureServer(t)
	for name, args := range map[string][]string{
		"idle":                            {"idle", "-n=20", "-duration=200ms"},
		"echo":                            {"echo", "-n=10", "-depth=3", "-duration=300ms", "-warmup=0"},
		"echo, larger than TLS's records": {"echo", "-n=2", "-size=30000", "-duration=300ms", "-warmup=0"},
		"broadcast":                       {"broadcast", "-n=10", "-publishers=2", "-outstanding=4", "-loops=2", "-duration=300ms", "-warmup=0"},
		"negotiate":                       {"negotiate", "-n=5", "-duration=300ms", "-warmup=0"},
		"churn":                           {"churn", "-n=5", "-duration=300ms"},
		"storm":                           {"storm", "-n=20", "-duration=20s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := loadgen(t, nil, append(args, "-quiet", "-ca="+caFile, url)...)
			l.want(t, exitGood)
			if l.result.Total.Connected == 0 || len(l.result.Total.Errors) > 0 {
				t.Errorf("%d connections, errors %v", l.result.Total.Connected, l.result.Total.Errors)
			}
		})
	}
	t.Run("insecure", func(t *testing.T) {
		t.Parallel()
		loadgen(t, nil, "idle", "-n=2", "-duration=100ms", "-quiet", "-insecure", url).want(t, exitGood)
	})
	t.Run("not trusted", func(t *testing.T) {
		t.Parallel()
		l := loadgen(t, nil, "idle", "-n=2", "-duration=100ms", "-quiet", url)
		l.want(t, exitFailed)
		l.contains(t, "does not agree on TLS", "certificate signed by unknown authority", "-ca FILE")
	})
}

// A server that is plain is told from one that is not trusted.
func TestTLSWithPlainServer(t *testing.T) {
	t.Parallel()
	s := newFakeServer(t, behaviour{})
	l := loadgen(t, nil, "idle", "-n=2", "-duration=100ms", "-quiet", "-insecure", "https"+s.url[len("http"):])
	l.want(t, exitFailed)
	l.contains(t, "does not agree on TLS")
}
