package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// loadgenResult is what is needed of loadgen's -json file.
type loadgenResult struct {
	Ended     string
	From      time.Time `json:"measuredFrom"`
	Until     time.Time `json:"measuredUntil"`
	PerSecond float64
	Ready     int64 `json:"connectionsReady"`
	Latency   []struct {
		Percentile float64
		Ns         int64
	}
	Total struct {
		Sent, Answered, Delivered, BytesIn, BytesOut, Connected, Ended int64
	}
}

// flawless adds the thresholds of the scenarios whose calls are answered. A run that misses them is no figure.
func flawless(args ...string) []string {
	return append([]string{"-max-loss=0", "-max-duplicates=0"}, args...)
}

// loadgen runs a scenario. A run with errors is no figure.
func (b *bench) loadgen(ctx context.Context, scenario string, args ...string) (*loadgenResult, error) {
	file := filepath.Join(b.work, "result.json")
	out, err := b.client(ctx, append([]string{filepath.Join(b.work, "loadgen"), scenario, "-quiet", "-max-errors=0", "-json=" + file}, args...)...)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &loadgenResult{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("loadgen's -json file: %w", err)
	}
	if r.Ended != "complete" {
		return nil, fmt.Errorf("loadgen ended %q: %s", r.Ended, out)
	}
	return r, nil
}

// broadcastRate is so low that any machine keeps up: it is the counts that are compared.
const broadcastRate = 50

// compareDeliveries compares the counts of a broadcast with the server's counters, exactly.
func (b *bench) compareDeliveries(ctx context.Context) error {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	r, err := b.loadgen(ctx, "broadcast", flawless(fmt.Sprintf("-n=%d", b.connections), fmt.Sprintf("-rate=%d", broadcastRate), "-publishers=2", fmt.Sprintf("-duration=%v", broadcastTime), fmt.Sprintf("-drain=%v", broadcastDrain), "http://"+s.addr+"/bench")...)
	if err != nil {
		return err
	}
	c, err := s.settled(ctx)
	if err != nil {
		return err
	}
	text, err := judgeDeliveries(r, c)
	b.say("%s", text)
	return err
}

// What each connection sends and gets after loadgen's last count: {"type":7} and its 0x1e in a WebSocket message, and a close frame. The
// client's frames have a mask of 4 bytes, and its close frame a code of 2.
const (
	closeRecord    = 11
	farewellIn     = 2 + closeRecord + 4
	farewellOut    = 2 + 4 + closeRecord + 2 + 4 + 2
	pingOut        = 2 + 4 + closeRecord // {"type":6} is as long
	broadcastTime  = 3 * time.Second     // shorter than the server's interval of pings, which none of its connections needs
	broadcastDrain = 30 * time.Second
)

// judgeDeliveries compares what loadgen has counted with the server's counters. A delivery has no counter of its own in the server,
// as it costs less than a counter would; but the server counts what it has published, and every byte.
func judgeDeliveries(r *loadgenResult, c *counters) (string, error) {
	hubs, wire := &c.Server.Hubs, &c.Server.Engine
	// A client's ping may come between loadgen's last count and the end, at most one for each connection.
	out := r.Total.BytesOut + farewellOut*r.Ready
	if pings := (wire.BytesIn - out) / pingOut; pings > 0 && pings <= r.Ready {
		out += pings * pingOut
	}
	text, err := judgeCounts("Broadcast:", []count{
		{"connections", r.Ready, hubs.Handshakes},
		{"messages sent", r.Total.Sent, hubs.Published},
		{"calls completed", r.Total.Answered, hubs.Calls - hubs.CallsFailed},
		{"deliveries", r.Total.Delivered, hubs.Published * hubs.Handshakes},
		{"bytes to the clients", r.Total.BytesIn + farewellIn*r.Ready, wire.BytesOut},
		{"bytes to the server", out, wire.BytesIn},
	})
	if r.Total.Delivered == 0 {
		err = errors.Join(err, errors.New("nothing was delivered"))
	}
	return text, err
}
