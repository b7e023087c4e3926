package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spokehub/spoke/internal/procfs"
)

// coordinator takes the workers through a run and gathers what they report. All of it runs on one goroutine.
type coordinator struct {
	opts    *options
	workers []*handle
	reports chan report
	signals <-chan os.Signal
	live    *live
	clock   clock
	result  *result
	server  *procfs.Process

	began   int64
	phase   string
	from    int64 // of the measurement
	until   int64
	last    int64 // time of the last sample
	lastUse procfs.Usage
	lastCPU float64       // of the client
	busy    time.Duration // of the machine
	ramped  int           // workers that have finished the ramp
	back    int           // of the storm
	sent    []int64       // by publisher
	curves  curves
	tokens  tokenSet // that negotiate has brought
	over    error    // why the run ends early
}

// curves are what slopes are taken from.
type curves struct {
	connections, memory []float64 // of the ramp
	units, calls, cpu   []float64 // of the measurement, summed up; cpu in µs
}

// The phases of a run.
const (
	phaseRamp   = "ramp"
	phaseWarmUp = "warm-up"
	phaseRun    = "run"
	phaseDrain  = "drain"
	phaseIdle   = "" // between two phases
)

var (
	errInterrupted = errors.New("interrupted")
	errGaveUp      = errors.New("interrupted a second time")
)

const (
	rampTick = 250 * time.Millisecond
	runTick  = time.Second
)

// run goes through the phases. Whatever ends it, the result has what was seen until then.
func (co *coordinator) run() {
	o, r := co.opts, co.result
	co.began = co.clock.now()
	co.last = co.began
	co.sent = make([]int64, o.publishers)
	r.Client.Others = -1
	if co.server != nil {
		co.busy, _ = procfs.Busy()
		u, err := co.server.Read()
		if err != nil {
			co.stop(fmt.Errorf("the server: %w", err))
		}
		co.lastUse = u
		r.Server.RSSBefore, r.Server.RSSMax = u.Resident, u.Resident
		co.curves.connections, co.curves.memory = append(co.curves.connections, 0), append(co.curves.memory, float64(u.Resident))
	}
	co.tell(command{Do: doTick})
	co.gather(isTick, func(x *report) { co.lastCPU += x.Gauge.CPU }) // what starting has cost
	co.ramp()
	if co.over == nil {
		co.measure()
	}
	co.finish()
}

// ramp makes the connections.
func (co *coordinator) ramp() {
	if !co.opts.scenario.ramps() {
		return
	}
	co.phase = phaseRamp
	co.tell(command{Do: doRamp, Run: rand.N(uint32(maxRuns))})
	next := co.began
	for co.over == nil && co.ramped < len(co.workers) {
		next = nextTick(next, co.clock.now(), rampTick)
		co.wait(next, func() bool { return co.ramped == len(co.workers) })
		co.sample()
	}
	r := co.result
	r.RampTime = float64(co.clock.now()-co.began) / 1e9
	r.Ready = int64(0)
	if n := len(r.Samples); n > 0 {
		r.Ready = r.Samples[n-1].Open
	}
	if co.over != nil {
		return
	}
	if r.Ready == 0 {
		co.stop(fmt.Errorf("no connection could be made%s", co.firstFault()))
	} else if failed := r.Wanted - r.Ready; failed > r.Ready {
		co.stop(fmt.Errorf("the ramp was given up: %s of %s connections are ready%s", formatInt(r.Ready), formatInt(r.Wanted), co.firstFault()))
	}
}

// firstFault is the most frequent error, for the end of a message.
func (co *coordinator) firstFault() string {
	list := co.result.faultList()
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf(": %s (%s times): %s", list[0].Kind, formatInt(list[0].Count), list[0].First)
}

