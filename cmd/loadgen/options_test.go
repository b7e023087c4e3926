package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	const url = "http://127.0.0.1:1/bench"
	cases := []struct {
		args string
		says []string
	}{
		{"", []string{"a scenario and a URL are expected"}},
		{"dance " + url, []string{`the scenario "dance" is unknown`, "idle, echo, broadcast, group, churn, storm, slow"}},
		{"echo", []string{"the URL is missing"}},
		{"echo " + url + " -n=5", []string{`"-n=5" after the URL`, "flags go before the URL"}},
		{"echo -n=x " + url, []string{"-n"}},
		{"echo -n=0 " + url, []string{"-n is 0: 1 to 1000000 is expected"}},
		{"echo -n=2000000 " + url, []string{"-n is 2000000"}},
		{"echo -outstanding=3 " + url, []string{"flag of broadcast, group, not of echo"}},
		{"idle -depth=3 " + url, []string{"flag of echo, not of idle"}},
		{"echo -nonsense " + url, []string{"not defined: -nonsense", "loadgen echo -h"}},
		{"echo -depth=0 -size=3 -duration=0 -protocol=xml " + url, []string{`-protocol is "xml": json or messagepack is expected`, "-depth is 0", "-size is 3: 32 to", "-duration is 0s: 100ms to 24h0m0s"}},
		{"echo -transport=carrier-pigeon " + url, []string{`-transport is "carrier-pigeon": websockets, sse or polling is expected`}},
		{"echo -transport=sse -skip-negotiate " + url, []string{"-skip-negotiate is for websockets: -transport sse needs a connection token"}},
		{"echo -transport=sse -protocol=messagepack " + url, []string{"-transport sse carries text: -protocol json is expected"}},
		{"churn -transport=sse " + url, []string{"flag of idle, echo, broadcast, group, slow, not of churn"}},
		{"echo -rate=-1 " + url, []string{"-rate is -1"}},
		{"echo -rate=NaN " + url, []string{"-rate is NaN"}},
		{"echo -procs=5 -n=3 " + url, []string{"-procs 5 is more than the 3 connections"}},
		{"echo -max-p99=fast " + url, []string{"a time such as 5ms is expected"}},
		{"echo -max-loss=x " + url, []string{"a number is expected"}},
		{"echo -max-loss=-1 " + url, []string{"-max-loss is -1: at least 0"}},
		{"echo -header=x " + url, []string{"'Name: value' is expected"}},
		{"echo -header=x:\r\ny " + url, []string{"'Name: value' is expected"}},
		{"broadcast -publishers=101 -n=100 " + url, []string{"-publishers is 101: 1 to 100"}},
		{"broadcast -procs=2 " + url, []string{"-procs 2 needs -rate"}},
		{"broadcast -outstanding=0 " + url, []string{"-outstanding is 0"}},
		{"broadcast -n=15000 -publishers=15000 -rate=1 " + url, []string{"225000000 streams to check"}},
		{"broadcast -rate=1e6 -duration=24h " + url, []string{"more than 4294967295 messages for each publisher"}},
		{"group -groups=200 -n=100 " + url, []string{"-groups is 200"}},
		{"slow -slow-share=1 " + url, []string{"-slow-share is 1"}},
		{"slow -rate=0 " + url, []string{"a slow reader would stop a closed loop"}},
		{"slow -trickle=-1 " + url, []string{"-trickle is -1"}},
		{"echo -insecure " + url, []string{"-insecure and -ca are for servers with TLS"}},
		{"echo -ca=x " + url, []string{"-insecure and -ca are for servers with TLS"}},
		{"echo -ca=x -insecure https://example.com/hub", []string{"give one of them"}},
		{"echo -ca=nowhere.pem https://example.com/hub", []string{"-ca: ", "nowhere.pem"}},
		{"echo -ca=options_test.go wss://example.com/hub", []string{"no certificate in PEM in options_test.go"}},
		{"echo ftp://example.com/hub", []string{`scheme is "ftp"`}},
		{"echo http:///hub", []string{"the URL has no host"}},
		{"echo http://me:secret@host/hub", []string{"-token or -header"}},
		{"echo -child=5/3 " + url, []string{"-child"}},
		{"idle -n=1000000 " + url, []string{"descriptors per process, but the limit is", "use -procs", "ulimit -n"}},
	}
	for _, c := range cases {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			var out, help bytes.Buffer
			var args []string
			if c.args != "" {
				args = strings.Split(c.args, " ")
			}
			if code := run(args, program{stdout: &help, stderr: &out}); code != exitUsage {
				t.Fatalf("exit code %d: %s", code, out.String())
			}
			for _, s := range c.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("%q is not in: %s", s, out.String())
				}
			}
			if strings.Contains(out.String(), "secret") {
				t.Errorf("a password is in: %s", out.String())
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer
	if code := run([]string{"-h"}, program{stdout: &all}); code != exitGood {
		t.Errorf("exit code %d", code)
	}
	for _, s := range scenarios {
		if !strings.Contains(all.String(), string(s.name)) {
			t.Errorf("-h does not name %s", s.name)
		}
		var b bytes.Buffer
		if _, err := parseOptions([]string{string(s.name), "-h"}, &b); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s -h: %v", s.name, err)
		}
		for _, want := range []string{"-duration", "-html", "-server-pid", "-max-errors"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s -h does not name %s:\n%s", s.name, want, b.String())
			}
		}
		if strings.Contains(b.String(), "-child") {
			t.Errorf("%s -h names an internal flag", s.name)
		}
	}
}

