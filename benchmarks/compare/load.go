package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// loadResult is what this program reads of loadgen's -json.
type loadResult struct {
	Ended     string  `json:"ended"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	Wanted    int64   `json:"connectionsWanted"`
	Ready     int64   `json:"connectionsReady"`
	Latency   []struct {
		Percentile float64 `json:"percentile"`
		Nanos      int64   `json:"ns"`
	} `json:"latency"`
	Lost    int64 `json:"lost"`
	LostCut int64 `json:"lostWithConnection"`
	Total   struct {
		Overtaken  int64 `json:"overtaken"`
		Duplicates int64 `json:"duplicates"`
		Errors     map[string]struct {
			Count int64  `json:"count"`
			First string `json:"first"`
		} `json:"errors"`
	} `json:"total"`
	Server *struct {
		CPUSeconds float64 `json:"cpuSeconds"`
	} `json:"server"`
	Client struct {
		Bottleneck bool    `json:"bottleneck"`
		Others     float64 `json:"otherCores"`
	} `json:"client"`
}

const loadComplete = "complete"

// Units is how many messages, deliveries or connections were measured.
func (r *loadResult) units() float64 { return r.PerSecond * r.Seconds }

func (r *loadResult) percentile(p float64) time.Duration {
	for _, l := range r.Latency {
		if l.Percentile == p {
			return time.Duration(l.Nanos)
		}
	}
	return 0
}

// faults are the messages that were lost and the errors, with the text of one.
func (r *loadResult) faults() (n int64, text string) {
	n = r.Lost + r.LostCut
	if n > 0 {
		text = fmt.Sprintf("%d messages lost", n)
	}
	for kind, e := range r.Total.Errors {
		n += e.Count
		text = fmt.Sprintf("%d x %s: %s", e.Count, kind, e.First)
	}
	return n, text
}

// errorShare is how many faults there may be among the units of a run that counts.
const errorShare = 0.001

// judge says why a run is no figure, and what is to be said about one that is.
func (r *loadResult) judge() (note string, err error) {
	n, text := r.faults()
	switch {
	case r.Ended != loadComplete:
		return "", fmt.Errorf("the load did not come to its end: %s", r.Ended)
	case r.units() <= 0 || r.Server == nil || r.Server.CPUSeconds <= 0:
		return "", errors.New("nothing was measured")
	case float64(n) > errorShare*r.units():
		return "", errors.New(text)
	case n > 0:
		note = text
	}
	if d := r.Total.Overtaken; d > 0 {
		note = strings.TrimPrefix(note+fmt.Sprintf("; %d of %.0f messages came out of order", d, r.units()), "; ")
	}
	if d := r.Total.Duplicates; d > 0 {
		note = strings.TrimPrefix(note+fmt.Sprintf("; %d messages came twice", d), "; ")
	}
	return note, nil
}

// load is a load client's command line without the program, the server's process and the file of the result.
type load struct {
	args   []string
	query  string        // of the hub's URL
	most   time.Duration // after this it has failed
	length time.Duration // what is expected
}

// loadCommand is the whole command line. Centrifuge's protocol has a client of its own, in this program.
func (b *bench) loadCommand(s *server, l load, addr string, pid int, file string) ([]string, error) {
	url := "http://" + addr + "/bench" + l.query
	if s.protocol == centrifuge {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return append(append([]string{self, centrifugeCommand}, l.args...), "-server-pid", strconv.Itoa(pid), "-json", file, url), nil
	}
	return append(append([]string{b.binary("loadgen")}, l.args...), "-quiet", "-server-pid", strconv.Itoa(pid), "-json", file, url), nil
}

// drive runs a load client against a server to its end.
func (b *bench) drive(ctx context.Context, s *server, r *running, l load) (*loadResult, error) {
	file := filepath.Join(b.work, "load.json")
	p, err := b.startLoad(ctx, s, r, l, file)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(l.most)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.end(syscall.SIGKILL, time.Second)
		return nil, fmt.Errorf("the load client did not end within %v: %s", l.most, p.output)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return readLoad(file, p)
}

func (b *bench) startLoad(ctx context.Context, s *server, r *running, l load, file string) (*process, error) {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	args, err := b.loadCommand(s, l, r.addr, r.pid(), file)
	if err != nil {
		return nil, err
	}
	return b.start(ctx, true, args)
}

func readLoad(file string, p *process) (*loadResult, error) {
	text, err := os.ReadFile(file)
	if err != nil || len(text) == 0 {
		return nil, fmt.Errorf("the load client has no result; it ended%s", p.last())
	}
	res := new(loadResult)
	if err := json.Unmarshal(text, res); err != nil {
		return nil, fmt.Errorf("the load client's result: %w", err)
	}
	return res, nil
}