// measure runs the load: the warm-up and the measurement.
func (co *coordinator) measure() {
	o := co.opts
	start := co.clock.now() + int64(20*time.Millisecond)
	co.from = start + int64(o.warmup)
	co.until = co.from + int64(o.duration)
	co.phase = phaseWarmUp
	co.tell(command{Do: doBegin, Start: start, From: co.from, Until: co.until})
	for next := start; co.over == nil && next < co.from; {
		next = min(nextTick(next, co.clock.now(), runTick), co.from)
		co.wait(next, nil)
		co.sample()
	}
	if o.warmup == 0 {
		co.wait(start, nil)
		co.phase = phaseIdle
		co.sample()
	}
	co.phase = phaseRun
	measured := co.last
	co.curves.begin()
	cpu, use, busy := co.lastCPU, co.lastUse, co.busy
	for next := co.from; co.over == nil && next < co.until && !co.allBack(); {
		next = min(nextTick(next, co.clock.now(), runTick), co.until)
		co.wait(next, co.allBack)
		co.sample()
		co.lookForTheEnd()
	}
	r := co.result
	r.From, r.Until = time.Unix(0, measured).UTC(), time.Unix(0, co.last).UTC()
	r.Seconds = float64(co.last-measured) / 1e9
	if r.Seconds <= 0 {
		return
	}
	r.PerSecond = float64(o.scenario.units(&r.Measured)) / r.Seconds
	r.Client.Cores = (co.lastCPU - cpu) / r.Seconds
	if s := r.Server; s != nil {
		s.CPUSeconds = (co.lastUse.CPU - use.CPU).Seconds()
		s.Cores = s.CPUSeconds / r.Seconds
		if co.busy > busy {
			r.Client.Others = max(0, (co.busy-busy).Seconds()/r.Seconds-s.Cores-r.Client.Cores)
		}
	}
}

// nextTick is the tick after last that is not over yet; a sample of a very short time would be noise.
func nextTick(last, now int64, tick time.Duration) int64 {
	for last += int64(tick); last < now+int64(tick)/4; last += int64(tick) {
	}
	return last
}

// allBack says that the storm is over.
func (co *coordinator) allBack() bool {
	return co.opts.scenario == storm && co.back == len(co.workers)
}

// lookForTheEnd ends a run that cannot get anywhere.
func (co *coordinator) lookForTheEnd() {
	if co.over != nil || len(co.result.Samples) == 0 {
		return
	}
	s := co.opts.scenario
	t := &co.result.Total
	at := time.Duration(co.last - co.from).Round(100 * time.Millisecond)
	last := &co.result.Samples[len(co.result.Samples)-1]
	// A server may end the connection after each negotiate: then none is open at times, but answers come.
	alive := last.Open > 0 || s == negotiate && last.PerSecond > 0
	switch {
	case s.ramps() && s != storm && !alive:
		co.stop(fmt.Errorf("all %s connections were lost within %v of the measurement%s", formatInt(co.result.Ready), at, co.firstFault()))
	case (s == echo || s == negotiate || s == churn) && s.units(t) == 0 && t.Errors.total() >= 100,
		s.fansOut() && t.Delivered == 0 && t.Errors.total() > 0 && co.clock.now() > co.from+int64(2*time.Second):
		co.stop(fmt.Errorf("nothing but errors%s", co.firstFault()))
	}
}

// finish ends the load, waits for what is under way, and lets the workers go.
func (co *coordinator) finish() {
	o, r := co.opts, co.result
	if co.from > 0 && !errors.Is(co.over, errGaveUp) {
		co.phase = phaseDrain
		co.tell(command{Do: doEnd})
		co.gather(isEnded, func(x *report) {
			for _, c := range x.Sent {
				if c.Publisher >= 0 && c.Publisher < len(co.sent) {
					co.sent[c.Publisher] = c.Count
				}
			}
		})
		if o.scenario.answers() || o.scenario == churn {
			co.tell(command{Do: doDrain, Sent: co.sent})
			co.gather(isDrained, func(x *report) {
				r.LostLiving += x.Gauge.Lost
				r.LostCut += x.Gauge.LostCut
				r.UnderWay += x.Gauge.UnderWay
			})
		}
		co.sample()
	}
	for _, w := range co.workers {
		w.send(command{Do: doQuit})
	}
	for _, w := range co.workers {
		w.wait()
	}
	co.live.done()
	co.conclude()
}

