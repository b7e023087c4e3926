// Command probe serves the hubs of the recorded exchanges (interop/golden/testdata/README.md) from Spoke, so that a replayer can compare it
// with what was recorded:
//
//	go run ./interop/probe -urls http://127.0.0.1:5199 &
//	go run ./interop/golden http://127.0.0.1:5199
//
// It believes the header X-Test-User and shows detailed errors on some paths: it is for loopback alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/interop/probe/hubs"
	"github.com/spokehub/spoke/proxy"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	fs := flag.NewFlagSet("probe", flag.ContinueOnError)
	fs.SetOutput(errs)
	urls := fs.String("urls", "http://127.0.0.1:5199", "where to listen: http://ADDRESS:PORT or https://ADDRESS:PORT on a loopback address, where port 0 takes a free one; or unix:PATH, with -tls-cert for https")
	engine := fs.String("engine", "", "connection backend (default: the platform's)")
	trusted := fs.String("trusted-proxies", "", "as spoked's: addresses and prefixes of proxies, and unix")
	proxied := fs.Bool("proxy-protocol", false, "as spoked's: trusted proxies send a PROXY protocol header")
	cert := fs.String("tls-cert", "", "certificate `file` of https, as spoked's")
	key := fs.String("tls-key", "", "key `file` of https, as spoked's")
	certificate := fs.String("certificate", "", "write a certificate for loopback and its key, cert.pem and key.pem, into this folder, and end")
	verbose := fs.Bool("v", false, "log to standard error")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *certificate != "" {
		if err := writeCertificate(*certificate); err != nil {
			fmt.Fprintln(errs, "probe:", err)
			return 1
		}
		return 0
	}
	addr, secure, err := loopback(*urls)
	if strings.HasPrefix(addr, "unix:") {
		secure = *cert != "" || *key != "" // a path does not say
	}
	if err == nil && secure != (*cert != "" && *key != "") {
		err = fmt.Errorf("%q, -tls-cert %q, -tls-key %q: want both files for https, and none without", *urls, *cert, *key)
	}
	trust, err2 := proxy.ParseTrust(*trusted)
	if err := errors.Join(err, err2); err != nil || fs.NArg() > 0 {
		fmt.Fprintf(errs, "probe: %v; arguments left over: %q\n", err, fs.Args())
		return 2
	}
	cfg := spoke.Config{Addr: addr, Authenticate: hubs.Authenticate, TrustedProxies: trust.Prefixes, TrustUnix: trust.Unix, ProxyProtocol: *proxied}
	cfg.Engine.Backend = *engine
	cfg.TLS.CertFile, cfg.TLS.KeyFile = *cert, *key
	if *verbose {
		cfg.Logger = slog.New(slog.NewTextHandler(errs, nil))
	}
	if err := serve(ctx, cfg, out); err != nil {
		fmt.Fprintln(errs, "probe:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, cfg spoke.Config, out io.Writer) error {
	srv, err := spoke.New(cfg)
	if err != nil {
		return err
	}
	if err = hubs.Map(srv); err == nil && (len(cfg.TrustedProxies) > 0 || cfg.TrustUnix) {
		err = mapWhere(srv)
	}
	if err == nil {
		var at net.Addr
		if at, err = srv.Listen(); err == nil {
			scheme, host := "http", at.String()
			if cfg.TLS.CertFile != "" {
				scheme = "https"
			}
			if at.Network() == "unix" {
				host = "unix" // a URL, as that of any other, for who waits for this line
			}
			fmt.Fprintf(out, "listening on %s://%s\n", scheme, host)
			return srv.Run(ctx)
		}
	}
	return errors.Join(err, srv.Shutdown(context.WithoutCancel(ctx)))
}

// loopback reads a URL of -urls. secure: it is one of https, which a unix socket's does not say.
func loopback(text string) (addr string, secure bool, err error) {
	if strings.HasPrefix(text, "unix:") {
		return text, false, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", false, err
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" || u.Path != "" && u.Path != "/" || ip == nil || !ip.IsLoopback() {
		return "", false, fmt.Errorf("%q: want http://ADDRESS:PORT or https://ADDRESS:PORT with a loopback address, such as http://127.0.0.1:5199", text)
	}
	return u.Host, u.Scheme == "https", nil
}
