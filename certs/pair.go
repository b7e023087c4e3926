package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxFile is the most that a certificate or key file may have: a chain of certificates has a few KiB.
const maxFile = 1 << 20

// Pair names the files of a certificate, with the chain behind it, and of its private key, both in PEM; one file may be both.
type Pair struct {
	CertFile string
	KeyFile  string
}

// content is what the two files of a pair hold.
type content struct {
	cert, key []byte
}

// sum tells contents apart without keeping a private key for it.
func (c content) sum() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d ", len(c.cert))
	_, _ = h.Write(c.cert)
	_, _ = h.Write(c.key)
	return [sha256.Size]byte(h.Sum(nil))
}

// read reads both files.
func (p Pair) read() (content, error) {
	var c content
	var errs [2]error
	c.cert, errs[0] = readFile("certificate", p.CertFile)
	if p.KeyFile == p.CertFile && p.KeyFile != "" {
		c.key = c.cert
	} else {
		c.key, errs[1] = readFile("key", p.KeyFile)
	}
	return c, errors.Join(errs[:]...)
}

// readFile reads a file of bounded size. A pipe is refused, and not waited for: it could not be read again.
func readFile(what, name string) (b []byte, err error) {
	if name == "" {
		return nil, fmt.Errorf("the name of the %s file is missing", what)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", what, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s file %s is not a regular file, which is expected since it is read again when it changes", what, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", what, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", what, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s file %s is over %d bytes", what, name, maxFile)
	}
	return b, nil
}

// parse makes a certificate of what was read. Neither names nor texts of errors hold any of a key.
func (p Pair) parse(c content) (*tls.Certificate, error) {
	if len(bytes.TrimSpace(c.cert)) == 0 {
		return nil, fmt.Errorf("certificate file %s is empty", p.CertFile)
	}
	if len(bytes.TrimSpace(c.key)) == 0 {
		return nil, fmt.Errorf("key file %s is empty", p.KeyFile)
	}
	cert, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", p.CertFile, p.KeyFile, err)
	}
	return &cert, nil
}

// outdated says why a certificate is of no use now; "" when it is. Clients refuse such a certificate, but it is served: theirs may be the wrong clock, or ours.
func outdated(c *tls.Certificate, now time.Time) string {
	switch leaf := c.Leaf; {
	case now.After(leaf.NotAfter):
		return "it has expired"
	case now.Before(leaf.NotBefore):
		return "it is not valid yet"
	}
	return ""
}