// conclude computes the figures.
func (co *coordinator) conclude() {
	o, r := co.opts, co.result
	r.Ended = complete
	if co.over != nil {
		r.Ended = co.over.Error()
	}
	r.Percentiles = percentiles(&r.Total.Latency)
	r.ConnectPercentiles = percentiles(&r.Total.Connect)
	r.Client.Available = float64(min(o.loopCount()*o.procs, r.Machine.Processors))
	r.Client.LagP99 = r.Total.Lag.at(99)
	if s := r.Server; s != nil {
		s.RSSAfter = co.lastUse.Resident
		if v, ok := slope(co.curves.connections, co.curves.memory); ok {
			s.BytesPerConnection = &v
			if v <= 0 {
				s.BytesPerConnection = nil
				r.Notes = append(r.Notes, "The server's memory did not grow with its connections: it had kept memory from earlier ones. Bytes per connection need a server that was started anew.")
			}
		}
		if v, ok := slope(co.curves.units, co.curves.cpu); ok {
			s.MicrosPerUnit = v
		}
		if v, ok := slope(co.curves.calls, co.curves.cpu); ok && o.scenario.fansOut() {
			s.MicrosPerCall = v
		}
	}
	r.judgeClient(o)
	r.Checks = o.limits.evaluate(r)
}

// The client is the bottleneck when it has used so much of its processors, or sent so late.
const (
	busyShare = 0.9
	lagBound  = 2 * time.Millisecond
	// othersBound is how many processors other processes may use before the result says so.
	othersBound = 0.2
)

// judgeClient notes what weakens the figures.
func (r *result) judgeClient(o *options) {
	c := &r.Client
	note := func(format string, a ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, a...)) }
	if c.Cores >= busyShare*c.Available {
		c.Bottleneck = true
		note("The client was the bottleneck: it used %.2f of its %.0f processors. Throughput is the client's limit, not the server's, and latency has waiting in the client in it. Use more -procs, or another machine.", c.Cores, c.Available)
	}
	if c.LagP99 > int64(lagBound) {
		c.Bottleneck = true
		note("The client could not keep to its schedule: 1 %% of the sends were more than %s late. Latency counts from when they were due, so this lateness is in it. Lower -rate or use more -procs.", formatDuration(float64(c.LagP99)))
	}
	if c.Others > othersBound {
		note("Other processes than client and server used %.2f processors of this machine meanwhile: the figures are disturbed.", c.Others)
	}
	if r.Total.Foreign > 0 {
		note("%s messages of another run came in: somebody else was loading this hub.", formatInt(r.Total.Foreign))
	}
	if r.UnderWay > 0 {
		note("%s connections were still under way %v after the end: the server may have counted them, they are not in the figures.", formatInt(r.UnderWay), settleTime)
	}
	if r.Ready > 0 && r.Ready < r.Wanted && o.scenario.ramps() {
		note("%s of %s connections were not ready when the load began.", formatInt(r.Wanted-r.Ready), formatInt(r.Wanted))
	}
	if o.rate > 0 && r.Seconds > 0 && o.scenario != churn && r.Ended == complete {
		if made := float64(r.Measured.Sent) / r.Seconds; made < 0.95*o.rate {
			note("Only %s of %s calls a second could be made.", formatNumber(made), formatNumber(o.rate))
		}
	}
}

// stop ends the run early. The first reason stands, but for a second interruption.
func (co *coordinator) stop(err error) {
	if co.over == nil || errors.Is(err, errGaveUp) {
		co.over = err
	}
}

func (co *coordinator) tell(c command) {
	for _, w := range co.workers {
		w.send(c)
	}
}

// wait handles reports until a time, until done says so, or until the run is over.
func (co *coordinator) wait(until int64, done func() bool) {
	timer := time.NewTimer(time.Duration(until - co.clock.now()))
	defer timer.Stop()
	for co.over == nil && (done == nil || !done()) {
		select {
		case <-timer.C:
			return
		case r := <-co.reports:
			co.note(&r)
		case s := <-co.signals:
			co.interrupt(s)
		}
	}
}

func (co *coordinator) interrupt(s os.Signal) {
	if errors.Is(co.over, errInterrupted) {
		co.stop(errGaveUp)
		return
	}
	co.live.say("Ending: a second %v ends at once.", s)
	co.stop(errInterrupted)
}

// note takes a report that nobody waits for.
func (co *coordinator) note(r *report) {
	switch r.Is {
	case isRamped:
		co.ramped++
	case isBack:
		co.back++
	case isFailed:
		co.stop(errors.New(r.Error))
	}
}

