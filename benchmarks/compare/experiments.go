package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// experiment is one way to load all servers; it gives one figure or more.
type experiment struct {
	name    string
	parts   []part
	servers func(*server) bool // nil: all that speak SignalR as far as loadgen is concerned
	load    func(*bench, *server) load
	idle    bool // not one load to its end, but connections that are held: see idle.go
}

// part is one figure of an experiment.
type part struct {
	name      string // of the figure
	title     string
	unit      string
	reference string // the server whose value in the same round is 1; "": there is no ratio
	bars      []bar
	judged    string // the server that the bars are for; "": Spoke's default backend
	value     func(*loadResult) float64
	note      string // for the results
}

// bar is what is asked of Spoke.
type bar struct {
	ratio bool // of the ratio to the reference; or else of the value
	limit float64
	least bool // the limit is the least, not the most
}

func (b bar) met(value, ratio float64) bool {
	v := value
	if b.ratio {
		v = ratio
	}
	if b.least {
		return v >= b.limit
	}
	return v <= b.limit
}

// text is how tables say it.
func (b bar) text(p *part) string {
	sign := "≤ "
	if b.least {
		sign = "≥ "
	}
	if b.ratio {
		return sign + formatRatio(b.limit) + " × " + titleOf(p.reference)
	}
	return sign + strconv.FormatFloat(b.limit, 'g', -1, 64) + " " + p.unit
}

func atMost(ratio float64) []bar { return []bar{{ratio: true, limit: ratio}} }

// microsPerUnit is the server's CPU time.
func microsPerUnit(r *loadResult) float64 { return r.Server.CPUSeconds * 1e6 / r.units() }

func unitsPerCore(r *loadResult) float64 { return r.units() / r.Server.CPUSeconds }

func p99Millis(r *loadResult) float64 { return float64(r.percentile(99)) / 1e6 }

// workerEcho is the method of spoked's hub /bench that returns its argument like Echo, but on a worker. The others have Echo.
const workerEcho = "EchoByWorker"

var idleNote = "Spoke runs with `" + strings.Join(idleArgs, " ") + "` and the URL has `?user=second-{n}`: each connection has a user id of its own, limits and a group. The limit runs with `" + strings.Join(limitIdleArgs, " ") + "`: it and the servers of SignalR send pings and read them, gws, gorilla and nbio only read them. Peers are held in one round."

