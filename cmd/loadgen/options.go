package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The caps of what one run may do.
const (
	maxConnections = 1_000_000
	maxDuration    = 24 * time.Hour
	maxRate        = 10e6
	maxProcs       = 256
	maxLoops       = 256
	maxDialers     = 4096
	maxStreams     = 50_000_000 // receivers x publishers that each of them hears
)

// options are what the command line says.
type options struct {
	scenario scenario
	target   target
	url      string
	tls      security

	n           int
	duration    time.Duration
	warmup      time.Duration
	ramp        float64
	size        int
	procs       int
	loops       int
	dialers     int
	sources     int
	protocol    string
	transport   string
	skip        bool // negotiate
	token       string
	headers     headers
	connectTime time.Duration
	ping        time.Duration
	silence     time.Duration
	drain       time.Duration
	check       bool

	depth       int
	rate        float64
	publishers  int
	outstanding int
	groups      int
	acks        bool
	hold        time.Duration
	reset       bool
	slowShare   float64
	trickle     int

	echoMethod, broadcastMethod, joinMethod, publishMethod, clientMethod string

	serverPID int
	jsonFile  string
	htmlFile  string
	quiet     bool
	limits    thresholds

	child string // "index/procs" of a process that another has started

	flags []setting // as used, for the report
}

// setting is a flag's name and value.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Set   bool   `json:"set"` // given, not the default
}

// headers is a repeatable flag of HTTP headers.
type headers []string

func (h *headers) String() string { return strings.Join(*h, ", ") }

func (h *headers) Set(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
		return errors.New("'Name: value' is expected")
	}
	*h = append(*h, name+": "+strings.TrimSpace(value))
	return nil
}

// defaults depend on the scenario.
func defaults(s scenario) options {
	o := options{scenario: s, n: 100, size: payloadMin, procs: 1, protocol: jsonName, transport: webSockets, ping: 15 * time.Second}
	switch s {
	case idle, storm:
		o.n = 1000
	case broadcast, group:
		o.n = 1000
	case slow:
		o.n, o.rate, o.size = 1000, 50, 4096
	}
	return o
}

