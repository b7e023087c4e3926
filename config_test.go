package spoke_test

import (
	"flag"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
)

func parse(t *testing.T, args ...string) (cfg spoke.Config, err error) {
	t.Helper()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	cfg.RegisterFlags(fs)
	return cfg, fs.Parse(args)
}

func TestFlagsAndEnvironment(t *testing.T) {
	t.Setenv("SPOKE_MAX_MESSAGE", "1000")
	t.Setenv("SPOKE_KEEP_ALIVE", "3s")
	t.Setenv("SPOKE_RATE_MODE", "close")
	t.Setenv("SPOKE_DETAILED_ERRORS", "true")
	t.Setenv("SPOKE_PROTOCOLS", "json")
	cfg, err := parse(t, "-protocols", "MessagePack, json", "-transports", "longpolling, WebSockets", "-max-message", "2000", "-loops", "3", "-rate-messages", "2.5", "-allowed-origins", "https://a.example, https://b.example")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Hub.MaxMessage != 2000 {
		t.Errorf("MaxMessage is %d: the flag must win over the variable", cfg.Hub.MaxMessage)
	}
	if cfg.Hub.KeepAliveInterval != 3*time.Second || cfg.Hub.Rates.Mode != spoke.Close || !cfg.Hub.DetailedErrors {
		t.Errorf("the variables were not taken: %+v", cfg.Hub.Options)
	}
	if !slices.Equal(cfg.Hub.Protocols, []spoke.Protocol{spoke.MessagePack, spoke.JSON}) {
		t.Errorf("Protocols are %v", cfg.Hub.Protocols)
	}
	if cfg.Hub.Transports != spoke.WebSockets|spoke.LongPolling {
		t.Errorf("Transports are %v", cfg.Hub.Transports)
	}
	if cfg.Engine.Loops != 3 || cfg.Hub.Rates.Messages != 2.5 || !slices.Equal(cfg.Hub.AllowedOrigins, []string{"https://a.example", "https://b.example"}) {
		t.Errorf("the flags were not taken: %+v", cfg)
	}
}

// An empty variable is as none: that is how compose files and unit files pass on what is not set.
func TestEmptyEnvironment(t *testing.T) {
	t.Setenv("SPOKE_MAX_MESSAGE", "")
	t.Setenv("SPOKE_DETAILED_ERRORS", "")
	t.Setenv("SPOKE_RATE_MODE", "")
	cfg := spoke.Config{Addr: "127.0.0.1:0"}
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	cfg.RegisterFlags(fs)
	if err := fs.Parse(nil); err != nil {
		t.Fatal(err)
	}
	s, err := spoke.New(cfg)
	if err != nil {
		t.Fatalf("empty variables are not as unset: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Setenv("SPOKE_MAX_MESSAGE", "lots")
	t.Setenv("SPOKE_RATE_MODE", "never")
	cfg, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	_, err = spoke.New(cfg)
	for _, want := range []string{`SPOKE_MAX_MESSAGE="lots"`, `SPOKE_RATE_MODE="never"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-max-message", "x"}, {"-keep-alive", "3"}, {"-rate-mode", "never"}, {"-protocols", "json,xml"}, {"-transports", "WebSockets,Pigeons"}, {"-nonsense"},
		{"-trusted-proxies", "localhost"}, {"-trusted-proxies", "10.0.0.1/8"}, {"-forwarded-headers", "X-Real-IP"}} {
		if _, err := parse(t, args...); err == nil {
			t.Errorf("%v passed", args)
		}
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  func(*spoke.Config)
		want []string
	}{
		{"several at once", func(c *spoke.Config) {
			c.Workers = -1
			c.ClientResults, c.MaxDeparted = -5, -6
			c.SendQueue = -2
			c.AuthCalls = -4
			c.MaxParked = -3
		}, []string{"Workers is -1", "ClientResults is -5", "MaxDeparted is -6", "SendQueue is -2", "AuthCalls is -4", "MaxParked is -3"}},
		{"HTTP", func(c *spoke.Config) { c.HTTP.MaxHead = -2; c.HTTP.KeepAlive = -1 }, []string{"MaxHead", "KeepAlive"}},
		{"backend", func(c *spoke.Config) { c.Engine.Backend = "kqueue" }, []string{"kqueue", "epoll"}},
		{"loops", func(c *spoke.Config) { c.Engine.Loops = -1 }, []string{"Loops"}},
		{"hub options", func(c *spoke.Config) { c.Hub.ClientTimeout = -time.Second }, []string{"ClientTimeout"}},
		{"protocols", func(c *spoke.Config) { c.Hub.Protocols = []spoke.Protocol{spoke.JSON, spoke.JSON} }, []string{"json", "twice"}},
		{"trusted proxies", func(c *spoke.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8"), {}} }, []string{"TrustedProxies", "want 10.0.0.0/8", "number 2"}},
		{"forwarded headers", func(c *spoke.Config) { c.ForwardedHeaders = 0x40 }, []string{"0x40", "X-Forwarded-For"}},
		{"the PROXY protocol from nobody", func(c *spoke.Config) { c.ProxyProtocol = true }, []string{"ProxyProtocol", "TrustedProxies"}},
		{"rates", func(c *spoke.Config) { c.Hub.Rates.Messages = -1 }, []string{"Messages"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var cfg spoke.Config
			tt.cfg(&cfg)
			s, err := spoke.New(cfg)
			if err == nil {
				t.Fatalf("made %v", s)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestFlagsOfProxies(t *testing.T) {
	t.Setenv("SPOKE_FORWARDED_HEADERS", "Forwarded")
	cfg, err := parse(t, "-trusted-proxies", "10.0.0.0/8, 192.0.2.1,unix", "-proxy-protocol")
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
	if !slices.Equal(cfg.TrustedProxies, want) || !cfg.TrustUnix || !cfg.ProxyProtocol || cfg.ForwardedHeaders != spoke.Forwarded {
		t.Errorf("%v %v %v %v", cfg.TrustedProxies, cfg.TrustUnix, cfg.ProxyProtocol, cfg.ForwardedHeaders)
	}
}

func TestEveryFlagSaysItsDefault(t *testing.T) {
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	new(spoke.Config).RegisterFlags(fs)
	fs.VisitAll(func(f *flag.Flag) {
		zero := f.DefValue == "" || f.DefValue == "0" || f.DefValue == "0s"
		if zero && !strings.Contains(f.Usage, "default") {
			t.Errorf("-%s: %q does not say the default", f.Name, f.Usage)
		}
	})
}