// The figures; init puts those of MessagePack beside them.
var experiments = []experiment{
	{
		name:  "echo",
		parts: []part{{title: "JSON echo, depth 1, 1,000 connections, inline method", unit: "µs", reference: limitName, bars: atMost(1.2), value: microsPerUnit}},
		load:  echoLoad(1000, 1, false),
		servers: func(s *server) bool {
			return s.name != coalesceName
		},
	},
	{
		name:    "echo-workers",
		parts:   []part{{title: "JSON echo, depth 1, 1,000 connections, by workers", unit: "µs", reference: limitName, bars: atMost(1.3), value: microsPerUnit}},
		load:    echoLoad(1000, 1, true),
		servers: func(s *server) bool { return s.ours || s.name == limitName },
	},
	{
		name:    "echo-deep",
		parts:   []part{{title: "JSON echo, depth 8, 1,000 connections", unit: "µs", reference: limitName, bars: atMost(1.4), value: microsPerUnit}},
		load:    echoLoad(1000, 8, false),
		servers: func(s *server) bool { return s.name != coalesceName && s.protocol != centrifuge },
	},
	{
		name:    "broadcast-1k",
		parts:   []part{{title: "broadcast one at a time, 1,000 receivers, per delivery", unit: "µs", reference: limitName, bars: atMost(1.1), value: microsPerUnit}},
		load:    fanLoad(1000, 1),
		servers: func(s *server) bool { return s.name != coalesceName },
	},
	{
		name:    "broadcast-10k",
		parts:   []part{{title: "broadcast one at a time, 10,000 receivers, per delivery", unit: "µs", reference: limitName, bars: atMost(1.1), value: microsPerUnit}},
		load:    fanLoad(10_000, 1),
		servers: func(s *server) bool { return s.name != coalesceName },
	},
	{
		name: "burst",
		parts: []part{{
			title: "broadcast, 16 outstanding, 1,000 receivers, per delivery", unit: "µs", reference: coalesceName, value: microsPerUnit,
			bars: []bar{{limit: 0.5}, {ratio: true, limit: 0.95}},
		}},
		load:    fanLoad(1000, 16),
		servers: func(*server) bool { return true },
	},
	{
		name:    eventsExperiment,
		parts:   []part{{title: "broadcast one at a time, 1,000 receivers, per delivery, event streams beside WebSockets", unit: "µs", reference: oursName, judged: eventsName, bars: atMost(1.15), value: microsPerUnit}},
		load:    eventLoad(fanLoad(1000, 1)),
		servers: func(s *server) bool { return s.name == oursName || s.name == eventsName },
	},
	{
		name:    "group",
		parts:   []part{{title: "group of 1 % of 10,000, per delivery", unit: "µs", reference: limitName, bars: atMost(1.2), value: microsPerUnit}},
		load:    groupLoad(10_000, 100),
		servers: func(s *server) bool { return s.name != coalesceName && s.protocol != centrifuge },
	},
	{
		name: "idle",
		idle: true,
		parts: []part{
			{name: "idle-memory", title: "idle connection, in one group: RSS slope up to 18,000, after a garbage collection that gives free memory back", unit: "B", bars: []bar{{limit: 500}}, note: idleNote},
			{name: "idle-memory-raw", title: "the same without asking for a collection", unit: "B"},
			{name: "idle-cpu", title: "CPU at 18,000 idle connections with 15 s pings", unit: "cores", bars: []bar{{limit: 0.01}}, note: idleNote},
		},
		servers: func(s *server) bool { return s.name != coalesceName && s.protocol != centrifuge },
	},
	{
		name: "connects",
		parts: []part{{
			title: "connects per second of the server's CPU, incl. negotiate and handshake", unit: "per core-second",
			bars: []bar{{limit: 5000, least: true}}, value: unitsPerCore,
		}},
		load:    connectLoad,
		servers: func(s *server) bool { return s.name != coalesceName && s.protocol != centrifuge },
	},
	{
		name:    "p99",
		parts:   []part{{title: "p99 of echo by workers, 100 connections, at saturation", unit: "ms", bars: []bar{{limit: 3}}, value: p99Millis}},
		load:    echoLoad(100, 1, true),
		servers: func(s *server) bool { return s.name != coalesceName && s.protocol != centrifuge },
	},
}

// packedTitle replaces a title that leans on the one before.
var packedTitle = map[string]string{
	"echo":         "MessagePack echo, depth 1, 1,000 connections, inline method",
	"echo-workers": "MessagePack echo, depth 1, 1,000 connections, by workers",
	"echo-deep":    "MessagePack echo, depth 8, 1,000 connections",
}

// inMessagePack is the same experiment with the other hub protocol, and the same bars. What of the peers knows MessagePack is not among the servers: the run
// would become longer than most have patience for.
func (e experiment) inMessagePack() experiment {
	reference := e.parts[0].reference
	e.parts = slices.Clone(e.parts)
	if title, ok := packedTitle[e.name]; ok {
		e.parts[0].title = title
	} else {
		e.parts[0].title += ", MessagePack"
	}
	e.name += "-messagepack"
	e.load = packedLoad(e.load)
	e.servers = func(s *server) bool { return s.name == reference || s.name == oursName }
	return e
}

func init() {
	for _, name := range []string{"echo", "echo-workers", "echo-deep", "broadcast-1k", "broadcast-10k", "burst", "group", "p99"} {
		i := slices.IndexFunc(experiments, func(e experiment) bool { return e.name == name })
		packed := experiments[i].inMessagePack()
		packed.name = strings.Replace(packed.name, "-1k", "", 1)
		experiments = slices.Insert(experiments, i+1, packed)
	}
	for i := range experiments {
		if len(experiments[i].parts) == 1 {
			experiments[i].parts[0].name = experiments[i].name
		}
	}
}

// millionName is the simulation benchmarks/million, whose output goes into the results as it is.
const millionName = "million"

func experimentNames() []string {
	var names []string
	for _, e := range experiments {
		names = append(names, e.name)
	}
	return append(names, millionName)
}

func titleOf(name string) string {
	i := slices.IndexFunc(allServers, func(s server) bool { return s.name == name })
	if i < 0 {
		return name
	}
	return allServers[i].title
}

