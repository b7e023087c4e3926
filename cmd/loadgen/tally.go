package main

// tally is what was counted in an interval. // loop, until it is handed over whole
type tally struct {
	Sent       int64 `json:"sent"`     // calls made
	Answered   int64 `json:"answered"` // calls completed without an error
	Delivered  int64 `json:"delivered"`
	SlowTaken  int64 `json:"slowTaken,omitempty"` // deliveries to readers that are slow on purpose
	BytesIn    int64 `json:"bytesIn"`             // of frames and HTTP answers; without TCP and IP
	BytesOut   int64 `json:"bytesOut"`
	Connected  int64 `json:"connected"` // connections that became ready
	Ended      int64 `json:"ended"`     // ready connections that have ended, whoever ended them
	Cut        int64 `json:"cut"`       // of these: by the server or the network
	SlowCut    int64 `json:"slowCut,omitempty"`
	Foreign    int64 `json:"foreign,omitempty"` // messages of other runs
	Overtaken  int64 `json:"overtaken"`
	Duplicates int64 `json:"duplicates"` // negotiate: tokens that were given before

	Tokens tokenHashes `json:"tokens,omitempty"` // of negotiate; the coordinator takes them out

	Latency hist   `json:"latency"`
	Connect hist   `json:"connect"`
	Lag     hist   `json:"lag"` // how late the open loop's sends were
	Errors  faults `json:"errors,omitempty"`
}

// merge adds o.
func (t *tally) merge(o *tally) {
	t.Sent += o.Sent
	t.Answered += o.Answered
	t.Delivered += o.Delivered
	t.SlowTaken += o.SlowTaken
	t.BytesIn += o.BytesIn
	t.BytesOut += o.BytesOut
	t.Connected += o.Connected
	t.Ended += o.Ended
	t.Cut += o.Cut
	t.SlowCut += o.SlowCut
	t.Foreign += o.Foreign
	t.Overtaken += o.Overtaken
	t.Duplicates += o.Duplicates
	t.Tokens = append(t.Tokens, o.Tokens...)
	t.Latency.merge(&o.Latency)
	t.Connect.merge(&o.Connect)
	t.Lag.merge(&o.Lag)
	t.Errors.merge(o.Errors)
}

// reset empties t and keeps its memory.
func (t *tally) reset() {
	latency, connect, lag := t.Latency, t.Connect, t.Lag
	latency.reset()
	connect.reset()
	lag.reset()
	*t = tally{Tokens: t.Tokens[:0], Latency: latency, Connect: connect, Lag: lag}
}

// faults count errors by kind, with the text of the first.
type faults map[string]fault

type fault struct {
	Count int64  `json:"count"`
	First string `json:"first,omitempty"`
}

// maxFaults bounds the kinds: a server chooses its error texts.
const (
	maxFaults   = 64
	otherFaults = "other"
)

func (f *faults) add(kind, text string, n int64) {
	if *f == nil {
		*f = faults{}
	}
	if _, ok := (*f)[kind]; !ok && len(*f) >= maxFaults {
		kind = otherFaults
	}
	x := (*f)[kind]
	x.Count += n
	if x.First == "" {
		const most = 300
		if len(text) > most {
			text = text[:most] + "…"
		}
		x.First = text
	}
	(*f)[kind] = x
}

func (f *faults) merge(o faults) {
	for k, x := range o {
		f.add(k, x.First, x.Count)
	}
}

func (f faults) total() int64 {
	var n int64
	for _, x := range f {
		n += x.Count
	}
	return n
}

// gauge is how things stand at the end of an interval.
type gauge struct {
	Open  int64 `json:"open"`  // connections that are ready
	Tried int64 `json:"tried"` // of the ramp: connections that are ready or have failed
	// CPU is what the client's process has used since it began, in seconds.
	CPU float64 `json:"cpuSeconds"`
	// Lost and LostCut are messages that have not come; of living connections, and of those that were cut. Only after the drain.
	Lost    int64 `json:"lost"`
	LostCut int64 `json:"lostCut"`
	// UnderWay are connections of churn that have not come to their end after the load's. Only after the drain.
	UnderWay int64 `json:"underWay,omitempty"`
}

func (g *gauge) merge(o gauge) {
	g.Open += o.Open
	g.Tried += o.Tried
	g.CPU += o.CPU
	g.Lost += o.Lost
	g.LostCut += o.LostCut
	g.UnderWay += o.UnderWay
}