// A report must not give credentials away.
func TestSettingsHideSecrets(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"echo", "-token=hush", "-header=Cookie: hush", "-n=7", "http://h/x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]setting{}
	for _, s := range o.flags {
		seen[s.Name] = s
		if strings.Contains(s.Value, "hush") {
			t.Errorf("-%s is shown", s.Name)
		}
	}
	if seen["n"] != (setting{"n", "7", true}) || seen["depth"] != (setting{"depth", "1", false}) || !seen["token"].Set {
		t.Errorf("%+v", o.flags)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, addr, path, negotiate, upgrade string }{
		{"http://h:81/a", "h:81", "/a", "/a/negotiate?negotiateVersion=1", "/a?id=x"},
		{"h/a/", "h:80", "/a", "/a/negotiate?negotiateVersion=1", "/a?id=x"},
		{"ws://[::1]:5/a%20b?k=v", "[::1]:5", "/a%20b", "/a%20b/negotiate?k=v&negotiateVersion=1", "/a%20b?k=v&id=x"},
		{"https://h/a", "h:443", "/a", "/a/negotiate?negotiateVersion=1", "/a?id=x"},
		{"wss://h:8443/a", "h:8443", "/a", "/a/negotiate?negotiateVersion=1", "/a?id=x"},
		{"http://h", "h:80", "", "/negotiate?negotiateVersion=1", "/?id=x"},
		{"http://h/a?user=u{n}&again={n}", "h:80", "/a", "/a/negotiate?user=u7&again=7&negotiateVersion=1", "/a?user=u7&again=7&id=x"},
	} {
		g, err := parseTarget(c.in)
		if err != nil {
			t.Fatalf("%s: %v", c.in, err)
		}
		if want := strings.Contains(c.in, "s://") && c.in[:5] != "ws://"; g.secure != want {
			t.Errorf("%s: with TLS %t", c.in, g.secure)
		}
		if g.numbered() != strings.Contains(c.in, "{n}") {
			t.Errorf("%s: numbered %t", c.in, g.numbered())
		}
		g = g.of(7)
		if n, u := g.request("/negotiate", "negotiateVersion=1"), g.request("", "id=x"); g.addr != c.addr || g.path != c.path || n != c.negotiate || u != c.upgrade {
			t.Errorf("%s: %+v, %s, %s", c.in, g, n, u)
		}
	}
}

func TestTargetNumberElsewhere(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"http://h/room{n}", "http://h{n}/a"} {
		if _, err := parseTarget(in); err == nil {
			t.Errorf("%s was accepted", in)
		}
	}
	if _, err := parseTarget("http://h/room{n}"); err == nil || !strings.Contains(err.Error(), "in the query only") {
		t.Errorf("the error is %v", err)
	}
}

// Every connection has one worker, every publisher one connection, and the slow are as many as asked for.
func TestShares(t *testing.T) {
	t.Parallel()
	for _, o := range []options{{n: 10, procs: 3, publishers: 4, slowShare: 0.3}, {n: 7, procs: 7, publishers: 7, slowShare: 0.5}, {n: 1000, procs: 16, publishers: 13, slowShare: 0.013}, {n: 1, procs: 1, publishers: 1, slowShare: 0.5}} {
		o.scenario, o.groups = slow, 1
		w := &worker{opts: &o}
		next, publishers, slowOnes := 0, 0, 0
		for i := range o.procs {
			from, to := o.share(i, o.procs)
			if from != next {
				t.Errorf("process %d of %d begins at %d, want %d", i, o.procs, from, next)
			}
			for number := from; number < to; number++ {
				c := w.newClient(number)
				if c.publisher >= 0 {
					if o.publisherAt(int(c.publisher)) != number || int(c.publisher) != publishers {
						t.Errorf("connection %d is publisher %d", number, c.publisher)
					}
					publishers++
				}
				if c.slow {
					slowOnes++
				}
			}
			next = to
		}
		if next != o.n || publishers != o.publishers {
			t.Errorf("%+v: %d connections, %d publishers", o, next, publishers)
		}
		if most := int(float64(o.n) * o.slowShare); slowOnes > most || slowOnes < most-publishers {
			t.Errorf("%d of %d are slow, %v asked for", slowOnes, o.n, o.slowShare)
		}
	}
}