// Before a measurement connections are made at rampRate a second. Some servers need long for their handshakes then, which is not what
// is measured.
const (
	rampRate       = 4000
	connectTimeout = time.Minute
)

// scaled is n, or few with -quick.
func (b *bench) scaled(n, few int) int {
	if b.opts.quick {
		return few
	}
	return n
}

func (b *bench) warmUp() time.Duration {
	if b.opts.quick {
		return 200 * time.Millisecond
	}
	return time.Second
}

func (b *bench) length() time.Duration {
	if b.opts.quick {
		return 500 * time.Millisecond
	}
	return b.opts.duration
}

// patience is how long a load of n connections may take.
func (b *bench) patience(n int) time.Duration {
	return time.Duration(n)*time.Second/rampRate + b.warmUp() + b.length() + connectTimeout + time.Minute
}

func (b *bench) newLoad(n int, args ...string) load { return b.newWarmedLoad(b.warmUp(), n, args...) }

func (b *bench) newWarmedLoad(warmUp time.Duration, n int, args ...string) load {
	args = append(args, "-n", strconv.Itoa(n), "-ramp", strconv.Itoa(rampRate), "-connect-timeout", connectTimeout.String(), "-warmup", warmUp.String(), "-duration", b.length().String())
	return load{args: args, most: b.patience(n) - b.warmUp() + warmUp, length: time.Duration(n)*time.Second/rampRate + warmUp + b.length()}
}

func echoLoad(n, depth int, workers bool) func(*bench, *server) load {
	return func(b *bench, s *server) load {
		args := []string{"echo", "-depth", strconv.Itoa(depth)}
		if workers && s.ours {
			args = append(args, "-echo-method", workerEcho)
		}
		return b.newLoad(b.scaled(n, 50), args...)
	}
}

// fanWarmUp is the time in which each of n receivers gets some 20 messages. The kernel acknowledges the first 16 or so of a connection at once, which costs the sender's processor 2 to
// 3 µs each (Linux: TCP_MAX_QUICKACKS), as a rule: measured among them, a server had either 7 or 10 µs a delivery, by chance.
func (b *bench) fanWarmUp(n int) time.Duration {
	const messages, each = 20, 20 * time.Microsecond
	return max(b.warmUp(), messages*time.Duration(n)*each)
}

func fanLoad(n, outstanding int) func(*bench, *server) load {
	return func(b *bench, _ *server) load {
		n := b.scaled(n, n/50)
		return b.newWarmedLoad(b.fanWarmUp(n), n, "broadcast", "-outstanding", strconv.Itoa(outstanding))
	}
}

// eventsExperiment compares two transports of Spoke.
const eventsExperiment = "broadcast-events"

// eventLoad is the same load, by clients of server-sent events when the server is the one for them.
func eventLoad(of func(*bench, *server) load) func(*bench, *server) load {
	return func(b *bench, s *server) load {
		l := of(b, s)
		if s.name == eventsName {
			l.args = append(l.args, "-transport", "sse")
		}
		return l
	}
}

// packedLoad is the same load in MessagePack.
func packedLoad(of func(*bench, *server) load) func(*bench, *server) load {
	return func(b *bench, s *server) load {
		l := of(b, s)
		l.args = append(l.args, "-protocol", "messagepack")
		return l
	}
}

func groupLoad(n, groups int) func(*bench, *server) load {
	return func(b *bench, _ *server) load {
		return b.newLoad(b.scaled(n, n/50), "group", "-groups", strconv.Itoa(groups))
	}
}

// connectLoad leaves by reset: a server that does not end TCP after a close frame, or a port that rests afterwards, would be what
// is measured otherwise.
func connectLoad(b *bench, _ *server) load {
	return load{args: []string{"churn", "-n", "64", "-reset", "-duration", b.length().String()}, most: b.patience(0), length: b.length()}
}

// describe is the load's command line for the results.
func (l *load) describe() string { return strings.Join(l.args, " ") }

func formatRatio(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// formatValue has three figures, as many as mean something.
func formatValue(v float64) string {
	switch {
	case v >= 1000:
		return groupDigits(strconv.FormatFloat(v, 'f', 0, 64))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// groupDigits puts commas between thousands.
func groupDigits(s string) string {
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
