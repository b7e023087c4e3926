package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/certs"
	"github.com/spokehub/spoke/internal/certtest"
	"github.com/spokehub/spoke/internal/logtest"
)

// name is the first name of the certificate that a client gets which asks for server.
func name(t *testing.T, s *certs.Store, server string) string {
	t.Helper()
	c, err := s.GetCertificate(&tls.ClientHelloInfo{
		ServerName:        server,
		SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.DNSNames[0]
}

func load(t *testing.T, cfg certs.Config) *certs.Store {
	t.Helper()
	s, err := certs.Load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.New(t)
	cert, key := ca.Issue(nil, "a.example").Write(t, dir, "a")
	otherCert, otherKey := ca.Issue(nil, "b.example").Write(t, dir, "b")
	empty, text, large := filepath.Join(dir, "empty"), filepath.Join(dir, "text"), filepath.Join(dir, "large")
	write(t, empty, nil)
	write(t, text, []byte("this is no PEM"))
	write(t, large, bytes.Repeat([]byte("x"), 1<<20+1))
	for _, tt := range []struct {
		name  string
		pairs []certs.Pair
		want  []string
	}{
		{"no pair", nil, []string{"no certificate"}},
		{"no names", []certs.Pair{{}}, []string{"name of the certificate file", "name of the key file"}},
		{"no key", []certs.Pair{{CertFile: cert}}, []string{"name of the key file is missing"}},
		{"both missing", []certs.Pair{{CertFile: dir + "/x.crt", KeyFile: dir + "/x.key"}}, []string{"x.crt", "x.key", "no such file"}},
		{"a directory", []certs.Pair{{CertFile: dir, KeyFile: key}}, []string{dir, "not a regular file"}},
		{"a device", []certs.Pair{{CertFile: cert, KeyFile: os.DevNull}}, []string{os.DevNull, "not a regular file"}},
		{"empty certificate", []certs.Pair{{CertFile: empty, KeyFile: key}}, []string{"certificate file", "empty"}},
		{"empty key", []certs.Pair{{CertFile: cert, KeyFile: empty}}, []string{"key file", "empty"}},
		{"no PEM", []certs.Pair{{CertFile: text, KeyFile: key}}, []string{text, "PEM"}},
		{"too large", []certs.Pair{{CertFile: large, KeyFile: key}}, []string{large, "1048576 bytes"}},
		{"another's key", []certs.Pair{{CertFile: cert, KeyFile: otherKey}}, []string{cert, otherKey, "does not match"}},
		{"the two exchanged", []certs.Pair{{CertFile: key, KeyFile: cert}}, []string{key, cert}},
		{"two pairs", []certs.Pair{{CertFile: cert, KeyFile: otherKey}, {CertFile: otherCert, KeyFile: key}, {CertFile: otherCert, KeyFile: otherKey}}, []string{cert, otherCert}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := certs.Load(certs.Config{Pairs: tt.pairs})
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestOneFileForBoth(t *testing.T) {
	t.Parallel()
	p := certtest.New(t).Issue(nil, "a.example")
	file := filepath.Join(t.TempDir(), "both.pem")
	write(t, file, append(p.Key, p.Cert...))
	if got := name(t, load(t, certs.Config{Pairs: []certs.Pair{{CertFile: file, KeyFile: file}}}), "a.example"); got != "a.example" {
		t.Errorf("serves %s", got)
	}
}

func TestByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.New(t)
	var pairs []certs.Pair
	for i, hosts := range [][]string{{"a.example", "www.a.example"}, {"*.b.example"}, {"c.example"}} {
		cert, key := ca.Issue(nil, hosts...).Write(t, dir, fmt.Sprint(i))
		pairs = append(pairs, certs.Pair{CertFile: cert, KeyFile: key})
	}
	s := load(t, certs.Config{Pairs: pairs})
	for asked, want := range map[string]string{
		"a.example": "a.example", "www.a.example": "a.example", "x.b.example": "*.b.example", "c.example": "c.example",
		"": "a.example", "nowhere.example": "a.example", "b.example": "a.example",
	} {
		if got := name(t, s, asked); got != want {
			t.Errorf("%q gets %s, want %s", asked, got, want)
		}
	}
}

// A pair's files change in the ways in which files change; each is noticed at the next look, and not before.
func TestWatch(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	first, second := ca.Issue(nil, "first.example"), ca.Issue(nil, "second.example")
	third := ca.Issue(nil, "third.example")
	for _, tt := range []struct {
		name   string
		setUp  func(t *testing.T, dir string) certs.Pair
		change func(t *testing.T, dir string, p certs.Pair)
	}{
		{"written to", func(t *testing.T, dir string) certs.Pair {
			cert, key := first.Write(t, dir, "x")
			return certs.Pair{CertFile: cert, KeyFile: key}
		}, func(t *testing.T, dir string, p certs.Pair) {
			second.Write(t, dir, "x")
		}},
		{"written to, with size and time as before", func(t *testing.T, dir string) certs.Pair {
			cert, key := first.Write(t, dir, "x")
			return certs.Pair{CertFile: cert, KeyFile: key}
		}, func(t *testing.T, dir string, p certs.Pair) {
			for file, b := range map[string][]byte{p.CertFile: second.Cert, p.KeyFile: second.Key} {
				info, err := os.Stat(file)
				if err != nil {
					t.Fatal(err)
				}
				for int64(len(b)) < info.Size() {
					b = append(b, '\n')
				}
				write(t, file, b)
				if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"renamed into place", func(t *testing.T, dir string) certs.Pair {
			cert, key := first.Write(t, dir, "x")
			return certs.Pair{CertFile: cert, KeyFile: key}
		}, func(t *testing.T, dir string, p certs.Pair) {
			cert, key := second.Write(t, dir, "y")
			for from, to := range map[string]string{cert: p.CertFile, key: p.KeyFile} {
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"links to files, each moved, as certbot does", func(t *testing.T, dir string) certs.Pair {
			cert, key := first.Write(t, dir, "archive1")
			link(t, cert, dir+"/fullchain.pem")
			link(t, key, dir+"/privkey.pem")
			return certs.Pair{CertFile: dir + "/fullchain.pem", KeyFile: dir + "/privkey.pem"}
		}, func(t *testing.T, dir string, p certs.Pair) {
			cert, key := second.Write(t, dir, "archive2")
			link(t, cert, p.CertFile)
			link(t, key, p.KeyFile)
		}},
		{"links through a link to a directory, which is moved, as Kubernetes does", func(t *testing.T, dir string) certs.Pair {
			mkdir(t, dir+"/1")
			first.Write(t, dir+"/1", "tls")
			link(t, "1", dir+"/..data")
			link(t, "..data/tls.crt", dir+"/tls.crt")
			link(t, "..data/tls.key", dir+"/tls.key")
			return certs.Pair{CertFile: dir + "/tls.crt", KeyFile: dir + "/tls.key"}
		}, func(t *testing.T, dir string, p certs.Pair) {
			mkdir(t, dir+"/2")
			second.Write(t, dir+"/2", "tls")
			link(t, "2", dir+"/..data")
			if err := os.RemoveAll(dir + "/1"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := tt.setUp(t, dir)
				log := new(logtest.Buffer)
				s := load(t, certs.Config{Pairs: []certs.Pair{p}, Interval: time.Minute, Logger: slog.New(slog.NewTextHandler(log, nil))})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { s.Watch(ctx); close(ended) }()
				pass := func() { time.Sleep(time.Minute); synctest.Wait() }

				pass()
				tt.change(t, dir, p)
				if got := name(t, s, ""); got != "first.example" {
					t.Errorf("serves %s before it has looked", got)
				}
				pass()
				if got := name(t, s, ""); got != "second.example" {
					t.Errorf("serves %s", got)
				}
				if l := log.Take(); strings.Count(l, "\n") != 1 || !strings.Contains(l, "second.example") || !strings.Contains(l, p.CertFile) {
					t.Errorf("logged %q", l)
				}

				// Half of a change keeps the old one, which is said once; so does a file that has gone.
				write(t, p.CertFile, third.Cert)
				pass()
				pass()
				if got := name(t, s, ""); got != "second.example" {
					t.Errorf("serves %s with a key that is another's", got)
				}
				if l := log.Take(); strings.Count(l, "\n") != 1 || !strings.Contains(l, "does not match") || strings.Contains(l, "PRIVATE") {
					t.Errorf("logged %q", l)
				}
				if err := os.Remove(p.KeyFile); err != nil {
					t.Fatal(err)
				}
				pass()
				if l := log.Take(); strings.Count(l, "\n") != 1 || !strings.Contains(l, p.KeyFile) {
					t.Errorf("logged %q", l)
				}
				write(t, p.KeyFile, third.Key)
				pass()
				if got := name(t, s, ""); got != "third.example" {
					t.Errorf("serves %s", got)
				}
				log.Take()
				pass()
				if l := log.Take(); l != "" {
					t.Errorf("logged %q though nothing has changed", l)
				}
				stop()
				<-ended
			})
		})
	}
}

// link makes name point to to, in place of what it pointed to, as those do who must not leave a gap.
func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
}

// What has been restored after a fault is served as if nothing had been.
func TestFaultUndone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.New(t)
	pair := ca.Issue(nil, "a.example")
	cert, key := pair.Write(t, dir, "a")
	log := new(logtest.Buffer)
	s := load(t, certs.Config{Pairs: []certs.Pair{{CertFile: cert, KeyFile: key}}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	write(t, cert, []byte("x"))
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), cert) {
		t.Errorf("a broken file: %v", err)
	}
	write(t, cert, pair.Cert)
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	if l := log.Take(); l != "" {
		t.Errorf("logged %q", l)
	}
	if got := name(t, s, ""); got != "a.example" {
		t.Errorf("serves %s", got)
	}
}

// One pair that is broken does not keep the other from being served.
func TestReloadOfSeveral(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := certtest.New(t)
	certA, keyA := ca.Issue(nil, "a.example").Write(t, dir, "a")
	certB, keyB := ca.Issue(nil, "b.example").Write(t, dir, "b")
	s := load(t, certs.Config{Pairs: []certs.Pair{{CertFile: certA, KeyFile: keyA}, {CertFile: certB, KeyFile: keyB}}})
	write(t, keyA, nil)
	ca.Issue(nil, "new.example", "b.example").Write(t, dir, "b")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), keyA) || strings.Contains(err.Error(), keyB) {
		t.Errorf("error %v, want it to name %s alone", err, keyA)
	}
	if a, b := name(t, s, "a.example"), name(t, s, "b.example"); a != "a.example" || b != "new.example" {
		t.Errorf("serves %s and %s", a, b)
	}
}

// An expired certificate is served, since a wrong clock may be the reason, and said to be one: once, and when the day has come.
func TestExpiry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := certtest.New(t)
		end := time.Now().Add(90 * time.Second).Truncate(time.Second)
		cert, key := ca.Issue(func(c *x509.Certificate) { c.NotAfter = end }, "a.example").Write(t, dir, "a")
		early, earlyKey := ca.Issue(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, "early.example").Write(t, dir, "b")
		log := new(logtest.Buffer)
		s := load(t, certs.Config{Pairs: []certs.Pair{{CertFile: cert, KeyFile: key}, {CertFile: early, KeyFile: earlyKey}}, Interval: time.Minute, Logger: slog.New(slog.NewTextHandler(log, nil))})
		if l := log.Take(); strings.Count(l, "\n") != 1 || !strings.Contains(l, "not valid yet") {
			t.Errorf("logged %q", l)
		}
		if !s.Expires().Equal(end) {
			t.Errorf("expires %v, want %v", s.Expires(), end)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Watch(ctx); close(ended) }()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if l := log.Take(); strings.Count(l, "\n") != 1 || !strings.Contains(l, "expired") || !strings.Contains(l, cert) {
			t.Errorf("logged %q", l)
		}
		if got := name(t, s, "a.example"); got != "a.example" {
			t.Errorf("serves %s", got)
		}
		stop()
		<-ended
	})
}

