package main

// scenario is one way to load a server.
type scenario string

// The scenarios.
const (
	idle      scenario = "idle"
	echo      scenario = "echo"
	broadcast scenario = "broadcast"
	group     scenario = "group"
	churn     scenario = "churn"
	storm     scenario = "storm"
	slow      scenario = "slow"
	negotiate scenario = "negotiate"
)

// scenarios are all of them in the order of the help text.
var scenarios = []struct {
	name scenario
	text string
}{
	{idle, "ramp to -n connections and hold them"},
	{echo, "every connection calls Echo: a closed loop of -depth calls, or an open loop at -rate calls a second"},
	{broadcast, "-publishers call Broadcast, all -n connections receive: at -rate, or a closed loop of -outstanding messages"},
	{group, "the same to one of -groups groups for each publisher, over which the -n connections are spread"},
	{churn, "connections come and go: -rate a second, or a closed loop of -n"},
	{storm, "-n connections drop and return at once"},
	{slow, "a broadcast at -rate while -slow-share of the readers stop reading, or take -trickle bytes a second"},
	{negotiate, "-n keep-alive connections ask for a connection token, one call under way on each: a closed loop, or an open loop at -rate calls a second"},
}

// fansOut says that publishers send to many receivers.
func (s scenario) fansOut() bool { return s == broadcast || s == group || s == slow }

// answers says that calls are made of which each has one answer, or one delivery for each receiver: some can be lost.
func (s scenario) answers() bool { return s == echo || s == negotiate || s.fansOut() }

// listens says that connections are made once and kept, so that they can have any transport.
func (s scenario) listens() bool { return s == idle || s == echo || s.fansOut() }

// ramps says that the connections are made before the measurement begins.
func (s scenario) ramps() bool { return s != churn }

// unit is what the rate of the scenario counts.
func (s scenario) unit() string {
	switch {
	case s.fansOut():
		return "deliveries"
	case s == echo:
		return "messages"
	case s == negotiate:
		return "negotiations"
	}
	return "connections"
}