// flagSet defines the flags of the scenario; those of other scenarios are not known to it.
func (o *options) flagSet() *flag.FlagSet {
	s := o.scenario
	fs := flag.NewFlagSet("loadgen "+string(s), flag.ContinueOnError)
	fs.SetOutput(io.Discard)

	connections := "connections"
	if s == churn {
		connections = "most connections that are open or being made at a time"
	}
	fs.IntVar(&o.n, "n", o.n, connections)
	length := "length of the measurement, after the ramp and -warmup"
	if s == storm {
		length = "time for all to come back"
	}
	fs.DurationVar(&o.duration, "duration", 10*time.Second, length)
	if s.ramps() {
		fs.Float64Var(&o.ramp, "ramp", 2000, "connections a second in the ramp; 0: as fast as it goes")
	}
	fs.IntVar(&o.procs, "procs", o.procs, "processes that share the load; their histograms are merged")
	fs.IntVar(&o.loops, "loops", 0, "event loops per process (default: the processors, divided by -procs)")
	fs.IntVar(&o.dialers, "dialers", 64, "connection attempts at a time, per process")
	fs.IntVar(&o.sources, "sources", 0, "source addresses 127.0.0.1 to 127.0.0.N when the target is a loopback address (default: one for every 10,000 connections; 16 for churn and storm)")
	if s != negotiate {
		fs.BoolVar(&o.skip, "skip-negotiate", false, "open the WebSocket without negotiating")
		fs.StringVar(&o.protocol, "protocol", o.protocol, "hub protocol, json or messagepack")
		fs.DurationVar(&o.ping, "ping", o.ping, "interval of the client's pings")
	}
	if s.listens() {
		fs.StringVar(&o.transport, "transport", o.transport, "websockets, sse (server-sent events) or polling; with the latter two what is sent goes out in POSTs, on 8 further connections for each loop")
	}
	fs.BoolVar(&o.tls.insecure, "insecure", false, "trust any certificate of a server with TLS")
	fs.StringVar(&o.tls.caFile, "ca", "", "trust the certificates in this PEM `file`, and what they have signed, for TLS (default: what the system trusts)")
	fs.StringVar(&o.token, "token", "", "bearer token: goes into the Authorization header")
	fs.Var(&o.headers, "header", "`'Name: value'` that goes with negotiate and upgrade; may be repeated")
	steps := "time to dial, negotiate, upgrade, shake hands and join"
	if s == negotiate {
		steps = "time to dial"
	}
	fs.DurationVar(&o.connectTime, "connect-timeout", 15*time.Second, steps)
	fs.DurationVar(&o.silence, "silence", 30*time.Second, "a server that says nothing for so long is given up; 0: never")
	fs.IntVar(&o.serverPID, "server-pid", 0, "process of the server, on this machine: its CPU time and memory are sampled")
	fs.StringVar(&o.jsonFile, "json", "", "write the result to this `file`")
	fs.StringVar(&o.htmlFile, "html", "", "write a report for a browser to this `file`")
	fs.BoolVar(&o.quiet, "quiet", false, "no progress, only the result")
	fs.StringVar(&o.child, "child", "", "internal: this process is `i/n` of another loadgen")

	if s.answers() {
		fs.DurationVar(&o.warmup, "warmup", time.Second, "time under load before the measurement begins")
		check := "check that no connection token is given twice"
		if s != negotiate {
			fs.IntVar(&o.size, "size", o.size, "bytes of a payload")
			check = "check order, loss and duplicates of every message"
		}
		fs.BoolVar(&o.check, "check", true, check)
		fs.DurationVar(&o.drain, "drain", 5*time.Second, "what has not come when nothing more has for so long is lost")
	}
	switch {
	case s == echo:
		fs.IntVar(&o.depth, "depth", 1, "closed loop: calls under way per connection")
		fs.Float64Var(&o.rate, "rate", 0, "open loop: calls a second, all connections together; 0: closed loop")
		fs.StringVar(&o.echoMethod, "echo-method", "Echo", "hub method (x) that returns x")
	case s.fansOut():
		fs.IntVar(&o.publishers, "publishers", 1, "connections that publish, of the -n that all receive")
		if s == slow {
			fs.Float64Var(&o.rate, "rate", o.rate, "messages a second, all publishers together")
			fs.Float64Var(&o.slowShare, "slow-share", 0.1, "share of the readers that are slow")
			fs.IntVar(&o.trickle, "trickle", 0, "bytes a second that a slow reader takes; 0: it has stopped")
		} else {
			fs.Float64Var(&o.rate, "rate", 0, "open loop: messages a second, all publishers together; 0: closed loop")
			fs.IntVar(&o.outstanding, "outstanding", 1, "closed loop: messages per publisher that not all receivers have yet")
		}
		fs.BoolVar(&o.acks, "acks", true, "publishers ask for a completion of each call, so that refusals are seen")
		fs.StringVar(&o.clientMethod, "client-method", "message", "client method that the messages arrive at")
		if s == group {
			fs.IntVar(&o.groups, "groups", 10, "groups: connection i is in group i mod groups, publisher p sends to group p mod groups")
			fs.StringVar(&o.joinMethod, "join-method", "Join", "hub method (group) that joins")
			fs.StringVar(&o.publishMethod, "publish-method", "Publish", "hub method (group, x) that sends x to a group")
		} else {
			fs.StringVar(&o.broadcastMethod, "broadcast-method", "Broadcast", "hub method (x) that sends x to all")
		}
	case s == negotiate:
		fs.Float64Var(&o.rate, "rate", 0, "open loop: calls a second, all connections together; 0: closed loop")
	case s == churn:
		fs.Float64Var(&o.rate, "rate", 0, "open loop: new connections a second; 0: closed loop of -n")
		fs.DurationVar(&o.hold, "hold", 0, "how long a connection lives once it is ready")
		fs.BoolVar(&o.reset, "reset", false, "leave by TCP reset, like a process that dies, instead of a close frame")
	case s == storm:
		fs.BoolVar(&o.reset, "reset", true, "drop by TCP reset, like a network that fails, instead of close frames")
	}
	o.limits.register(fs, s)
	return fs
}