// Without an interval nothing is looked at, and Watch does not wait.
func TestNeverWatched(t *testing.T) {
	t.Parallel()
	cert, key := certtest.New(t).Issue(nil).Write(t, t.TempDir(), "a")
	load(t, certs.Config{Pairs: []certs.Pair{{CertFile: cert, KeyFile: key}}, Interval: -1}).Watch(context.Background())
}

// A session goes on after a reload: its ticket's keys are those of the tls.Config, which stays.
func TestTicketsOutliveReload(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ca := certtest.New(t)
			cert, key := ca.Issue(nil, "a.example", "old.example").Write(t, dir, "a")
			s := load(t, certs.Config{Pairs: []certs.Pair{{CertFile: cert, KeyFile: key}}})
			server := &tls.Config{GetCertificate: s.GetCertificate, MinVersion: tls.VersionTLS12, MaxVersion: version}
			client := &tls.Config{RootCAs: ca.Pool(), ServerName: "a.example", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			if st := shake(t, server, client); st.DidResume {
				t.Error("the first handshake resumed a session")
			}
			ca.Issue(nil, "a.example", "new.example").Write(t, dir, "a")
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
			if st := shake(t, server, client); !st.DidResume {
				t.Error("the session was not resumed after the reload")
			}
			client.ClientSessionCache = nil
			if st := shake(t, server, client); st.PeerCertificates[0].DNSNames[1] != "new.example" {
				t.Errorf("a new client gets %v", st.PeerCertificates[0].DNSNames)
			}
		})
	}
}

// shake connects once, far enough for the client to have a ticket, and returns the client's state.
func shake(t *testing.T, server, client *tls.Config) tls.ConnectionState {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	ended := make(chan error, 1)
	go func() {
		s := tls.Server(a, server)
		_, err := s.Write([]byte("x")) // behind the ticket
		ended <- err
	}()
	c := tls.Client(b, client)
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState()
}