// gather takes one report of this kind from every worker. A worker that has failed gives none, and a second interruption ends
// the waiting.
func (co *coordinator) gather(kind string, f func(*report)) {
	patience := time.NewTimer(drainMost*co.opts.drain + 30*time.Second)
	defer patience.Stop()
	for n := 0; n < len(co.workers); {
		select {
		case r := <-co.reports:
			switch r.Is {
			case kind:
				f(&r)
				n++
			case isFailed:
				co.note(&r)
				return
			default:
				co.note(&r)
			}
		case s := <-co.signals:
			if co.interrupt(s); errors.Is(co.over, errGaveUp) {
				return
			}
		case <-patience.C:
			co.stop(fmt.Errorf("a worker did not answer %q", kind))
			return
		}
	}
}

// sample gathers what has happened since the last one.
func (co *coordinator) sample() {
	o, r := co.opts, co.result
	var sum tally
	var g gauge
	co.tell(command{Do: doTick})
	co.gather(isTick, func(x *report) {
		if x.Tally != nil {
			sum.merge(x.Tally)
		}
		g.merge(x.Gauge)
	})
	for _, h := range sum.Tokens {
		if !co.tokens.add(h) {
			sum.Duplicates++
		}
	}
	sum.Tokens = nil
	now := co.clock.now()
	span := float64(now-co.last) / 1e9
	if span <= 0 {
		return
	}
	s := sample{
		At: float64(now-co.began) / 1e9, Phase: co.phase, Span: span, Open: g.Open,
		PerSecond: float64(o.scenario.units(&sum)) / span,
		BytesIn:   float64(sum.BytesIn) / span, BytesOut: float64(sum.BytesOut) / span,
		P50: sum.Latency.at(50), P99: sum.Latency.at(99), Max: sum.Latency.max(),
		Errors: sum.Errors.total(), Others: -1, ClientCPU: (g.CPU - co.lastCPU) / span,
	}
	if co.phase == phaseRamp || !o.scenario.ramps() || o.scenario == storm || o.scenario == idle {
		h := &sum.Connect
		s.PerSecond = float64(sum.Connected) / span
		s.P50, s.P99, s.Max = h.at(50), h.at(99), h.max()
	}
	co.lastCPU = g.CPU
	r.Total.merge(&sum)
	if co.phase == phaseRun {
		counts := sum
		counts.Latency, counts.Connect, counts.Lag = hist{}, hist{}, hist{}
		r.Measured.merge(&counts)
	}
	if co.server != nil {
		co.sampleServer(&s, &sum)
	}
	co.last = now
	if co.phase == phaseIdle {
		return
	}
	r.Samples = append(r.Samples, s)
	co.live.show(&s, g.Tried, co.until)
}

func (co *coordinator) sampleServer(s *sample, sum *tally) {
	u, err := co.server.Read()
	if err != nil {
		co.stop(fmt.Errorf("the server: %w", err))
		return
	}
	s.ServerCPU = (u.CPU - co.lastUse.CPU).Seconds() / s.Span
	s.ServerRSS = u.Resident
	if busy, ok := procfs.Busy(); ok {
		s.Others = max(0, (busy-co.busy).Seconds()/s.Span-s.ServerCPU-s.ClientCPU)
		co.busy = busy
	}
	k := &co.curves
	switch co.phase {
	case phaseRamp:
		k.connections, k.memory = append(k.connections, float64(s.Open)), append(k.memory, float64(u.Resident))
	case phaseRun:
		k.add(float64(co.opts.scenario.units(sum)), float64(sum.Sent), float64((u.CPU - co.lastUse.CPU).Microseconds()))
	}
	co.lastUse = u
	srv := co.result.Server
	srv.RSSMax = max(srv.RSSMax, u.Resident)
}

// begin starts the sums of the measurement.
func (k *curves) begin() { k.units, k.calls, k.cpu = []float64{0}, []float64{0}, []float64{0} }

// add goes on with the sums.
func (k *curves) add(units, calls, cpu float64) {
	n := len(k.cpu) - 1
	k.units = append(k.units, k.units[n]+units)
	k.calls = append(k.calls, k.calls[n]+calls)
	k.cpu = append(k.cpu, k.cpu[n]+cpu)
}
