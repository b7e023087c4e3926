package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"
)

// complete is how a run ends that came to its end.
const complete = "complete"

// result is what a run has shown. It is the -json file, and all that the summary and the report are made of. Times in the
// histograms are nanoseconds.
type result struct {
	Scenario scenario  `json:"scenario"`
	URL      string    `json:"url"`
	Began    time.Time `json:"began"`
	Machine  machine   `json:"machine"`
	Settings []setting `json:"settings"`
	Unit     string    `json:"unit"` // of the rate

	Ended    string    `json:"ended"`                 // "complete", or why not
	Seconds  float64   `json:"seconds"`               // measured
	From     time.Time `json:"measuredFrom,omitzero"` // Seconds lie between these
	Until    time.Time `json:"measuredUntil,omitzero"`
	RampTime float64   `json:"rampSeconds"`       // 0: no ramp
	Wanted   int64     `json:"connectionsWanted"` // -n
	Ready    int64     `json:"connectionsReady"`  // after the ramp

	Percentiles        []percentile `json:"latency"`
	ConnectPercentiles []percentile `json:"connect"`
	PerSecond          float64      `json:"perSecond"`
	Total              tally        `json:"total"`    // of the whole run
	Measured           tally        `json:"measured"` // counts of the measurement alone; its histograms are in total
	LostLiving         int64        `json:"lost"`
	LostCut            int64        `json:"lostWithConnection"`
	UnderWay           int64        `json:"underWay,omitempty"` // connections of churn that had not ended when the run was over
	Checked            bool         `json:"checked"`

	Client  clientUse  `json:"client"`
	Server  *serverUse `json:"server,omitempty"`
	Samples []sample   `json:"samples"`
	Checks  []check    `json:"thresholds,omitempty"`
	Notes   []string   `json:"notes,omitempty"` // what a reader of the figures must know
}

// percentile is one line of a latency table.
type percentile struct {
	Percentile float64 `json:"percentile"` // 100 is the longest
	Nanos      int64   `json:"ns"`
}

// sample is how things stood at one time.
type sample struct {
	At        float64 `json:"seconds"` // since the run began
	Phase     string  `json:"phase"`   // ramp, warm-up, run or drain
	Span      float64 `json:"span"`    // seconds since the last one
	Open      int64   `json:"open"`
	PerSecond float64 `json:"perSecond"`
	BytesIn   float64 `json:"bytesInPerSecond"`
	BytesOut  float64 `json:"bytesOutPerSecond"`
	P50       int64   `json:"p50ns"`
	P99       int64   `json:"p99ns"`
	Max       int64   `json:"maxns"`
	Errors    int64   `json:"errors"`
	ClientCPU float64 `json:"clientCores"`
	ServerCPU float64 `json:"serverCores"`
	Others    float64 `json:"otherCores"` // of the machine, by other processes; -1: not known
	ServerRSS int64   `json:"serverBytes"`
}

// clientUse is what the client itself took.
type clientUse struct {
	Cores      float64 `json:"cores"` // used on average in the measurement
	Available  float64 `json:"coresAvailable"`
	LagP99     int64   `json:"lagP99ns"` // of the open loop's sends
	Bottleneck bool    `json:"bottleneck"`
	Others     float64 `json:"otherCores"` // used by other processes than client and server; -1: not known
}

// serverUse is what the server's process took.
type serverUse struct {
	PID                int      `json:"pid"`
	Name               string   `json:"name"`
	Cores              float64  `json:"cores"`
	CPUSeconds         float64  `json:"cpuSeconds"`    // in the measurement
	MicrosPerUnit      float64  `json:"microsPerUnit"` // slope over the samples
	MicrosPerCall      float64  `json:"microsPerCall,omitempty"`
	BytesPerConnection *float64 `json:"bytesPerConnection,omitempty"` // slope over the ramp
	RSSBefore          int64    `json:"bytesBefore"`
	RSSMax             int64    `json:"bytesMax"`
	RSSAfter           int64    `json:"bytesAfter"`
}

// The percentiles of the tables.
var reported = []float64{50, 90, 99, 99.9, 99.99, 100}

func percentiles(h *hist) []percentile {
	if h.count() == 0 {
		return nil
	}
	list := make([]percentile, len(reported))
	for i, p := range reported {
		list[i] = percentile{p, h.at(p)}
		if p == 100 {
			list[i].Nanos = h.max()
		}
	}
	return list
}

// Lost is the number of messages that have not come.
func (r *result) Lost() int64 { return r.LostLiving + r.LostCut }

// Errors is the number of errors of the whole run.
func (r *result) Errors() int64 { return r.Total.Errors.total() }

// Rate is the measured rate, in units a second.
func (r *result) Rate() float64 { return r.PerSecond }

// units is what the rate counts.
func (s scenario) units(t *tally) int64 {
	switch {
	case s.fansOut():
		return t.Delivered
	case s == echo, s == negotiate:
		return t.Answered
	}
	return t.Connected
}

// faultList is the errors, the most frequent first.
func (r *result) faultList() []namedFault {
	var list []namedFault
	for k, f := range r.Total.Errors {
		list = append(list, namedFault{k, f.Count, f.First})
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Count != list[j].Count {
			return list[i].Count > list[j].Count
		}
		return list[i].Kind < list[j].Kind
	})
	return list
}

type namedFault struct {
	Kind  string
	Count int64
	First string
}

// write writes the result to a file as JSON.
func (r *result) write(name string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("-json: %w", err)
	}
	if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("-json: %w", err)
	}
	return nil
}