// parseOptions reads the command line. The error is flag.ErrHelp after help was printed to help.
func parseOptions(args []string, help io.Writer) (*options, error) {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		printOverview(help)
		if len(args) == 0 {
			return nil, errors.New("a scenario and a URL are expected")
		}
		return nil, flag.ErrHelp
	}
	s := scenario(args[0])
	known := false
	for _, x := range scenarios {
		known = known || x.name == s
	}
	if !known {
		return nil, fmt.Errorf("the scenario %q is unknown; there are %s", args[0], scenarioNames())
	}
	o := defaults(s)
	fs := o.flagSet()
	if err := fs.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			printHelp(help, fs, s)
			return nil, err
		}
		return nil, fmt.Errorf("%w%s", err, elsewhere(err, s))
	}
	switch {
	case fs.NArg() == 0:
		return nil, fmt.Errorf("the URL is missing: loadgen %s [flags] http://host:port/hub", s)
	case fs.NArg() > 1:
		return nil, fmt.Errorf("unexpected %q after the URL: flags go before the URL", fs.Arg(1))
	}
	o.url = fs.Arg(0)
	if err := o.validate(); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	fs.VisitAll(func(f *flag.Flag) {
		if f.Name == "child" {
			return
		}
		v := f.Value.String()
		if (f.Name == "token" || f.Name == "header") && v != "" {
			v = "(set)" // reports are passed around
		}
		o.flags = append(o.flags, setting{f.Name, v, set[f.Name]})
	})
	return &o, nil
}

// elsewhere says which scenario knows a flag that this one does not.
func elsewhere(err error, s scenario) string {
	_, name, ok := strings.Cut(err.Error(), "flag provided but not defined: -")
	if !ok {
		return ""
	}
	var of []string
	for _, x := range scenarios {
		other := defaults(x.name)
		if x.name != s && other.flagSet().Lookup(name) != nil {
			of = append(of, string(x.name))
		}
	}
	if len(of) == 0 {
		return fmt.Sprintf("; loadgen %s -h lists the flags", s)
	}
	return fmt.Sprintf(": it is a flag of %s, not of %s", strings.Join(of, ", "), s)
}

// validate checks everything and reports all that is wrong at once.
func (o *options) validate() error {
	var problems []error
	bad := func(format string, a ...any) { problems = append(problems, fmt.Errorf(format, a...)) }
	count := func(name string, v, least, most int) {
		if v < least || v > most {
			bad("-%s is %d: %d to %d is expected", name, v, least, most)
		}
	}
	span := func(name string, v, least, most time.Duration) {
		if v < least || v > most {
			bad("-%s is %v: %v to %v is expected", name, v, least, most)
		}
	}
	rate := func(name string, v float64) {
		if !(v >= 0 && v <= maxRate) {
			bad("-%s is %v: 0 to %.0f a second is expected", name, v, float64(maxRate))
		}
	}
	t, err := parseTarget(o.url)
	if err != nil {
		bad("%w", err)
	}
	o.target = t
	if err == nil {
		if err := o.tls.prepare(t); err != nil {
			problems = append(problems, err)
		}
	}
	count("n", o.n, 1, maxConnections)
	span("duration", o.duration, 100*time.Millisecond, maxDuration)
	span("warmup", o.warmup, 0, time.Hour)
	span("connect-timeout", o.connectTime, time.Second, time.Hour)
	span("ping", o.ping, time.Second, time.Hour)
	span("silence", o.silence, 0, maxDuration)
	span("drain", o.drain, 0, time.Hour)
	span("hold", o.hold, 0, time.Hour)
	rate("ramp", o.ramp)
	rate("rate", o.rate)
	count("procs", o.procs, 1, maxProcs)
	count("loops", o.loops, 0, maxLoops)
	count("dialers", o.dialers, 1, maxDialers)
	count("sources", o.sources, 0, 254)
	count("server-pid", o.serverPID, 0, math.MaxInt32)
	if o.procs > o.n {
		bad("-procs %d is more than the %d connections of -n", o.procs, o.n)
	}
	if o.protocol != jsonName && o.protocol != messagePack {
		bad("-protocol is %q: %s or %s is expected", o.protocol, jsonName, messagePack)
	}
	switch {
	case transportNames[o.transport] == "":
		bad("-transport is %q: %s, %s or %s is expected", o.transport, webSockets, serverSentEvents, longPolling)
	case o.transport != webSockets && o.skip:
		bad("-skip-negotiate is for %s: -transport %s needs a connection token", webSockets, o.transport)
	case o.transport == serverSentEvents && o.protocol == messagePack:
		bad("-transport %s carries text: -protocol %s is expected", serverSentEvents, jsonName)
	}
	if strings.ContainsAny(o.token, "\r\n ") {
		bad("-token has spaces or line ends: the bare token is expected")
	}
	if o.scenario == echo || o.scenario.fansOut() {
		count("size", o.size, payloadMin, payloadMax)
	}
	switch {
	case o.scenario == echo:
		count("depth", o.depth, 1, 10_000)
	case o.scenario.fansOut():
		o.validateFanOut(bad, count)
	}
	problems = append(problems, o.limits.validate()...)
	if o.child != "" {
		if _, _, err := o.childIndex(); err != nil {
			problems = append(problems, err)
		}
	}
	if err := o.fits(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (o *options) validateFanOut(bad func(string, ...any), count func(string, int, int, int)) {
	count("publishers", o.publishers, 1, max(o.n, 1))
	if o.scenario == group {
		count("groups", o.groups, 1, max(o.n, 1))
	} else {
		o.groups = 1
	}
	if o.scenario == slow {
		if !(o.slowShare > 0 && o.slowShare < 1) {
			bad("-slow-share is %v: more than 0 and less than 1 is expected", o.slowShare)
		}
		count("trickle", o.trickle, 0, 1<<30)
		if o.rate == 0 {
			bad("-rate is 0: a slow reader would stop a closed loop; give a rate")
		}
	} else {
		count("outstanding", o.outstanding, 1, 10_000)
		if o.rate == 0 && o.procs > 1 {
			bad("-procs %d needs -rate: in a closed loop the publisher waits for receivers that other processes hold", o.procs)
		}
	}
	if o.groups > 0 && o.publishers > 0 {
		if streams := o.n * o.streams(); streams > maxStreams {
			bad("-n %d and -publishers %d are %d streams to check, at most %d are", o.n, o.publishers, streams, maxStreams)
		}
	}
	if o.publishers > 0 && o.rate/float64(max(o.publishers, 1))*(o.warmup+o.duration).Seconds() > maxSequence {
		bad("-rate and -duration are more than %d messages for each publisher", maxSequence)
	}
}

// streams is the number of publishers that one receiver hears.
func (o *options) streams() int { return (o.publishers + o.groups - 1) / o.groups }

// childIndex reads -child.
func (o *options) childIndex() (i, n int, err error) {
	a, b, ok := strings.Cut(o.child, "/")
	i, err1 := strconv.Atoi(a)
	n, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || i < 0 || i >= n || n > maxProcs {
		return 0, 0, fmt.Errorf("-child is %q: i/n is expected", o.child)
	}
	return i, n, nil
}

// descriptorsKept are those that are not for connections: files, loops, and attempts under way.
const descriptorsKept = 64

// fits checks that each process may open the descriptors it needs.
func (o *options) fits() error {
	limit, ok := descriptorLimit()
	if !ok || o.procs < 1 || o.n < 1 {
		return nil
	}
	kept := descriptorsKept + 2*o.dialers
	if o.transport != webSockets {
		kept += postersOf * o.loopCount()
	}
	need := uint64((o.n+o.procs-1)/o.procs + kept)
	if need <= limit {
		return nil
	}
	room := int64(limit) - int64(kept)
	if room < 1 {
		return fmt.Errorf("a process may open %d files here, but %d are needed: raise the limit with ulimit -n, or lower -dialers", limit, need)
	}
	return fmt.Errorf("-n %d with -procs %d needs %d descriptors per process, but the limit is %d: use -procs %d, raise the limit with ulimit -n, or use at most -n %d",
		o.n, o.procs, need, limit, (int64(o.n)+room-1)/room, room*int64(o.procs))
}

// loopCount is the number of loops of each process.
func (o *options) loopCount() int {
	if o.loops > 0 {
		return o.loops
	}
	return max(1, runtime.NumCPU()/o.procs)
}

// closedFanOut says that publishers wait for the receivers.
func (o *options) closedFanOut() bool { return o.scenario.fansOut() && o.rate == 0 }

// stallTime is how long a closed loop waits for a message before it goes on without.
func (o *options) stallTime() time.Duration { return max(o.drain, time.Second) }

// share is the range of connections of the i-th process of n.
func (o *options) share(i, n int) (from, to int) { return o.n * i / n, o.n * (i + 1) / n }

// publisherAt is the connection of a publisher: they are spread evenly, so that no process or loop has them all.
func (o *options) publisherAt(p int) int { return p * o.n / o.publishers }

func scenarioNames() string {
	names := make([]string, len(scenarios))
	for i, x := range scenarios {
		names[i] = string(x.name)
	}
	return strings.Join(names, ", ")
}

func printOverview(w io.Writer) {
	fmt.Fprint(w, "loadgen loads a SignalR server and measures what it does.\n\nUsage: loadgen <scenario> [flags] URL\n\nScenarios:\n")
	for _, x := range scenarios {
		fmt.Fprintf(w, "  %-10s %s\n", x.name, x.text)
	}
	fmt.Fprint(w, "\nloadgen <scenario> -h lists the flags of one.\n\nExample:\n  loadgen echo -n 1000 -depth 8 -html report.html http://127.0.0.1:8080/bench\n"+
		"\n"+numberMark+" in the URL's query is the connection's number: http://127.0.0.1:8080/bench?user=u"+numberMark+"\n"+
		"\nExit codes: 0 good, 1 a threshold was missed, 2 wrong command line, 3 the run could not be made or did not come to its end.\n")
}

func printHelp(w io.Writer, fs *flag.FlagSet, s scenario) {
	for _, x := range scenarios {
		if x.name == s {
			fmt.Fprintf(w, "loadgen %s: %s.\n\nUsage: loadgen %s [flags] URL\n\nFlags:\n", s, x.text, s)
		}
	}
	visible := flag.NewFlagSet("", flag.ContinueOnError)
	visible.SetOutput(w)
	fs.VisitAll(func(f *flag.Flag) {
		if f.Name != "child" {
			visible.Var(f.Value, f.Name, f.Usage)
		}
	})
	visible.PrintDefaults()
}

// checkFiles opens the result files early: an hour's run must not end with "no such directory".
func (o *options) checkFiles() error {
	for _, name := range []string{o.jsonFile, o.htmlFile} {
		if name == "" {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return fmt.Errorf("the result cannot be written: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("the result cannot be written: %w", err)
		}
	}
	return nil
}
